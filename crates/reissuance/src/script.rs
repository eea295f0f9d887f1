//! The script that holds the reissuance tokens, and its outputs.

use elements::{
    Address, AddressParams, OutPoint, Script,
    secp256k1_zkp::{PublicKey, SECP256K1, SecretKey},
};
use federation_chain::{BlockHash, TaggedHash};
use federation_multisig::MultisigScript;
use serde::{Deserialize, Serialize};

/// The form of output for the M-of-N script of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScriptKind {
    /// Pay to script hash (BIP 16), the only form on Ocean.
    P2sh,
    /// Pay to witness script hash (BIP 141).
    #[default]
    P2wsh,
}

/// The M-of-N script that holds an asset's reissuance tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenScript {
    script: MultisigScript,
    kind: ScriptKind,
}

/// A script that is too long for its form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a script of {0} bytes exceeds the limit of 520 for pay-to-script-hash: use p2wsh, or at most 15 keys"
)]
pub struct ScriptTooLong(usize);

impl TokenScript {
    /// Creates a token script in one of the two forms.
    ///
    /// # Errors
    /// If it is too long for pay-to-script-hash.
    pub fn new(script: MultisigScript, kind: ScriptKind) -> Result<Self, ScriptTooLong> {
        let length = script.as_bytes().len();
        if kind == ScriptKind::P2sh && length > 520 {
            return Err(ScriptTooLong(length));
        }
        Ok(Self { script, kind })
    }

    /// Returns the M-of-N script.
    #[must_use]
    pub const fn multisig(&self) -> &MultisigScript {
        &self.script
    }

    /// Returns the form of output.
    #[must_use]
    pub const fn kind(&self) -> ScriptKind {
        self.kind
    }

    /// Returns the M-of-N script as a type of the transaction crate.
    #[must_use]
    pub fn witness_script(&self) -> Script {
        Script::from(self.script.as_bytes().to_vec())
    }

    /// Returns the script of an output that pays to it.
    #[must_use]
    pub fn script_pubkey(&self) -> Script {
        let script = self.witness_script();
        match self.kind {
            ScriptKind::P2sh => script.to_p2sh(),
            ScriptKind::P2wsh => script.to_v0_p2wsh(),
        }
    }

    /// Returns the address for reissuance tokens on an Elements chain: blinded to the public
    /// blinding key.
    #[must_use]
    pub fn confidential_address(
        &self,
        genesis: BlockHash,
        params: &'static AddressParams,
    ) -> Address {
        let blinder = Some(self.blinding_public_key(genesis));
        let script = self.witness_script();
        match self.kind {
            ScriptKind::P2sh => Address::p2sh(&script, blinder, params),
            ScriptKind::P2wsh => Address::p2wsh(&script, blinder, params),
        }
    }

    /// Returns the address for fee coins on an Elements chain: not blinded, so that the ledger can
    /// read the amounts.
    #[must_use]
    pub fn explicit_address(&self, params: &'static AddressParams) -> Address {
        let script = self.witness_script();
        match self.kind {
            ScriptKind::P2sh => Address::p2sh(&script, None, params),
            ScriptKind::P2wsh => Address::p2wsh(&script, None, params),
        }
    }

    /// Returns the key to which outputs of the script are blinded on this chain. It is public:
    /// anyone can compute it, so that every operator and auditor can read the tokens.
    #[must_use]
    pub fn blinding_key(&self, genesis: BlockHash) -> SecretKey {
        let script = self.script_pubkey();
        derived(b"blinding", &[genesis.as_bytes(), script.as_bytes()])
    }

    /// Returns the public half of [`blinding_key`](Self::blinding_key), for a confidential address.
    #[must_use]
    pub fn blinding_public_key(&self, genesis: BlockHash) -> PublicKey {
        self.blinding_key(genesis).public_key(SECP256K1)
    }
}

/// Derives a scalar from public data: SHA-256 of a tag, the data and a counter, which increases
/// until the result is in range.
pub(crate) fn derived(what: &[u8], data: &[&[u8]]) -> SecretKey {
    let mut hash = TaggedHash::new(&[b"federation/reissuance/v1/".as_slice(), what].concat());
    data.iter().for_each(|bytes| hash.input(bytes));
    let mut counter = 0u64;
    loop {
        let bytes = hash.clone().with(&counter.to_le_bytes()).finish();
        match SecretKey::from_slice(&bytes) {
            Ok(key) => return key,
            // With a probability of 2^-128.
            Err(_) => counter += 1,
        }
    }
}

/// Returns the serialised outpoint.
pub(crate) fn outpoint_bytes(outpoint: OutPoint) -> [u8; 36] {
    let mut bytes = [0; 36];
    bytes[..32].copy_from_slice(outpoint.txid.as_ref());
    bytes[32..].copy_from_slice(&outpoint.vout.to_le_bytes());
    bytes
}
