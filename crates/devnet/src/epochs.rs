//! Dynafed: the parameters in force, the proposals of an epoch, and their outcome.
//!
//! As in `dynafed.cpp` and `ContextualCheckDynaFedHeader` of Elements 23.3, except that proposals
//! in compact form are refused.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash, hash160, sha256};
use elements::Script;
use federation_chain::{
    Block, BlockHeight, FullParams, Header, Params, ParamsRoot, Proof, SigningRules,
};
use federation_multisig::MultisigScript;

use crate::{error::Invalid, genesis::OP_TRUE};

/// The opcode with which a fedpeg script must not begin.
const OP_DEPTH: u8 = 0x74;

/// The one entry of the default list of peg-out keys, twice (`chainparams.cpp`).
const PAK: [u8; 33] = [
    0x02, 0xfc, 0xba, 0x7e, 0xcf, 0x41, 0xbc, 0x7e, 0x1b, 0xe4, 0xee, 0x12, 0x2d, 0x9d, 0x22, 0xe3,
    0x33, 0x36, 0x71, 0xeb, 0x0a, 0x3a, 0x87, 0xb5, 0xcd, 0xf0, 0x99, 0xd5, 0x98, 0x74, 0xe1, 0x94,
    0x0f,
];

/// The parameters of a dynafed chain at its best block.
pub(crate) struct Epochs {
    /// The number of blocks in an epoch (`dynamic_epoch_length`).
    length: u32,
    /// The parameters in force for the next block.
    current: FullParams,
    /// The proposals of this epoch, with the number of blocks that made each.
    votes: BTreeMap<ParamsRoot, (u32, FullParams)>,
}

impl Epochs {
    /// Creates the state at the genesis block.
    pub(crate) fn new(rules: &SigningRules, length: u32) -> Self {
        Self {
            length: length.max(1),
            current: first_params(rules),
            votes: BTreeMap::new(),
        }
    }

    /// Returns the number of blocks in an epoch.
    pub(crate) const fn length(&self) -> u32 {
        self.length
    }

    /// Returns the parameters in force for the next block, in full.
    pub(crate) fn in_force(&self) -> Params {
        Params::Full(self.current.clone())
    }

    /// Returns the proof in the next block's header: full parameters in block 1 and at the start of
    /// an epoch, otherwise compact ones.
    pub(crate) fn proof_at(&self, height: BlockHeight) -> Proof {
        let number = height.to_u32();
        let full = self.current.clone();
        Proof::Dynafed {
            current: if number == 1 || number.is_multiple_of(self.length) {
                Params::Full(full)
            } else {
                full.into_compact()
            },
            proposed: Params::Null,
            witness: Vec::new(),
        }
    }

    /// Checks the header of the next block. As in the nodes, the elided root of a compact header is
    /// not checked.
    pub(crate) fn check(&self, header: &Header) -> Result<(), Invalid> {
        let Proof::Dynafed {
            current: expected, ..
        } = self.proof_at(header.height())
        else {
            return Err(Invalid::Dynafed);
        };
        let Some((current, proposed)) = header.parameters() else {
            return Err(Invalid::Dynafed);
        };
        let same = match (current, &expected) {
            (Params::Full(found), Params::Full(expected)) => found == expected,
            (Params::Compact { .. }, Params::Compact { .. }) => {
                current.signblockscript() == expected.signblockscript()
                    && current.signblock_witness_limit() == expected.signblock_witness_limit()
            }
            _ => false,
        };
        if !same {
            return Err(Invalid::Dynafed);
        }
        match proposed {
            Params::Null => Ok(()),
            Params::Full(_) => {
                let is_program = proposed
                    .signblockscript()
                    .is_some_and(Script::is_witness_program);
                let is_fedpeg = proposed
                    .fedpegscript()
                    .is_some_and(|script| script.first() != Some(&OP_DEPTH));
                if is_program && is_fedpeg {
                    Ok(())
                } else {
                    Err(Invalid::Dynafed)
                }
            }
            Params::Compact { .. } => Err(Invalid::Dynafed),
        }
    }

