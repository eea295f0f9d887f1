//! Pass phrases: given, or made.

use core::fmt;

use secp256k1::rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

/// Fewest characters of a pass phrase that a person chose, for a new file.
pub const MIN_CHARACTERS: usize = 12;

/// 32 signs that nobody mistakes for one another (Crockford's base 32).
const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A made pass phrase has 7 groups of 4 signs with 5 bits each: 140 bits.
const GROUPS: usize = 7;
const GROUP: usize = 4;

/// A pass phrase. Zeroed when dropped, never shown by accident.
pub struct Passphrase(Zeroizing<String>);

/// A pass phrase that is too short for a new file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pass phrase for a new file needs at least {MIN_CHARACTERS} characters: take several words, or let one be made"
)]
pub struct WeakPassphrase;

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

impl Passphrase {
    /// A pass phrase to open a file with, whatever it is.
    #[must_use]
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// A pass phrase for a new file.
    ///
    /// # Errors
    /// If it is too short.
    pub fn for_new_file(text: Zeroizing<String>) -> Result<Self, WeakPassphrase> {
        if text.chars().count() < MIN_CHARACTERS {
            return Err(WeakPassphrase);
        }
        Ok(Self(text))
    }

    /// A new pass phrase of 140 random bits from the operating system, to be shown once: seven
    /// groups of four digits and small letters.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; GROUPS * GROUP]);
        OsRng.fill_bytes(&mut bytes[..]);
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
        for (place, byte) in bytes.iter().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            // 256 is a multiple of 32, so every sign is as likely.
            text.push(char::from(SIGNS[usize::from(byte % 32)]));
        }
        Self(text)
    }

    /// The text itself, to be shown once or written to a file.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// As the encryption wants it.
    pub(crate) fn to_age(&self) -> age::secrecy::SecretString {
        age::secrecy::SecretString::from(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn made_ones_have_140_bits_and_are_all_different() {
        let made: BTreeSet<String> = (0..200)
            .map(|_| Passphrase::generate().expose().to_owned())
            .collect();
        assert_eq!(made.len(), 200);
        let signs: BTreeSet<char> = made.iter().flat_map(|text| text.chars()).collect();
        assert_eq!(signs.len(), 33, "all 32 signs and the dash: {signs:?}");
        for text in made {
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 7]);
        }
        assert_eq!(SIGNS.iter().collect::<BTreeSet<_>>().len(), 32);
    }

    #[test]
    fn a_short_one_is_refused_for_a_new_file() {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        assert!(Passphrase::for_new_file(text("hunter2")).is_err());
        assert!(Passphrase::for_new_file(text("correct horse")).is_ok());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let passphrase = Passphrase::generate();
        assert!(!format!("{passphrase:?}").contains(&passphrase.expose()[..4]));
    }
}
