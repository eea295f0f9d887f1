//! A block 1 for trying out keys, which no node accepts.

use elements::{LockTime, Script, Sequence, Transaction, TxIn};
use federation_chain::{
    Block, BlockHeight, DecodeError, FullParams, Header, HeaderFields, Params, Proof, SigningRules,
};

use crate::Genesis;

/// The version that nodes give to new blocks.
const VERSION: u32 = 0x2000_0000;

impl Genesis {
    /// Returns a block on top of this one in the format of block 1, with the signers of `rules` in
    /// place of the chain's (they may be the same).
    ///
    /// No node accepts it, whoever signs it: its time is that of the genesis block, and its only
    /// transaction has no outputs. So a key can be tried out on it without signing anything that
    /// could conflict with a real block.
    ///
    /// # Errors
    /// If the chain's blocks are not signed.
    pub fn rehearsal_block(&self, rules: &SigningRules) -> Result<Block, DecodeError> {
        let genesis = self.to_block()?;
        let signers = rules.signing_script().to_vec();
        let proof = match (&genesis.header().fields().proof, self.block_1_params()) {
            (_, Some(params)) => Proof::Dynafed {
                current: with_signers(params, signers, rules.max_signature_size()),
                proposed: Params::Null,
                witness: Vec::new(),
            },
            (
                Proof::Ocean {
                    contract,
                    attestation,
                    mapping,
                    ..
                },
                None,
            ) => Proof::Ocean {
                contract: *contract,
                attestation: *attestation,
                mapping: *mapping,
                challenge: signers,
                solution: Vec::new(),
            },
            _ => Proof::Signed {
                challenge: signers,
                solution: Vec::new(),
            },
        };
        let mut fields = HeaderFields {
            version: VERSION,
            previous: self.hash(),
            merkle_root: [0; 32],
            time: genesis.header().time(),
            height: BlockHeight::new(1),
            proof,
        };
        let draft = Block::from_parts(Header::new(fields.clone()), &[coinbase()]);
        // There is one transaction.
        fields.merkle_root = draft.compute_merkle_root().unwrap_or_default();
        Ok(draft.with_header(Header::new(fields)))
    }
}

/// Returns the same parameters with these signers.
fn with_signers(params: &Params, signers: Vec<u8>, limit: u32) -> Params {
    let Some(full) = params.full() else {
        return params.clone();
    };
    let whole = Params::Full(full.clone());
    Params::Full(FullParams::new(
        Script::from(signers),
        limit,
        whole.fedpeg_program().cloned().unwrap_or_default(),
        whole.fedpegscript().cloned().unwrap_or_default(),
        whole.extension_space().cloned().unwrap_or_default(),
    ))
}

fn coinbase() -> Transaction {
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            script_sig: Script::from(vec![0x51, 0x01, 0x01]),
            sequence: Sequence::MAX,
            ..TxIn::default()
        }],
        output: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use federation_chain::Dialect;
    use federation_multisig::MultisigScript;

    use super::*;
    use crate::{NodeKind, Settings, Terms};

    const SCRIPT: &str = "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee52102f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9210379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179853ae";

    #[test]
    fn it_has_the_format_of_block_1_and_names_the_signers() {
        for (node, dialect, more) in [
            (
                NodeKind::Elements,
                Dialect::Dynafed,
                ("con_max_block_sig_size", "300"),
            ),
            (
                NodeKind::Elements,
                Dialect::Elements,
                ("evbparams", "dynafed:-2:::"),
            ),
            (NodeKind::Ocean, Dialect::Ocean, ("embedcontract", "1")),
        ] {
            let settings = Settings::new(node, "fedchain")
                .and_then(|settings| settings.with("signblockscript", SCRIPT))
                .and_then(|settings| settings.with(more.0, more.1))
                .expect("settings");
            let terms = (node == NodeKind::Ocean)
                .then(|| Terms::from_file(b"terms"))
                .flatten();
            let genesis = Genesis::compute(&settings, terms.as_ref()).expect("a genesis");
            let script = MultisigScript::from_hex(SCRIPT).expect("a script");
            let rules = SigningRules::new(dialect, script, 300).expect("rules");
            let block = genesis.rehearsal_block(&rules).expect("a block");
            rules.check_challenge(block.header()).expect("the chain's");
            assert!(block.is_unsigned());
            assert_eq!(block.header().previous(), genesis.hash());
            assert_eq!(block.height(), BlockHeight::new(1));
            let read = Block::decode(dialect, block.as_bytes().clone()).expect("it decodes");
            assert_eq!(read.block_hash(), block.block_hash());
            read.check_commitments().expect("whole");
            if let (Proof::Dynafed { current, .. }, Some(params)) =
                (&block.header().fields().proof, genesis.block_1_params())
            {
                // With the chain's own signers it has the parameters of the real block 1.
                assert_eq!(current.calculate_root(), params.calculate_root());
            }
        }
    }
}
