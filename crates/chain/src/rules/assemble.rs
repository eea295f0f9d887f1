//! Putting signatures in place.

use std::collections::BTreeMap;

use secp256k1::ecdsa::Signature;

use super::{SIGHASH_ALL, SigningRules};
use crate::{AssembleError, Block, Dialect};

/// The block with the first M signatures as solution or witness; nothing is checked.
pub(super) fn assemble(
    rules: &SigningRules,
    block: &Block,
    signatures: &BTreeMap<usize, Signature>,
) -> Result<Block, AssembleError> {
    let need = rules.script().threshold().to_usize();
    if signatures.len() < need {
        return Err(AssembleError::TooFew {
            have: signatures.len(),
            need,
        });
    }
    // A map's order is the script's.
    let chosen = signatures.values().take(need).map(Signature::serialize_der);
    let header = block.header().clone();
    let header = match rules.dialect() {
        Dialect::Ocean | Dialect::Elements => {
            let mut solution = vec![0];
            for der in chosen {
                // DER has at most 72 bytes: its length is the push.
                solution.push(u8::try_from(der.len()).unwrap_or(u8::MAX));
                solution.extend_from_slice(&der);
            }
            header.with_solution(solution)
        }
        Dialect::Dynafed => {
            let mut witness = vec![Vec::new()];
            witness.extend(chosen.map(|der| [&der[..], &[SIGHASH_ALL]].concat()));
            witness.push(rules.script().as_bytes().to_vec());
            header.with_witness(witness)
        }
    };
    Ok(block.with_header(header))
}
