//! Ocean's terms and conditions, whose hash is in the genesis header.

use bitcoin::hashes::{Hash, sha256d};

/// The text of the terms as a node reads it: line by line, each ending in a line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms(Vec<u8>);

impl Terms {
    /// Reads the terms from a file's content; none if it is empty, which a node treats as missing.
    #[must_use]
    pub fn from_file(content: &[u8]) -> Option<Self> {
        let mut text = content.to_vec();
        if text.is_empty() {
            return None;
        }
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        Some(Self(text))
    }

    /// The paths, relative to the data folder, at which a node looks for the terms of a chain. The
    /// first file that exists and is not empty counts.
    #[must_use]
    pub fn paths(chain: &str) -> [String; 2] {
        ["old1.txt", "latest.txt"].map(|name| format!("terms-and-conditions/{chain}/{name}"))
    }

    /// The contract hash in the header, in wire order.
    #[must_use]
    pub fn contract_hash(&self) -> [u8; 32] {
        sha256d::Hash::hash(&self.0).to_byte_array()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_last_line_feed_is_added_and_carriage_returns_stay() {
        let terms = |text: &[u8]| Terms::from_file(text).map(|terms| terms.0);
        assert_eq!(terms(b"a\r\nb"), Some(b"a\r\nb\n".to_vec()));
        assert_eq!(terms(b"a\nb\n"), Some(b"a\nb\n".to_vec()));
        assert_eq!(terms(b"\n"), Some(b"\n".to_vec()));
        assert_eq!(terms(b""), None);
    }
}
