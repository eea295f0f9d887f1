//! Reading a transaction's parts from untrusted bytes.

use elements::{AssetId, OutPoint, Txid};

use super::parts::{
    AssetView, InputView, InputWitnessView, Issuance, OutputView, OutputWitnessView, Stack,
    ValueView,
};
use crate::{DecodeError, Dialect, cursor::Cursor};

/// An input with this outpoint index carries an issuance (`OUTPOINT_ISSUANCE_FLAG`).
const ISSUANCE_FLAG: u32 = 1 << 31;
/// An input with this outpoint index claims a peg-in (`OUTPOINT_PEGIN_FLAG`).
const PEGIN_FLAG: u32 = 1 << 30;
/// An empty item or stack.
pub(super) const EMPTY: &[u8] = &[0];
/// A prefix that Ocean's nodes treat like 1, and that has no other meaning there.
const OCEAN_PREFIX: u8 = 0xff;
/// The prefix of explicit values and assets.
const EXPLICIT: u8 = 1;

/// An input's record in the witness.
pub(super) struct InputRecord<'a> {
    /// Amount proof, token proof, script witness and peg-in witness, with their lengths.
    pub(super) parts: [&'a [u8]; 4],
    pub(super) witness: InputWitnessView<'a>,
}

/// An output's record in the witness.
pub(super) struct OutputRecord<'a> {
    /// Surjection proof and range proof, with their lengths.
    pub(super) parts: [&'a [u8]; 2],
    pub(super) witness: OutputWitnessView<'a>,
}

/// Reads an input without its witness.
pub(super) fn read_input<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
) -> Result<InputView<'a>, DecodeError> {
    let at = cursor.at();
    let txid = Txid::from_byte_array(cursor.array()?);
    let index = cursor.u32()?;
    let script_sig = cursor.var_bytes()?;
    let sequence = cursor.u32()?;
    // The index of an input that spends nothing has all bits set, and no flags.
    let flags = if index == u32::MAX { 0 } else { index };
    let issuance = if flags & ISSUANCE_FLAG == 0 {
        None
    } else {
        Some(read_issuance(cursor, dialect, at)?)
    };
    let vout = match index {
        u32::MAX => index,
        flagged => flagged & !(ISSUANCE_FLAG | PEGIN_FLAG),
    };
    Ok(InputView {
        outpoint: OutPoint { txid, vout },
        is_pegin: flags & PEGIN_FLAG != 0,
        script_sig,
        sequence,
        issuance,
        witness: InputWitnessView::EMPTY,
    })
}

fn read_issuance<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
    input_at: usize,
) -> Result<Issuance<'a>, DecodeError> {
    let nonce = cursor.array()?;
    let entropy = cursor.array()?;
    let amount = read_value(cursor, dialect)?;
    let tokens = read_value(cursor, dialect)?;
    // Elements' nodes refuse it; Ocean's drop it and hash the input without it.
    if (amount, tokens) == (ValueView::Null, ValueView::Null) {
        return Err(DecodeError::SuperfluousIssuance(input_at));
    }
    Ok(Issuance {
        nonce,
        entropy,
        amount,
        tokens,
    })
}

/// Reads an output without its witness.
pub(super) fn read_output<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
) -> Result<OutputView<'a>, DecodeError> {
    let asset = match read_tagged(cursor, dialect, &[(EXPLICIT, 32), (0x0a, 32), (0x0b, 32)])? {
        [] => AssetView::Null,
        [EXPLICIT, id @ ..] => match id.first_chunk::<32>() {
            Some(id) => AssetView::Explicit(AssetId::from_byte_array(*id)),
            None => AssetView::Null,
        },
        other => AssetView::Confidential(other),
    };
    let value = read_value(cursor, dialect)?;
    let nonce = read_tagged(cursor, dialect, &[(EXPLICIT, 32), (2, 32), (3, 32)])?;
    let script_pubkey = cursor.var_bytes()?;
    Ok(OutputView {
        asset,
        value,
        nonce,
        script_pubkey,
        witness: OutputWitnessView::EMPTY,
    })
}

fn read_value<'a>(cursor: &mut Cursor<'a>, dialect: Dialect) -> Result<ValueView<'a>, DecodeError> {
    Ok(
        match read_tagged(cursor, dialect, &[(EXPLICIT, 8), (8, 32), (9, 32)])? {
            [] => ValueView::Null,
            [EXPLICIT, value @ ..] => match value.first_chunk::<8>() {
                Some(value) => ValueView::Explicit(u64::from_be_bytes(*value)),
                None => ValueView::Null,
            },
            other => ValueView::Confidential(other),
        },
    )
}

/// Reads a prefix byte and as many bytes as it implies; returns both, or nothing for the prefix
/// zero, which stands alone. The first of the sizes is that of the explicit form.
fn read_tagged<'a>(
    cursor: &mut Cursor<'a>,
    dialect: Dialect,
    sizes: &[(u8, usize); 3],
) -> Result<&'a [u8], DecodeError> {
    let start = cursor.clone();
    let at = cursor.at();
    let prefix = cursor.u8()?;
    if prefix == 0 {
        return Ok(&[]);
    }
    let tag = match (dialect, prefix) {
        (Dialect::Ocean, OCEAN_PREFIX) => EXPLICIT,
        _ => prefix,
    };
    let (_, size) = sizes
        .iter()
        .find(|(known, _)| *known == tag)
        .ok_or(DecodeError::Prefix { at, prefix })?;
    cursor.take(*size)?;
    Ok(start.until(cursor))
}

pub(super) fn read_input_record<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<InputRecord<'a>, DecodeError> {
    let (amount, amount_proof) = read_item(cursor)?;
    let (tokens, token_proof) = read_item(cursor)?;
    let (script_bytes, script) = read_stack(cursor)?;
    let (pegin_bytes, pegin) = read_stack(cursor)?;
    Ok(InputRecord {
        parts: [amount, tokens, script_bytes, pegin_bytes],
        witness: InputWitnessView {
            amount_proof,
            token_proof,
            script,
            pegin,
        },
    })
}

pub(super) fn read_output_record<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<OutputRecord<'a>, DecodeError> {
    let (surjection, surjection_proof) = read_item(cursor)?;
    let (range, range_proof) = read_item(cursor)?;
    Ok(OutputRecord {
        parts: [surjection, range],
        witness: OutputWitnessView {
            surjection_proof,
            range_proof,
        },
    })
}

/// Reads an item; returns it with and without its length.
fn read_item<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
    let from = cursor.clone();
    let item = cursor.var_bytes()?;
    Ok((from.until(cursor), item))
}

/// Reads a stack; returns its bytes with all lengths, and as a list.
fn read_stack<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Stack<'a>), DecodeError> {
    let from = cursor.clone();
    let count = cursor.length()?;
    let items = cursor.clone();
    for _ in 0..count {
        cursor.var_bytes()?;
    }
    Ok((from.until(cursor), Stack::new(count, items.until(cursor))))
}
