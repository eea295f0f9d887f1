//! Checking that the federation signed a block which a node has stored.

use bitcoin::script::{Instruction, Script};
use secp256k1::{Message, SECP256K1, ecdsa::Signature};

use super::{SigningRules, check};
use crate::{CheckError, Header, Proof};

/// The longest script that nodes accept (`MAX_SCRIPT_SIZE` in `script.h`).
const MAX_SCRIPT: u32 = 10_000;

pub(super) fn check(rules: &SigningRules, header: &Header) -> Result<(), CheckError> {
    let Proof::Ocean { solution, .. } = &header.fields().proof else {
        return check::check(rules, header).map(|_| ());
    };
    rules.check_challenge(header)?;
    check::check_size(solution.len(), MAX_SCRIPT)?;
    let expected = rules.script().threshold().to_usize();
    let message = Message::from_digest(header.block_hash().to_bytes());
    let mut unseen: Vec<_> = rules.script().keys().iter().collect();
    for item in pushed(solution) {
        let Ok(mut signature) = Signature::from_der_lax(item) else {
            continue;
        };
        signature.normalize_s();
        let signer = unseen
            .iter()
            .position(|key| SECP256K1.verify_ecdsa(&message, &signature, key).is_ok());
        if let Some(at) = signer {
            unseen.remove(at);
        }
    }
    let found = rules.script().keys().len() - unseen.len();
    if found < expected {
        return Err(CheckError::Quorum { expected, found });
    }
    Ok(())
}

/// Returns everything that a script pushes, in any form, up to where it is truncated.
fn pushed(script: &[u8]) -> impl Iterator<Item = &[u8]> {
    Script::from_bytes(script)
        .instructions()
        .map_while(Result::ok)
        .filter_map(|instruction| match instruction {
            Instruction::PushBytes(item) if !item.is_empty() => Some(item.as_bytes()),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_of_every_form_are_found() {
        let script = [
            &[0x00, 0x61][..],
            &[2, 7, 8],
            &[0x4c, 1, 9],
            &[0x4d, 1, 0, 10],
            &[0x4e, 1, 0, 0, 0, 11],
            &[3, 1],
        ]
        .concat();
        let found: Vec<&[u8]> = pushed(&script).collect();
        assert_eq!(found, [&[7, 8][..], &[9], &[10], &[11]]);
    }
}
