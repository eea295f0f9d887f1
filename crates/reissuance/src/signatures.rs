//! Signatures of a reissuance, and the complete transaction once there are enough.

use std::collections::BTreeMap;

use elements::{Script, Transaction, script::Builder};
use federation_multisig::PublicKey;
use secp256k1::{Message, SECP256K1, ecdsa};
use serde::{Deserialize, Serialize};

use crate::{ScriptKind, Unsigned};

/// SIGHASH_ALL, the last byte of each signature.
const SIGHASH_ALL: u8 = 1;

/// One key's signatures: one for each input of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialSignatures {
    /// The key.
    pub key: PublicKey,
    /// A signature for each input.
    pub signatures: Vec<ecdsa::Signature>,
}

/// Why signatures are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The key is not in the script.
    #[error("{0} is not a key of the script that holds the tokens")]
    ForeignKey(PublicKey),
    /// The number of signatures differs from the number of inputs.
    #[error("expected {expected} signatures, one per input, found {found}")]
    Count {
        /// The number of inputs.
        expected: usize,
        /// The number of signatures.
        found: usize,
    },
    /// A signature does not verify.
    #[error("the signature of {key} for input {input} is invalid")]
    Invalid {
        /// The key.
        key: PublicKey,
        /// The index of the input.
        input: usize,
    },
}

/// The signatures of one transaction collected so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    unsigned: Unsigned,
    digests: Vec<[u8; 32]>,
    /// By the index of the key in the script.
    found: BTreeMap<usize, Vec<ecdsa::Signature>>,
}

impl Collection {
    /// Creates an empty collection.
    #[must_use]
    pub fn new(unsigned: Unsigned) -> Self {
        Self {
            digests: unsigned.digests(),
            unsigned,
            found: BTreeMap::new(),
        }
    }

    /// Returns the transaction that is signed.
    #[must_use]
    pub const fn unsigned(&self) -> &Unsigned {
        &self.unsigned
    }

    /// Returns the number of keys that have signed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Adds one key's signatures, and returns whether they were new. High S is normalised: nodes
    /// relay only low S.
    ///
    /// # Errors
    /// If the key is not in the script, or a signature is invalid.
    pub fn add(&mut self, partial: &PartialSignatures) -> Result<bool, SignatureError> {
        let index = self
            .unsigned
            .tokens()
            .multisig()
            .position(&partial.key)
            .ok_or(SignatureError::ForeignKey(partial.key))?;
        if partial.signatures.len() != self.digests.len() {
            return Err(SignatureError::Count {
                expected: self.digests.len(),
                found: partial.signatures.len(),
            });
        }
        if self.found.contains_key(&index) {
            return Ok(false);
        }
        let mut checked = Vec::new();
        for (input, (signature, digest)) in partial.signatures.iter().zip(&self.digests).enumerate()
        {
            let mut signature = *signature;
            signature.normalize_s();
            SECP256K1
                .verify_ecdsa(&Message::from_digest(*digest), &signature, &partial.key)
                .map_err(|_| SignatureError::Invalid {
                    key: partial.key,
                    input,
                })?;
            checked.push(signature);
        }
        self.found.insert(index, checked);
        Ok(true)
    }

    /// Returns the complete transaction, once enough keys have signed.
    #[must_use]
    pub fn complete(&self) -> Option<Transaction> {
        let tokens = self.unsigned.tokens();
        let needed = usize::from(tokens.multisig().threshold().to_u8());
        if self.found.len() < needed {
            return None;
        }
        let script = tokens.witness_script();
        let mut transaction = self.unsigned.transaction().clone();
        for (index, input) in transaction.input.iter_mut().enumerate() {
            let signatures = self
                .found
                .values()
                .take(needed)
                .filter_map(|of_key| of_key.get(index))
                .map(|signature| {
                    let mut bytes = signature.serialize_der().to_vec();
                    bytes.push(SIGHASH_ALL);
                    bytes
                });
            match tokens.kind() {
                ScriptKind::P2sh => input.script_sig = script_sig(signatures, &script),
                ScriptKind::P2wsh => {
                    // CHECKMULTISIG pops one item too many.
                    let mut stack = vec![Vec::new()];
                    stack.extend(signatures);
                    stack.push(script.to_bytes());
                    input.witness.script_witness = elements::Witness::from(stack);
                }
            }
        }
        Some(transaction)
    }
}

fn script_sig(signatures: impl Iterator<Item = Vec<u8>>, script: &Script) -> Script {
    signatures
        .fold(Builder::new().push_int(0), |builder, signature| {
            builder.push_slice(&signature)
        })
        .push_slice(script.as_bytes())
        .into_script()
}
