//! Parsing a node's configuration file into lines, sections and negations, as `GetConfigOptions` of
//! Elements and Ocean's boost parser do.

mod error;

pub use error::{ConfError, InvalidConf};

use crate::NodeKind;

/// The maximum length of a configuration file.
const MAX_BYTES: usize = 1024 * 1024;

/// What both nodes treat as white space.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// One setting as it is written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) section: Option<String>,
    pub(crate) name: String,
    /// The value; for `nofoo=1` that which it gives to `foo`, `0`.
    pub(crate) value: String,
    pub(crate) negated: bool,
}

/// Parses a file. Errors in single lines are all reported together.
pub(crate) fn parse(node: NodeKind, text: &str) -> Result<Vec<Entry>, InvalidConf> {
    if text.len() > MAX_BYTES {
        return Err(InvalidConf::from(ConfError::TooLong(text.len())));
    }
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    let mut section: Option<String> = None;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = line
            .split_once('#')
            .map_or(line, |(before, _)| before)
            .trim_matches(SPACE);
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = Some(name.to_owned());
            continue;
        }
        match line.split_once('=') {
            Some(_) if line.starts_with('-') => errors.push(ConfError::Dash(number)),
            Some((name, value)) => entries.push(entry(
                node,
                number,
                section.as_deref(),
                name.trim_matches(SPACE),
                value.trim_matches(SPACE),
            )),
            None => errors.push(ConfError::NoValue(number)),
        }
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(InvalidConf { errors })
    }
}

fn entry(node: NodeKind, line: usize, section: Option<&str>, name: &str, value: &str) -> Entry {
    // `foo=1` below `[chain]` and `chain.foo=1` above all sections are the same to a node, which
    // joins section and name and then splits them at the first dot.
    let full = section.map_or_else(|| name.to_owned(), |section| format!("{section}.{name}"));
    let (section, name) = match full.split_once('.') {
        Some((section, name)) => (Some(section.to_owned()), name),
        None => (None, full.as_str()),
    };
    let negatable = match node {
        NodeKind::Elements => true,
        // Ocean looks for the negation before the name is split.
        NodeKind::Ocean => section.is_none() && name.len() > 2,
    };
    let positive = name.strip_prefix("no").filter(|_| negatable);
    Entry {
        line,
        section,
        name: positive.unwrap_or(name).to_owned(),
        value: match positive {
            Some(_) if is_true(value) => "0".to_owned(),
            Some(_) => "1".to_owned(),
            None => value.to_owned(),
        },
        negated: positive.is_some(),
    }
}

/// Whether a node takes the value for true (`InterpretBool`): if it is empty, or a number other than
/// 0.
pub(crate) fn is_true(value: &str) -> bool {
    value.is_empty() || leading_number(value) != 0
}

/// `atoi`: the number with which a text begins.
fn leading_number(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\r', '\n', '\u{b}', '\u{c}']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    digits
        .chars()
        .map_while(|c| c.to_digit(10))
        .fold(0_i64, |number, digit| {
            number.saturating_mul(10).saturating_add(i64::from(digit))
        })
        * sign
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(node: NodeKind, text: &str) -> Vec<(Option<String>, String, String)> {
        parse(node, text)
            .expect("a file")
            .into_iter()
            .map(|entry| (entry.section, entry.name, entry.value))
            .collect()
    }

    #[test]
    fn comments_spaces_sections_and_negations_are_read_as_by_nodes() {
        let text = "chain = home # ours\r\n\n[home]\n port=1\n nolisten=1\n[other]\nnodiscover=0\n";
        let some = |section: &str| Some(section.to_owned());
        assert_eq!(
            short(NodeKind::Elements, text),
            [
                (None, "chain".to_owned(), "home".to_owned()),
                (some("home"), "port".to_owned(), "1".to_owned()),
                (some("home"), "listen".to_owned(), "0".to_owned()),
                (some("other"), "discover".to_owned(), "1".to_owned()),
            ]
        );
        assert_eq!(
            short(NodeKind::Elements, "home.port=1"),
            [(some("home"), "port".to_owned(), "1".to_owned())]
        );
    }

    #[test]
    fn all_lines_that_a_node_refuses_are_reported_at_once() {
        let error = parse(NodeKind::Elements, "-chain=x\nserver\nok=1").expect_err("two errors");
        assert_eq!(error.errors(), [ConfError::Dash(1), ConfError::NoValue(2)]);
        let long = "#".repeat(MAX_BYTES + 1);
        assert!(parse(NodeKind::Ocean, &long).is_err());
    }

    #[test]
    fn a_value_is_true_if_it_is_empty_or_a_number_other_than_0() {
        for (text, truth) in [
            ("", true),
            ("1", true),
            ("0", false),
            ("true", false),
            ("-2x", true),
        ] {
            assert_eq!(is_true(text), truth, "{text}");
        }
        assert!(is_true(&"9".repeat(40)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]=.#no\\-a-z0-9 \\n]{0,200}") {
            let _ = parse(NodeKind::Elements, &text);
            let _ = parse(NodeKind::Ocean, &text);
        }
    }
}
