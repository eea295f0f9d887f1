//! Validity of transactions: each spends only existing outputs, once, and creates only what it
//! issues.

use std::collections::{BTreeMap, BTreeSet};

use elements::{
    AssetId, OutPoint, Transaction, TxIn, TxOut,
    confidential::{Asset, AssetBlindingFactor, Value},
    secp256k1_zkp::SECP256K1,
};
use federation_chain::{BlockHeight, Dialect};

use crate::{error::Invalid, script};

/// Sums by asset; wide enough for any number of outputs.
type Sums = BTreeMap<AssetId, u128>;

/// The block that a transaction is meant for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockContext {
    pub(crate) dialect: Dialect,
    /// The block's height.
    pub(crate) height: BlockHeight,
}

/// Checks a transaction against the outputs that exist.
pub(crate) fn check(
    transaction: &Transaction,
    context: BlockContext,
    find: impl Fn(&OutPoint) -> Option<TxOut>,
) -> Result<(), Invalid> {
    if transaction.input.is_empty() || transaction.output.is_empty() {
        return Err(Invalid::Empty);
    }
    if !is_final(transaction, context.height) {
        return Err(Invalid::NotFinal);
    }
    let mut known = BTreeSet::new();
    let mut spent = Vec::new();
    for (index, input) in transaction.input.iter().enumerate() {
        let outpoint = input.previous_output;
        if input.is_pegin || !known.insert(outpoint) {
            return Err(Invalid::DuplicateInput);
        }
        let output = find(&outpoint).ok_or(Invalid::MissingInput(outpoint))?;
        script::verify(transaction, index, &output)?;
        if input.has_issuance() {
            check_issuance(input, &output, context.dialect)?;
        }
        spent.push(output);
    }
    let outputs = spent.iter().chain(&transaction.output);
    let is_explicit = outputs.map(explicit).all(|output| output.is_ok());
    match is_explicit {
        true => check_sums(transaction, &spent),
        false if context.dialect == Dialect::Ocean => Err(Invalid::Confidential),
        // Sums and proofs by the consensus rules of Elements.
        false => transaction
            .verify_tx_amt_proofs(SECP256K1, &spent)
            .map_err(|error| Invalid::Proofs(error.to_string())),
    }
}

/// Returns whether its lock time has passed (`IsFinalTx`); lock times that are not heights are not
/// checked.
fn is_final(transaction: &Transaction, height: BlockHeight) -> bool {
    let lock = transaction.lock_time;
    let is_past = !lock.is_block_height() || lock.to_consensus_u32() < height.to_u32();
    let mut inputs = transaction.input.iter();
    is_past || inputs.all(|input| input.sequence.is_final())
}

fn check_sums(transaction: &Transaction, spent: &[TxOut]) -> Result<(), Invalid> {
    let mut sums = Sums::new();
    for output in spent {
        let (asset, amount) = explicit(output)?;
        *sums.entry(asset).or_default() += u128::from(amount);
    }
    for input in transaction.input.iter().filter(|i| i.has_issuance()) {
        let (asset, token) = input.issuance_ids();
        *sums.entry(asset).or_default() += u128::from(shown(&input.asset_issuance.amount)?);
        *sums.entry(token).or_default() += u128::from(shown(&input.asset_issuance.inflation_keys)?);
    }
    let mut out = Sums::new();
    for output in &transaction.output {
        let (asset, amount) = explicit(output)?;
        *out.entry(asset).or_default() += u128::from(amount);
    }
    sums.retain(|_, amount| *amount > 0);
    out.retain(|_, amount| *amount > 0);
    if sums == out {
        Ok(())
    } else {
        Err(Invalid::Unbalanced)
    }
}

/// Returns the explicit amount of an issuance.
const fn shown(value: &Value) -> Result<u64, Invalid> {
    match value {
        Value::Null => Ok(0),
        Value::Explicit(amount) => Ok(*amount),
        Value::Confidential(_) => Err(Invalid::Confidential),
    }
}

/// The marker of a reissuance on Ocean (`CAssetIssuance::UNBLINDED_REISSUANCE_NONCE`).
pub(crate) const OCEAN_NONCE: [u8; 32] = [0xff; 32];

/// Checks an input with an issuance: a reissuance spends the token in the same input, blinded by
/// the nonce on Elements (`VerifyAmounts` in `confidential_validation.cpp`), explicit on Ocean.
fn check_issuance(input: &TxIn, spent: &TxOut, dialect: Dialect) -> Result<(), Invalid> {
    let issuance = &input.asset_issuance;
    shown(&issuance.amount)?;
    let tokens = shown(&issuance.inflation_keys)?;
    if issuance.asset_blinding_nonce.is_null() {
        return Ok(());
    }
    if tokens != 0 || !issuance.inflation_keys.is_null() {
        return Err(Invalid::Issuance("a reissuance must not create tokens"));
    }
    let (_, token) = input.issuance_ids();
    let nonce = *issuance.asset_blinding_nonce.as_byte_array();
    let wanted = match dialect {
        Dialect::Ocean if nonce == OCEAN_NONCE => Some(Asset::Explicit(token)),
        Dialect::Ocean => None,
        Dialect::Elements | Dialect::Dynafed => AssetBlindingFactor::from_byte_array(nonce)
            .ok()
            .map(|factor| Asset::new_confidential(SECP256K1, token, factor)),
    };
    if wanted == Some(spent.asset) {
        Ok(())
    } else {
        Err(Invalid::Issuance(
            "the input does not spend the reissuance token that its nonce blinds",
        ))
    }
}

/// Asset and amount of an explicit output.
pub(crate) fn explicit(output: &TxOut) -> Result<(AssetId, u64), Invalid> {
    match (&output.asset, &output.value) {
        (Asset::Explicit(asset), Value::Explicit(amount)) => Ok((*asset, *amount)),
        _ => Err(Invalid::Confidential),
    }
}

/// Returns whether an output can ever be spent: not a fee, not data.
pub(crate) fn is_spendable(output: &TxOut) -> bool {
    !output.is_fee() && !output.script_pubkey.is_op_return()
}
