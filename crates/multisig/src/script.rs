//! Building and parsing `M <key>.. N OP_CHECKMULTISIG`.

use core::fmt;

use hex_conservative::{DisplayHex, FromHex};
use secp256k1::PublicKey;

use crate::{KeyOrder, Threshold, ThresholdError};

/// The most keys that CHECKMULTISIG takes (`MAX_PUBKEYS_PER_MULTISIG` in `script.h`).
pub const MAX_KEYS: usize = 20;

const OP_CHECKMULTISIG: u8 = 0xae;
const OP_1: u8 = 0x51;
const KEY_LEN: usize = 33;

/// A multisig script: 1 <= M <= N <= 20, keys compressed and distinct.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MultisigScript {
    threshold: Threshold,
    keys: Vec<PublicKey>,
    bytes: Vec<u8>,
}

/// The error for keys and a threshold that cannot make a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// No key at all.
    #[error("a multisig script needs at least one key")]
    NoKeys,
    /// More keys than CHECKMULTISIG takes.
    #[error("{0} keys are too many: CHECKMULTISIG takes at most {MAX_KEYS}")]
    TooManyKeys(usize),
    /// A threshold that can never be reached.
    #[error("threshold {threshold} is above the number of keys, {keys}")]
    ThresholdAboveKeys {
        /// M.
        threshold: u8,
        /// N.
        keys: usize,
    },
    /// A duplicate key.
    #[error("duplicate key {key} at positions {first} and {second}, counted from 0")]
    DuplicateKey {
        /// The key.
        key: Box<PublicKey>,
        /// Its first position.
        first: usize,
        /// Its second position.
        second: usize,
    },
}

/// The error for bytes that are not a multisig script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseScriptError {
    /// Text that is not hex.
    #[error("the script is not valid hex: {0}")]
    Hex(String),
    /// The script is incomplete.
    #[error("the script ends early, at byte {0}")]
    Truncated(usize),
    /// A number that is not encoded as the script interpreter demands.
    #[error("byte {at} is {byte:#04x}, expected a number from 1 to {MAX_KEYS}")]
    Number {
        /// Its offset.
        at: usize,
        /// The byte found there.
        byte: u8,
    },
    /// A push that is not a compressed public key.
    #[error("the push at byte {0} is not a compressed public key")]
    Key(usize),
    /// The number of keys differs from the number that the script declares.
    #[error("the script declares {declared} keys and has {found}")]
    KeyCount {
        /// The declared number.
        declared: u8,
        /// The actual number.
        found: usize,
    },
    /// The script does not end with CHECKMULTISIG.
    #[error("the script does not end with OP_CHECKMULTISIG (0xae)")]
    NoCheckMultisig,
    /// The parts do not make a script.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl MultisigScript {
    /// Creates a script of these keys in this order.
    ///
    /// # Errors
    /// If there are no keys or more than 20, a duplicate key, or a threshold above the number of
    /// keys.
    pub fn new(
        threshold: Threshold,
        keys: Vec<PublicKey>,
        order: KeyOrder,
    ) -> Result<Self, ScriptError> {
        if keys.is_empty() {
            return Err(ScriptError::NoKeys);
        }
        if keys.len() > MAX_KEYS {
            return Err(ScriptError::TooManyKeys(keys.len()));
        }
        if threshold.to_usize() > keys.len() {
            return Err(ScriptError::ThresholdAboveKeys {
                threshold: threshold.to_u8(),
                keys: keys.len(),
            });
        }
        for (second, key) in keys.iter().enumerate() {
            if let Some(first) = keys[..second].iter().position(|other| other == key) {
                return Err(ScriptError::DuplicateKey {
                    key: Box::new(*key),
                    first,
                    second,
                });
            }
        }
        let keys = order.apply(keys);
        let mut bytes = Vec::with_capacity(4 + keys.len() * (KEY_LEN + 1) + 1);
        push_number(&mut bytes, threshold.to_u8());
        for key in &keys {
            bytes.push(KEY_LEN as u8);
            bytes.extend_from_slice(&key.serialize());
        }
        push_number(&mut bytes, u8::try_from(keys.len()).unwrap_or(u8::MAX));
        bytes.push(OP_CHECKMULTISIG);
        Ok(Self {
            threshold,
            keys,
            bytes,
        })
    }

    /// Parses a script, accepting exactly what [`Self::new`] builds.
    ///
    /// # Errors
    /// If the bytes are anything else than a multisig script of distinct compressed keys.
    pub fn from_bytes(script: &[u8]) -> Result<Self, ParseScriptError> {
        let (threshold, mut at) = read_number(script, 0)?;
        let mut keys = Vec::new();
        while script.get(at) == Some(&(KEY_LEN as u8)) {
            let push = script
                .get(at + 1..at + 1 + KEY_LEN)
                .ok_or(ParseScriptError::Truncated(script.len()))?;
            if keys.len() == MAX_KEYS {
                return Err(ScriptError::TooManyKeys(MAX_KEYS + 1).into());
            }
            keys.push(PublicKey::from_slice(push).map_err(|_| ParseScriptError::Key(at))?);
            at += 1 + KEY_LEN;
        }
        let (declared, at) = read_number(script, at)?;
        if usize::from(declared) != keys.len() {
            return Err(ParseScriptError::KeyCount {
                declared,
                found: keys.len(),
            });
        }
        if script.get(at..) != Some(&[OP_CHECKMULTISIG]) {
            return Err(ParseScriptError::NoCheckMultisig);
        }
        let threshold =
            Threshold::new(threshold).map_err(|ThresholdError(_)| ParseScriptError::Number {
                at: 0,
                byte: threshold,
            })?;
        Ok(Self::new(threshold, keys, KeyOrder::AsGiven)?)
    }

    /// Parses a script in hex.
    ///
    /// # Errors
    /// If the text is not hex, or the bytes are not a multisig script.
    pub fn from_hex(hex: &str) -> Result<Self, ParseScriptError> {
        let bytes = Vec::<u8>::from_hex(hex).map_err(|e| ParseScriptError::Hex(e.to_string()))?;
        Self::from_bytes(&bytes)
    }

    /// Returns M, the number of signatures that the script demands.
    #[must_use]
    pub const fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Returns the N keys, in the order of the script.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Returns the position of a key in the script, counted from 0.
    #[must_use]
    pub fn position(&self, key: &PublicKey) -> Option<usize> {
        self.keys.iter().position(|other| other == key)
    }

    /// Returns whether the keys are in the order of BIP 67.
    #[must_use]
    pub fn is_lexicographic(&self) -> bool {
        self.keys.is_sorted_by_key(PublicKey::serialize)
    }

    /// Returns the script's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the script's bytes in hex, as `signblockscript` takes them.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.bytes.to_lower_hex_string()
    }
}

