//! A secret key in memory: zeroed when dropped, never displayed, never copied by accident.

use core::fmt;

use federation_multisig::{Network, WifError, decode_wif, encode_wif};
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::{Keypair, PublicKey, SECP256K1, SecretKey, XOnlyPublicKey, rand::rngs::OsRng};
use zeroize::Zeroizing;

/// Why a string or number is not a secret key. The input is never shown: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Not 64 hexadecimal digits.
    #[error("expected 64 hexadecimal digits")]
    Hex,
    /// Zero, or not below the order of the curve.
    #[error("the number is out of range for a secp256k1 secret key")]
    OutOfRange,
    /// Not a secret key in wallet import format of this chain.
    #[error(transparent)]
    Wif(#[from] WifError),
}

/// A secret key of secp256k1.
///
/// It is stored in one place on the heap, so that moving it leaves no copy behind, and is zeroed
/// when dropped. It is neither `Clone` nor `Serialize`, and its `Debug` output is redacted.
///
/// ```
/// use federation_signer::Secret;
///
/// let secret = Secret::from_hex(&"11".repeat(32)).expect("a key");
/// assert_eq!(format!("{secret:?}"), "Secret(redacted)");
/// ```
///
/// ```compile_fail,E0599
/// let copy = federation_signer::Secret::generate().clone();
/// ```
pub struct Secret(Box<Erased>);

/// Zeroes the key when the box is dropped; `SecretKey` itself does not.
struct Erased(SecretKey);

impl Drop for Erased {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Secret {
    /// Generates a key with the operating system's random number generator.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_secret_key(SecretKey::new(&mut OsRng))
    }

    /// Creates a key from its 32 bytes, most significant first. The caller zeroes its own copy.
    ///
    /// # Errors
    /// [`SecretError::OutOfRange`] for zero and for numbers not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SecretError> {
        SecretKey::from_slice(bytes)
            .map(Self::from_secret_key)
            .map_err(|_| SecretError::OutOfRange)
    }

    /// Parses 64 hexadecimal digits. The caller zeroes its own copy.
    ///
    /// # Errors
    /// If the string is malformed, or the number is not a key.
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        let bytes = <[u8; 32]>::from_hex(text).map_err(|_| SecretError::Hex)?;
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// Parses wallet import format. The caller zeroes its own copy.
    ///
    /// # Errors
    /// If the string is malformed or for another chain, or the number is not a key.
    pub fn from_wif(text: &str, network: &Network) -> Result<Self, SecretError> {
        Ok(Self::from_secret_key(decode_wif(text, network)?))
    }

    /// Wraps a key of the underlying library.
    #[must_use]
    pub fn from_secret_key(mut key: SecretKey) -> Self {
        let secret = Self(Box::new(Erased(key)));
        key.non_secure_erase();
        secret
    }

    /// Returns the key as 64 hexadecimal digits, for a key file.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.0.0.secret_bytes());
        Zeroizing::new(bytes.to_lower_hex_string())
    }

    /// Returns the key in wallet import format, for a node's wallet.
    #[must_use]
    pub fn to_wif(&self, network: &Network) -> Zeroizing<String> {
        encode_wif(&self.0.0, network)
    }

    /// Returns the public key, as used in scripts.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.0.0.public_key(SECP256K1)
    }

    /// Returns the public key, as used by BIP 340 and the roster.
    #[must_use]
    pub fn x_only_public_key(&self) -> XOnlyPublicKey {
        self.public_key().x_only_public_key().0
    }

    /// Returns the key itself, only for the signers of this crate.
    pub(crate) fn key(&self) -> &SecretKey {
        &self.0.0
    }

    pub(crate) fn keypair(&self) -> Keypair {
        self.0.0.keypair(SECP256K1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_keys_are_refused_and_not_shown() {
        let secret = |text: &str| Secret::from_hex(text).map(|_| ());
        assert_eq!(secret(""), Err(SecretError::Hex));
        assert_eq!(secret(&"1".repeat(63)), Err(SecretError::Hex));
        assert_eq!(secret(&"1".repeat(66)), Err(SecretError::Hex));
        assert_eq!(secret(&"0".repeat(64)), Err(SecretError::OutOfRange));
        assert_eq!(secret(&"f".repeat(64)), Err(SecretError::OutOfRange));
        let almost = format!("{}zz", "c0ffee11".repeat(8).split_at(62).0);
        let error = Secret::from_hex(&almost).map(|_| ()).expect_err("not hex");
        assert!(!format!("{error} {error:?}").contains("c0ffee11"));
    }

    #[test]
    fn a_key_of_another_chain_is_refused() {
        let wif = Secret::generate().to_wif(&Network::OCEAN);
        assert!(Secret::from_wif(&wif, &Network::OCEAN).is_ok());
        let error = Secret::from_wif(&wif, &Network::LIQUID).expect_err("another chain");
        assert!(matches!(
            error,
            SecretError::Wif(WifError::Prefix {
                expected: 128,
                found: 180
            })
        ));
    }

    proptest! {
        #[test]
        fn every_form_round_trips(bytes: [u8; 32]) {
            prop_assume!(SecretKey::from_slice(&bytes).is_ok());
            let secret = Secret::from_bytes(&bytes).expect("assumed");
            let from_hex = Secret::from_hex(&secret.to_hex()).expect("our own hex");
            let wif = secret.to_wif(&Network::LIQUID);
            let from_wif = Secret::from_wif(&wif, &Network::LIQUID).expect("our own WIF");
            prop_assert_eq!(secret.public_key(), from_hex.public_key());
            prop_assert_eq!(secret.public_key(), from_wif.public_key());
        }

        #[test]
        fn no_string_panics(text in "\\PC{0,80}") {
            let _ = Secret::from_hex(&text);
            let _ = Secret::from_wif(&text, &Network::LIQUID);
        }
    }
}
