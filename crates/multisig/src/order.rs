//! The order of keys in a script.

use secp256k1::PublicKey;

/// How keys are ordered when a script is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOrder {
    /// As the caller gave them.
    AsGiven,
    /// By their compressed encoding, [BIP 67](https://github.com/bitcoin/bips/blob/master/bip-0067.mediawiki).
    Lexicographic,
}

impl KeyOrder {
    /// Puts the keys into this order.
    #[must_use]
    pub fn apply(self, mut keys: Vec<PublicKey>) -> Vec<PublicKey> {
        if self == Self::Lexicographic {
            keys.sort_unstable_by_key(PublicKey::serialize);
        }
        keys
    }
}
