//! The unsigned transaction of a plan.
//!
//! Inputs: the tokens, with the reissuance, then the coins for the fee. Outputs: the issued amount,
//! to the destination; the tokens, back to their script; the change of the coins, back to the same
//! script; the fee. The transaction is locked until the plan's point, so that it records its point.
//! Everything follows from the plan, so all operators build the same transaction, byte for byte.

use elements::{
    AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxOut, TxOutSecrets,
    confidential::{Asset, Nonce, Value},
    issuance::{AssetBlindingNonce, AssetEntropy},
    secp256k1_zkp::SECP256K1,
    sighash::SighashCache,
};
use federation_chain::legacy_sighash;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{
    Chain, Opening, Plan, ScriptKind, TokenForm, TokenScript,
    opening::{ephemeral, seed},
};

/// The marker of a reissuance with explicit tokens on Ocean
/// (`CAssetIssuance::UNBLINDED_REISSUANCE_NONCE`).
const EXPLICIT_NONCE: [u8; 32] = [0xff; 32];

/// Why a plan does not make a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The point exceeds the range of lock times.
    #[error("a transaction cannot be locked until height {0}")]
    LockTime(u32),
    /// The blinding factors of the plan's opening are out of range.
    #[error("the blinding factors given for {0} are out of range")]
    Opening(OutPoint),
    /// The tokens cannot be blinded.
    #[error("the reissuance tokens cannot be blinded: {0}")]
    Blinding(String),
}

/// The unsigned transaction of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    transaction: Transaction,
    tokens: TokenScript,
    /// The values of the outputs spent, in satoshi or as commitments.
    values: Vec<Value>,
}

impl Plan {
    /// Builds the transaction of this plan.
    ///
    /// # Errors
    /// If it cannot be built: no ledger made this plan.
    pub fn unsigned(&self, chain: &Chain, tokens: &TokenScript) -> Result<Unsigned, BuildError> {
        let height = self.point.height().to_u32();
        let lock_time = LockTime::from_height(height).map_err(|_| BuildError::LockTime(height))?;
        let nonce = match chain.tokens {
            TokenForm::Blinded => *self.opening.asset_factor(),
            TokenForm::Explicit => EXPLICIT_NONCE,
        };
        let issuance = AssetIssuance {
            asset_blinding_nonce: AssetBlindingNonce::from_byte_array(nonce),
            asset_entropy: AssetEntropy::from_byte_array(self.entropy),
            amount: Value::Explicit(self.amount),
            inflation_keys: Value::Null,
        };
        let mut input = vec![input(self.tokens, issuance)];
        let back = self.tokens_back(chain, tokens)?;
        let mut values = vec![self.value_of_tokens(chain)?];
        let script = tokens.script_pubkey();
        let mut output = vec![
            explicit(self.asset, self.amount, self.destination.clone()),
            back,
        ];
        if let Some(fee) = &self.fee {
            for (coin, value) in &fee.coins {
                input.push(self::input(*coin, AssetIssuance::null()));
                values.push(Value::Explicit(*value));
            }
            if fee.change() > 0 {
                output.push(explicit(fee.asset, fee.change(), script));
            }
            output.push(TxOut::new_fee(fee.amount, fee.asset));
        }
        let transaction = Transaction {
            version: 2,
            lock_time,
            input,
            output,
        };
        Ok(Unsigned {
            transaction,
            tokens: tokens.clone(),
            values,
        })
    }

    fn secrets(&self) -> Result<TxOutSecrets, BuildError> {
        self.opening
            .secrets(self.token)
            .ok_or(BuildError::Opening(self.tokens))
    }

