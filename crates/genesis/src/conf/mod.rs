//! A node's configuration file: lines, sections, negations, as `GetConfigOptions` of Elements and
//! boost's reader in Ocean take them apart.

mod error;

pub use error::{ConfError, InvalidConf};

use crate::NodeKind;

/// More than this is no configuration file.
const MAX_BYTES: usize = 1024 * 1024;

/// What both nodes take for white space.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// One setting as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) section: Option<String>,
    pub(crate) name: String,
    /// For `nofoo=1` the value that it gives to `foo`: `0`.
    pub(crate) value: String,
    pub(crate) negated: bool,
}

/// Takes a file apart. Whatever is wrong with single lines is told together.
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
    // puts both together and takes them apart at the first dot.
    let full = section.map_or_else(|| name.to_owned(), |section| format!("{section}.{name}"));
    let (section, name) = match full.split_once('.') {
        Some((section, name)) => (Some(section.to_owned()), name),
        None => (None, full.as_str()),
    };
    let negatable = match node {
        NodeKind::Elements => true,
        // Ocean looks at the name before it has been taken apart.
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

/// A node's notion of truth (`InterpretBool`): nothing, or a number other than 0.
pub(crate) fn is_true(value: &str) -> bool {
    value.is_empty() || leading_number(value) != 0
}

/// `atoi`: what a text begins with.
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
    fn comments_space_sections_and_negations_are_the_nodes_own() {
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
    fn lines_that_a_node_refuses_are_refused_all_at_once() {
        let error = parse(NodeKind::Elements, "-chain=x\nserver\nok=1").expect_err("two errors");
        assert_eq!(error.errors(), [ConfError::Dash(1), ConfError::NoValue(2)]);
        let long = "#".repeat(MAX_BYTES + 1);
        assert!(parse(NodeKind::Ocean, &long).is_err());
    }

    #[test]
    fn truth_is_a_number() {
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
