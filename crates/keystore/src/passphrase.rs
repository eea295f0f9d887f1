//! Pass phrases: chosen or generated.

use core::fmt;

use secp256k1::rand::{RngCore, rngs::OsRng};
use zeroize::Zeroizing;

/// The minimum length in characters of a chosen pass phrase for a new file.
pub const MIN_CHARACTERS: usize = 12;

/// 32 characters that are not easily confused (Crockford's base 32).
const CHARACTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A generated pass phrase has 7 groups of 4 characters of 5 bits each: 140 bits.
const GROUPS: usize = 7;
const GROUP: usize = 4;

/// A pass phrase. It is zeroed when dropped, and redacted in debug output.
pub struct Passphrase(Zeroizing<String>);

/// A pass phrase that is too short for a new file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pass phrase for a new file needs at least {MIN_CHARACTERS} characters: use several words, or generate one"
)]
pub struct WeakPassphrase;

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

impl Passphrase {
    /// Creates a pass phrase for opening a file; its strength is not checked.
    #[must_use]
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Creates a pass phrase for a new file.
    ///
    /// # Errors
    /// If it is too short.
    pub fn for_new_file(text: Zeroizing<String>) -> Result<Self, WeakPassphrase> {
        if text.chars().count() < MIN_CHARACTERS {
            return Err(WeakPassphrase);
        }
        Ok(Self(text))
    }

    /// Generates a pass phrase of 140 random bits from the operating system, to be shown once: seven
    /// groups of four digits and lower-case letters.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; GROUPS * GROUP]);
        OsRng.fill_bytes(&mut bytes[..]);
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            // 256 is a multiple of 32, so all characters are equally likely.
            text.push(char::from(CHARACTERS[usize::from(byte % 32)]));
        }
        Self(text)
    }

    /// Returns the text, to be shown once or written to a file.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Converts it for `age`.
    pub(crate) fn to_age(&self) -> age::secrecy::SecretString {
        age::secrecy::SecretString::from(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn generated_pass_phrases_have_140_bits_and_differ() {
        let generated: BTreeSet<String> = (0..200)
            .map(|_| Passphrase::generate().expose().to_owned())
            .collect();
        assert_eq!(generated.len(), 200);
        let used: BTreeSet<char> = generated.iter().flat_map(|text| text.chars()).collect();
        assert_eq!(used.len(), 33, "all 32 characters and the dash: {used:?}");
        for text in generated {
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 7]);
        }
        assert_eq!(CHARACTERS.iter().collect::<BTreeSet<_>>().len(), 32);
    }

    #[test]
    fn a_short_pass_phrase_is_refused_for_a_new_file() {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        assert!(Passphrase::for_new_file(text("hunter2")).is_err());
        assert!(Passphrase::for_new_file(text("correct horse")).is_ok());
    }

    #[test]
    fn debug_output_is_redacted() {
        let passphrase = Passphrase::generate();
        assert!(!format!("{passphrase:?}").contains(&passphrase.expose()[..4]));
    }
}