    /// Returns the value of the token output, as it is on the chain.
    fn value_of_tokens(&self, chain: &Chain) -> Result<Value, BuildError> {
        match chain.tokens {
            TokenForm::Explicit => Ok(Value::Explicit(self.opening.value())),
            TokenForm::Blinded => {
                let secrets = self.secrets()?;
                let asset = Asset::new_confidential(SECP256K1, self.token, secrets.asset_bf);
                let generator = asset.commitment().ok_or(BuildError::Opening(self.tokens))?;
                let value =
                    Value::new_confidential(SECP256K1, secrets.value, generator, secrets.value_bf);
                Ok(value)
            }
        }
    }

    fn tokens_back(&self, chain: &Chain, tokens: &TokenScript) -> Result<TxOut, BuildError> {
        let script = tokens.script_pubkey();
        let value = self.opening.value();
        if chain.tokens == TokenForm::Explicit {
            return Ok(explicit(self.token, value, script));
        }
        let none = TxOutSecrets::new(
            self.asset,
            elements::confidential::AssetBlindingFactor::zero(),
            self.amount,
            elements::confidential::ValueBlindingFactor::zero(),
        );
        let mut spent = vec![self.secrets()?, none];
        for (_, value) in self.fee.iter().flat_map(|fee| &fee.coins) {
            let asset = self.fee.as_ref().map_or(self.asset, |fee| fee.asset);
            spent.push(TxOutSecrets {
                asset,
                value: *value,
                ..none
            });
        }
        let successor = self
            .opening
            .successor(self.tokens, self.token)
            .ok_or(BuildError::Opening(self.tokens))?;
        blinded(self.tokens, &successor, self.token, tokens, chain, &spent)
    }
}

/// Returns a token output to the script, with blinding factors derived from the output spent.
pub(crate) fn blinded(
    spent: OutPoint,
    opening: &Opening,
    token: elements::AssetId,
    tokens: &TokenScript,
    chain: &Chain,
    inputs: &[TxOutSecrets],
) -> Result<TxOut, BuildError> {
    let secrets = opening.secrets(token).ok_or(BuildError::Opening(spent))?;
    TxOut::with_txout_secrets(
        &mut ChaCha20Rng::from_seed(seed(spent)),
        SECP256K1,
        tokens.script_pubkey(),
        tokens.blinding_public_key(chain.genesis),
        ephemeral(spent),
        secrets,
        inputs,
    )
    .map_err(|error| BuildError::Blinding(error.to_string()))
}

/// Returns an input that enables the lock time.
fn input(outpoint: OutPoint, asset_issuance: AssetIssuance) -> TxIn {
    TxIn {
        previous_output: outpoint,
        is_pegin: false,
        script_sig: Script::new(),
        sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
        asset_issuance,
        witness: elements::TxInWitness::empty(),
    }
}

pub(crate) fn explicit(asset: elements::AssetId, value: u64, script_pubkey: Script) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(value),
        nonce: Nonce::Null,
        script_pubkey,
        witness: elements::TxOutWitness::empty(),
    }
}

impl Unsigned {
    /// Returns the transaction without signatures. The signed one has the same id only if a witness
    /// script holds the tokens.
    #[must_use]
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Returns the script that holds the outputs spent.
    #[must_use]
    pub const fn tokens(&self) -> &TokenScript {
        &self.tokens
    }

    /// Identifies this transaction before it is signed: its id without signatures.
    #[must_use]
    pub fn id(&self) -> elements::Txid {
        self.transaction.txid()
    }

    /// Returns the signature hash of each input, with `SIGHASH_ALL`: 32 bytes in wire order.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; 32]> {
        let script = self.tokens.witness_script();
        let mut cache = SighashCache::new(&self.transaction);
        let all = elements::EcdsaSighashType::All;
        self.values
            .iter()
            .enumerate()
            .map(|(index, value)| match self.tokens.kind() {
                ScriptKind::P2sh => legacy_sighash(&self.transaction, index, &script),
                ScriptKind::P2wsh => cache
                    .segwitv0_sighash(index, &script, *value, all)
                    .to_byte_array(),
            })
            .collect()
    }
}
