//! Putting signatures into a block.

use std::collections::BTreeMap;

use secp256k1::ecdsa::Signature;

use super::SigningRules;
use crate::{
    AssembleError, Block, Dialect,
    signblock::{script_sig_of_signatures, signblock_of_signature},
};

/// Returns the block with the first M signatures as solution or witness; nothing is checked.
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
    // The map is ordered as the script is.
    let chosen = signatures.values().take(need);
    let header = block.header().clone();
    let header = match rules.dialect() {
        Dialect::Ocean | Dialect::Elements => {
            header.with_solution(script_sig_of_signatures(chosen))
        }
        Dialect::Dynafed => {
            let mut witness = vec![Vec::new()];
            witness.extend(chosen.map(|sig| signblock_of_signature(Dialect::Dynafed, sig)));
            witness.push(rules.script().as_bytes().to_vec());
            header.with_witness(witness)
        }
    };
    Ok(block.with_header(header))
}