impl fmt::Debug for MultisigScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "MultisigScript({}-of-{}, {})",
            self.threshold,
            self.keys.len(),
            self.to_hex()
        )
    }
}

/// Pushes a number: an opcode up to 16, and one byte above (`CScript << int64_t`).
fn push_number(bytes: &mut Vec<u8>, number: u8) {
    if number <= 16 {
        bytes.push(OP_1 + number - 1);
    } else {
        bytes.extend_from_slice(&[1, number]);
    }
}

/// Reads the number at an offset, and returns it with the offset after it. Only the minimal
/// encoding is accepted.
fn read_number(script: &[u8], at: usize) -> Result<(u8, usize), ParseScriptError> {
    let byte = *script.get(at).ok_or(ParseScriptError::Truncated(at))?;
    match byte {
        OP_1..=0x60 => Ok((byte - OP_1 + 1, at + 1)),
        1 => match script.get(at + 1) {
            Some(&number @ 17..=20) => Ok((number, at + 2)),
            Some(&byte) => Err(ParseScriptError::Number { at: at + 1, byte }),
            None => Err(ParseScriptError::Truncated(at + 1)),
        },
        byte => Err(ParseScriptError::Number { at, byte }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn keys(n: usize) -> Vec<PublicKey> {
        (1..=n)
            .map(|i| {
                let mut secret = [0; 32];
                secret[31] = u8::try_from(i).expect("small");
                secp256k1::SecretKey::from_slice(&secret)
                    .expect("a small number is a secret key")
                    .public_key(secp256k1::SECP256K1)
            })
            .collect()
    }

    fn script(m: u8, n: usize) -> MultisigScript {
        MultisigScript::new(
            Threshold::new(m).expect("in range"),
            keys(n),
            KeyOrder::AsGiven,
        )
        .expect("a script")
    }

    #[test]
    fn numbers_up_to_16_are_opcodes_and_pushes_above() {
        let sixteen = script(16, 16);
        assert_eq!(sixteen.as_bytes()[0], 0x60);
        assert_eq!(
            sixteen.as_bytes()[sixteen.as_bytes().len() - 2..],
            [0x60, 0xae]
        );
        let seventeen = script(17, 20);
        assert_eq!(seventeen.as_bytes()[..2], [1, 17]);
        assert_eq!(
            seventeen.as_bytes()[seventeen.as_bytes().len() - 3..],
            [1, 20, 0xae]
        );
    }

    #[test]
    fn every_m_of_n_parses_back() {
        for n in 1..=MAX_KEYS {
            for m in 1..=n {
                let script = script(u8::try_from(m).expect("small"), n);
                assert_eq!(MultisigScript::from_bytes(script.as_bytes()), Ok(script));
            }
        }
    }

    #[test]
    fn rejects_invalid_keys_and_thresholds() {
        let threshold = Threshold::new(2).expect("in range");
        let new = |keys| MultisigScript::new(threshold, keys, KeyOrder::AsGiven);
        assert_eq!(new(vec![]), Err(ScriptError::NoKeys));
        assert_eq!(
            new(keys(1)),
            Err(ScriptError::ThresholdAboveKeys {
                threshold: 2,
                keys: 1
            })
        );
        assert_eq!(new(keys(21)), Err(ScriptError::TooManyKeys(21)));
        let twice = [keys(3), keys(1)].concat();
        assert!(matches!(
            new(twice),
            Err(ScriptError::DuplicateKey {
                first: 0,
                second: 3,
                ..
            })
        ));
        assert!(Threshold::new(0).is_err());
        assert!(Threshold::new(21).is_err());
    }

    #[test]
    fn rejects_numbers_that_are_not_minimal() {
        let mut bytes = script(2, 3).as_bytes().to_vec();
        bytes.splice(0..1, [1, 2]);
        assert_eq!(
            MultisigScript::from_bytes(&bytes),
            Err(ParseScriptError::Number { at: 1, byte: 2 })
        );
    }

    #[test]
    fn lexicographic_order_follows_bip_67() {
        // The first two test vectors of BIP 67.
        let list = |keys: &[&str]| -> Vec<PublicKey> {
            keys.iter().map(|k| k.parse().expect("a key")).collect()
        };
        let given = list(&[
            "02ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f8",
            "02fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f",
        ]);
        let script = MultisigScript::new(
            Threshold::new(2).expect("2"),
            given,
            KeyOrder::Lexicographic,
        )
        .expect("a script");
        assert!(script.is_lexicographic());
        assert_eq!(
            script.to_hex(),
            "522102fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f2102ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f852ae"
        );
        let given = list(&[
            "02632b12f4ac5b1d1b72b2a3b508c19172de44f6f46bcee50ba33f3f9291e47ed0",
            "027735a29bae7780a9755fae7a1c4374c656ac6a69ea9f3697fda61bb99a4f3e77",
            "02e2cc6bd5f45edd43bebe7cb9b675f0ce9ed3efe613b177588290ad188d11b404",
        ]);
        let as_given = MultisigScript::new(
            Threshold::new(2).expect("2"),
            given.iter().rev().copied().collect(),
            KeyOrder::AsGiven,
        )
        .expect("a script");
        assert!(!as_given.is_lexicographic());
        assert_eq!(as_given.position(&given[0]), Some(2));
    }

    #[test]
    fn the_scripts_of_recorded_chains_parse() {
        for name in ["elements-dynafed", "elements-legacy", "ocean"] {
            let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let json: serde_json::Value =
                serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors"))
                    .expect("json");
            let hex = json["signblockscript"].as_str().expect("a script");
            let script = MultisigScript::from_hex(hex).expect("a multisig script");
            assert_eq!(script.to_hex(), hex);
            assert_eq!(
                u64::from(script.threshold().to_u8()),
                json["threshold"].as_u64().expect("a number")
            );
        }
    }

    proptest! {
        #[test]
        fn garbage_is_an_error_or_parses_to_itself(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(script) = MultisigScript::from_bytes(&bytes) {
                prop_assert_eq!(script.as_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn a_changed_byte_is_an_error_or_another_script(
            m in 1u8..=20, n in 1usize..=20, at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            prop_assume!(usize::from(m) <= n);
            let script = script(m, n);
            let mut bytes = script.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(other) = MultisigScript::from_bytes(&bytes) {
                prop_assert_ne!(&other, &script);
                prop_assert_eq!(other.as_bytes(), &bytes[..]);
            }
        }
    }
}
