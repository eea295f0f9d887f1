//! Whether a transaction is valid: it spends what exists, once, and creates nothing but what it
//! issues.

use std::collections::{BTreeMap, BTreeSet};

use elements::{
    AssetId, OutPoint, Transaction, TxIn, TxOut,
    confidential::{Asset, Value},
};

use crate::{error::Invalid, script};

/// Sums by asset; large enough for any number of outputs.
type Sums = BTreeMap<AssetId, u128>;

/// Checks a transaction against the outputs that exist.
pub(crate) fn check(
    transaction: &Transaction,
    find: impl Fn(&OutPoint) -> Option<TxOut>,
) -> Result<(), Invalid> {
    if transaction.input.is_empty() || transaction.output.is_empty() {
        return Err(Invalid::Empty);
    }
    let mut spent = BTreeSet::new();
    let mut sums = Sums::new();
    let mut assets_in = BTreeSet::new();
    for (index, input) in transaction.input.iter().enumerate() {
        let outpoint = input.previous_output;
        if input.is_pegin || !spent.insert(outpoint) {
            return Err(Invalid::DuplicateInput);
        }
        let output = find(&outpoint).ok_or(Invalid::MissingInput(outpoint))?;
        script::verify(transaction, index, &output)?;
        let (asset, amount) = explicit(&output)?;
        *sums.entry(asset).or_default() += u128::from(amount);
        assets_in.insert(asset);
    }
    for input in transaction
        .input
        .iter()
        .filter(|input| input.has_issuance())
    {
        for (asset, amount) in issued(input, &assets_in)? {
            *sums.entry(asset).or_default() += u128::from(amount);
        }
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

/// What an input issues, and of which asset.
fn issued(input: &TxIn, assets_in: &BTreeSet<AssetId>) -> Result<Vec<(AssetId, u64)>, Invalid> {
    let issuance = &input.asset_issuance;
    let amount = |value: &Value| match value {
        Value::Null => Ok(0),
        Value::Explicit(amount) => Ok(*amount),
        Value::Confidential(_) => Err(Invalid::Confidential),
    };
    let (asset, token) = input.issuance_ids();
    let made = amount(&issuance.amount)?;
    let tokens = amount(&issuance.inflation_keys)?;
    if issuance.asset_blinding_nonce.is_null() {
        return Ok(vec![(asset, made), (token, tokens)]);
    }
    // A reissuance: the token must be among what is spent, and no new ones are made.
    if !assets_in.contains(&token) {
        return Err(Invalid::Issuance("the reissuance token is not spent"));
    }
    if tokens != 0 {
        return Err(Invalid::Issuance("a reissuance makes no tokens"));
    }
    Ok(vec![(asset, made)])
}

/// Asset and amount of an output that shows both.
pub(crate) fn explicit(output: &TxOut) -> Result<(AssetId, u64), Invalid> {
    match (&output.asset, &output.value) {
        (Asset::Explicit(asset), Value::Explicit(amount)) => Ok((*asset, *amount)),
        _ => Err(Invalid::Confidential),
    }
}

/// Whether an output can ever be spent: not a fee, not data.
pub(crate) fn is_spendable(output: &TxOut) -> bool {
    !output.is_fee() && !output.script_pubkey.is_op_return()
}
