//! Secret keys in wallet import format, compressed.

use bitcoin::base58;
use secp256k1::SecretKey;
use zeroize::{Zeroize, Zeroizing};

use crate::Network;

/// The error for text that is not a secret key of this chain. The text itself is never shown: it
/// may be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WifError {
    /// Not base58, or a wrong checksum.
    #[error("not base58 with a valid checksum: a character is wrong or missing")]
    Base58,
    /// A key of another chain.
    #[error("the key's prefix is {found}, expected {expected}: the key belongs to another chain")]
    Prefix {
        /// This chain's prefix.
        expected: u8,
        /// The key's prefix.
        found: u8,
    },
    /// A key for uncompressed public keys, or of a wrong length.
    #[error("the key is not marked as compressed, or has a wrong length")]
    Form,
    /// A number outside the range of secret keys.
    #[error("the number is out of range for a secret key of secp256k1")]
    Key,
}

/// Encodes a secret key as WIF, marked as compressed.
#[must_use]
pub fn encode_wif(secret: &SecretKey, network: &Network) -> Zeroizing<String> {
    let mut payload = Zeroizing::new([0; 34]);
    payload[0] = network.wif;
    payload[1..33].copy_from_slice(&secret.secret_bytes());
    payload[33] = 1;
    Zeroizing::new(base58::encode_check(&payload[..]))
}

/// Decodes a secret key from WIF.
///
/// # Errors
/// If the text is not WIF, belongs to another chain, or is not marked as compressed.
pub fn decode_wif(text: &str, network: &Network) -> Result<SecretKey, WifError> {
    let mut payload = base58::decode_check(text).map_err(|_| WifError::Base58)?;
    let secret = parse_payload(&payload, network);
    payload.zeroize();
    secret
}

fn parse_payload(payload: &[u8], network: &Network) -> Result<SecretKey, WifError> {
    let [prefix, secret @ .., 1] = payload else {
        return Err(WifError::Form);
    };
    if *prefix != network.wif {
        return Err(WifError::Prefix {
            expected: network.wif,
            found: *prefix,
        });
    }
    if secret.len() != 32 {
        return Err(WifError::Form);
    }
    SecretKey::from_slice(secret).map_err(|_| WifError::Key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn recorded_keys_encode_and_decode() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/elements-dynafed.json"
        );
        let text = std::fs::read_to_string(path).expect("the vectors");
        let json: serde_json::Value = serde_json::from_str(&text).expect("json");
        let list = |name: &str| json[name].as_array().expect("a list").clone();
        for (hex, wif) in list("secret_keys_hex").iter().zip(list("wif_prefix_239")) {
            let secret: SecretKey = hex.as_str().expect("hex").parse().expect("a key");
            let wif = wif.as_str().expect("wif");
            assert_eq!(*encode_wif(&secret, &Network::ELEMENTS_CUSTOM), wif);
            assert_eq!(decode_wif(wif, &Network::ELEMENTS_CUSTOM), Ok(secret));
            assert_eq!(
                decode_wif(wif, &Network::OCEAN),
                Err(WifError::Prefix {
                    expected: 180,
                    found: 239
                })
            );
        }
    }

    proptest! {
        #[test]
        fn wif_parses_back(bytes in prop::array::uniform32(1u8..), prefix in any::<u8>()) {
            prop_assume!(SecretKey::from_slice(&bytes).is_ok());
            let secret = SecretKey::from_slice(&bytes).expect("assumed");
            let network = Network::base58(0, 5, prefix);
            prop_assert_eq!(decode_wif(&encode_wif(&secret, &network), &network), Ok(secret));
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,60}") {
            prop_assert!(decode_wif(&text, &Network::LIQUID).is_err());
        }
    }
}