    /// Counts the proposal of an appended block. If the next block starts an epoch, the parameters
    /// proposed by four fifths of this epoch's blocks come into force with it.
    pub(crate) fn append(&mut self, block: &Block) {
        if let Some((_, proposed @ Params::Full(full))) = block.header().parameters() {
            let vote = self.votes.entry(ParamsRoot::of(proposed));
            vote.or_insert_with(|| (0, full.clone())).0 += 1;
        }
        if !block.height().next().to_u32().is_multiple_of(self.length) {
            return;
        }
        let needed = (self.length * 4 / 5).max(1);
        let votes = core::mem::take(&mut self.votes);
        if let Some((_, winner)) = votes.into_values().find(|(count, _)| *count >= needed) {
            self.current = winner;
        }
    }
}

/// Returns the rules for the signatures of a dynafed block: those in its own header, with the
/// script from its witness.
pub(crate) fn rules_of(header: &Header) -> Option<SigningRules> {
    let Proof::Dynafed { witness, .. } = &header.fields().proof else {
        return None;
    };
    let script = MultisigScript::from_bytes(witness.last()?).ok()?;
    SigningRules::new(header.dialect(), script, header.signature_limit()?).ok()
}

/// Returns the parameters of block 1.
fn first_params(rules: &SigningRules) -> FullParams {
    // No fedpeg: OP_TRUE, as P2WSH in P2SH.
    let fedpeg = vec![OP_TRUE];
    let witness_program = [
        &[0, 32],
        sha256::Hash::hash(&fedpeg).as_byte_array().as_slice(),
    ]
    .concat();
    let script_hash = hash160::Hash::hash(&witness_program);
    let program = [&[0xa9, 20], script_hash.as_byte_array().as_slice(), &[0x87]].concat();
    let pak = [PAK, PAK].concat();
    FullParams::new(
        Script::from(rules.signing_script().to_vec()),
        rules.max_signature_size(),
        bitcoin::ScriptBuf::from(program),
        fedpeg,
        vec![pak],
    )
}

#[cfg(test)]
mod tests {
    use federation_chain::{Dialect, UnixTime};
    use hex_conservative::FromHex;
    use serde_json::Value;

    use super::*;
    use crate::{genesis::Genesis, ledger::Ledger};

    fn block(hex: &Value) -> Block {
        let bytes = Vec::<u8>::from_hex(hex.as_str().expect("hex")).expect("hex");
        Block::decode(Dialect::Dynafed, bytes.into()).expect("a block")
    }

    /// A chain of `elementsd` on which a 3-of-5 federation was replaced by a 4-of-7.
    #[test]
    fn a_change_of_signers_happens_as_on_elementsd() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/dynafed-rotation.json"
        );
        let text = std::fs::read_to_string(path).expect("the vectors");
        let json: Value = serde_json::from_str(&text).expect("json");
        let script = MultisigScript::from_hex(json["old"]["script"].as_str().expect("hex"));
        let rules = SigningRules::new(Dialect::Dynafed, script.expect("a script"), 395);
        let genesis = Genesis {
            block: block(&json["genesis_block"]),
            pegged_asset: elements::AssetId::from_byte_array([0; 32]),
        };
        let mut ledger = Ledger::new(rules.expect("rules"), 10, genesis);
        let far = UnixTime::from_secs(u64::from(u32::MAX));
        for entry in json["blocks"].as_array().expect("blocks") {
            let next = block(&entry["block"]);
            if next.height().to_u32() == 20 {
                for refused in ["boundary_by_old", "boundary_by_three_of_new"] {
                    let refused = block(&json[refused]["block"]);
                    assert_eq!(ledger.check_proof(&refused), Err(Invalid::Proof));
                }
            }
            let checked = ledger.check(&next, far).expect("elementsd accepted it");
            ledger.connect(next, &checked).expect("it is signed");
            let reported = ParamsRoot::of(&ledger.epochs().expect("dynafed").in_force());
            assert_eq!(entry["current_params_root_after"], reported.to_string());
        }
        assert_eq!(ledger.height(), BlockHeight::new(30));
    }
}
