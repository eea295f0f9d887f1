//! The value of a setting, in canonical form.

use hex_conservative::DisplayHex;

use super::table::Kind;
use crate::hex::{self, HexError};

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    /// The least significant byte first.
    Hash([u8; 32]),
    /// The least significant byte first.
    Hash160([u8; 20]),
    Number(i64),
    Flag(bool),
    Text(String),
    List(Vec<String>),
}

/// The reason why a text is not a valid value; `Other` names what was expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ValueError {
    Hex(HexError),
    Script,
    Other(&'static str),
}

impl From<HexError> for ValueError {
    fn from(error: HexError) -> Self {
        Self::Hex(error)
    }
}

impl Value {
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Self, ValueError> {
        Ok(match kind {
            Kind::Script => {
                let bytes = hex::bytes(text)?;
                if !pushes_are_whole(&bytes) {
                    return Err(ValueError::Script);
                }
                Self::Bytes(bytes)
            }
            Kind::Bytes(length) => {
                let bytes = hex::bytes(text)?;
                if !bytes.is_empty() && bytes.len() != length {
                    return Err(ValueError::Other("hex of the required length"));
                }
                Self::Bytes(bytes)
            }
            Kind::Hash => Self::Hash(hex::number(text)?),
            Kind::Hash160 => Self::Hash160(hex::number(text)?),
            Kind::Number => Self::Number(number(text)?),
            Kind::Byte => match number(text)? {
                number @ 0..=255 => Self::Number(number),
                _ => return Err(ValueError::Other("a number from 0 to 255")),
            },
            // An empty value sets the flag.
            Kind::Flag if text.is_empty() => Self::Flag(true),
            Kind::Flag => match number(text) {
                Ok(number) => Self::Flag(number != 0),
                Err(_) => return Err(ValueError::Other("0 or 1")),
            },
            Kind::Text => Self::Text(text.to_owned()),
            Kind::Texts => Self::List(vec![text.to_owned()]),
            Kind::Asset if text.is_empty() => Self::Text("pegged".to_owned()),
            Kind::Asset => Self::Text(hex::reversed(&hex::number::<32>(text)?)),
            Kind::ScriptsAt => Self::List(vec![at(Kind::Script, text)?]),
            Kind::HashesAt => Self::List(vec![at(Kind::Hash, text)?]),
            Kind::Numbers => Self::List(vec![number(text)?.to_string()]),
            Kind::Hexes => Self::List(vec![hex::bytes(text)?.to_lower_hex_string()]),
        })
    }

    /// The canonical form of the value in a manifest. Lists have one line per entry.
    pub(crate) fn lines(&self) -> Vec<String> {
        vec![match self {
            Self::Bytes(bytes) => bytes.to_lower_hex_string(),
            Self::Hash(bytes) => hex::reversed(bytes),
            Self::Hash160(bytes) => hex::reversed(bytes),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => u8::from(*flag).to_string(),
            Self::Text(text) => text.clone(),
            Self::List(list) => return list.clone(),
        }]
    }
}

/// Parses a value, a colon and a number.
fn at(kind: Kind, text: &str) -> Result<String, ValueError> {
    let (value, position) = text
        .split_once(':')
        .ok_or(ValueError::Other("hex, a colon and a number"))?;
    let value = Value::parse(kind, value)?.lines().concat();
    Ok(format!("{value}:{}", number(position)?))
}

/// Parses a decimal number with nothing before or after it, which every node reads alike.
fn number(text: &str) -> Result<i64, ValueError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| plain)
        .ok_or(ValueError::Other("a decimal number"))
}

/// Whether a script does not end within a push.
fn pushes_are_whole(script: &[u8]) -> bool {
    elements::Script::from(script.to_vec())
        .instructions()
        .all(|instruction| instruction.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_a_node_would_misread_are_refused() {
        for (kind, text) in [
            (Kind::Number, "21e6"),
            (Kind::Number, "21000000 "),
            (Kind::Number, ""),
            (Kind::Number, "+5"),
            (Kind::Number, "99999999999999999999"),
            (Kind::Flag, "true"),
            (Kind::Flag, "yes"),
            (Kind::Byte, "256"),
            (Kind::Bytes(4), "5319f2"),
            (Kind::Script, "21"),
            (Kind::Script, "4c"),
            (Kind::Hash, "zz"),
            (Kind::Asset, "pegged"),
            (Kind::ScriptsAt, "51"),
            (Kind::ScriptsAt, "5x:10"),
            (Kind::ScriptsAt, "51:ten"),
            (Kind::HashesAt, "q:1"),
            (Kind::Numbers, "1x"),
        ] {
            assert!(Value::parse(kind, text).is_err(), "{kind:?} {text}");
        }
        assert_eq!(Value::parse(Kind::Flag, ""), Ok(Value::Flag(true)));
        assert_eq!(
            Value::parse(Kind::ScriptsAt, "0051:010"),
            Ok(Value::List(vec!["0051:10".to_owned()]))
        );
        assert_eq!(Value::parse(Kind::Number, "-1"), Ok(Value::Number(-1)));
    }
}
