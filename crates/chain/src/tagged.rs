//! Tagged hashes, as in BIP 340.

use core::fmt;

use bitcoin::hashes::{Hash, HashEngine, sha256};

/// A [BIP 340] tagged hash: SHA-256 of the tag's own hash, twice, and the input. Hashes with
/// different tags never agree, whatever the inputs are.
///
/// ```
/// use federation_chain::TaggedHash;
///
/// let hash = TaggedHash::new(b"example/v1").with(b"in two ").with(b"parts");
/// assert_eq!(
///     hash.finish(),
///     TaggedHash::new(b"example/v1").with(b"in two parts").finish(),
/// );
/// ```
///
/// [BIP 340]: https://github.com/bitcoin/bips/blob/master/bip-0340.mediawiki
#[derive(Clone)]
pub struct TaggedHash(sha256::HashEngine);

impl TaggedHash {
    /// Creates a hash with this tag and no input.
    #[must_use]
    pub fn new(tag: &[u8]) -> Self {
        let tag = sha256::Hash::hash(tag);
        let mut engine = sha256::Hash::engine();
        engine.input(tag.as_byte_array());
        engine.input(tag.as_byte_array());
        Self(engine)
    }

    /// Appends to the input.
    pub fn input(&mut self, bytes: &[u8]) {
        self.0.input(bytes);
    }

    /// Appends to the input and returns the hash.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.input(bytes);
        self
    }

    /// Returns the hash.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        sha256::Hash::from_engine(self.0).to_byte_array()
    }
}

impl fmt::Debug for TaggedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaggedHash").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_s_hash_comes_first_and_twice() {
        let tag = sha256::Hash::hash(b"tag").to_byte_array();
        let expected = sha256::Hash::hash(&[&tag[..], &tag, b"input"].concat());
        assert_eq!(
            TaggedHash::new(b"tag").with(b"input").finish(),
            expected.to_byte_array()
        );
    }
}
