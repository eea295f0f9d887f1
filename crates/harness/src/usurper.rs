//! A node that tries to take over a dynafed chain.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bitcoin::hashes::{Hash, sha256};
use bytes::Bytes;
use elements::dynafed::ElidedRoot;
use federation_chain::{Block, Dialect, FullParams, Header, Params, Proof, SigningRules};
use federation_multisig::{MultisigScript, WitnessScript};
use hex_conservative::{DisplayHex, FromHex};
use serde_json::{Value, json};

use crate::{Fault, Middleman};

/// The error code of nodes for an invalid block.
const VERIFY_ERROR: i32 = -25;
/// `OP_TRUE`, for a chain without a fedpeg.
const FEDPEG: &[u8] = &[0x51];

/// Returns the block with a proposal that this script signs from the next epoch on; `None` if it is not
/// an unsigned dynafed block.
#[must_use]
pub fn propose(block: &Block, script: &MultisigScript) -> Option<Block> {
    let mut fields = block.header().fields().clone();
    let Proof::Dynafed { proposed, .. } = &mut fields.proof else {
        return None;
    };
    let limit = SigningRules::required_signature_size(Dialect::Dynafed, script);
    let hash = sha256::Hash::hash(FEDPEG);
    let fedpeg_program = [&[0, 32][..], hash.as_byte_array()].concat();
    *proposed = Params::Full(FullParams::new(
        WitnessScript::from(script.clone()).script_pubkey().into(),
        limit,
        fedpeg_program.into(),
        FEDPEG.to_vec(),
        Vec::new(),
    ));
    Some(block.with_header(Header::new(fields)))
}

/// Returns the block with another elided root in its compact header, which nodes do not check; `None` if
/// its header is not compact.
#[must_use]
pub fn forge_elided_root(block: &Block) -> Option<Block> {
    let mut fields = block.header().fields().clone();
    let Proof::Dynafed {
        current: Params::Compact { elided_root, .. },
        ..
    } = &mut fields.proof
    else {
        return None;
    };
    *elided_root = ElidedRoot::from_byte_array([0xaa; 32]);
    Some(block.with_header(Header::new(fields)))
}

/// Makes every template of its node propose a foreign script and, while set to, refuses every block
/// that does not, so that its operator prevotes nil.
#[derive(Debug)]
pub struct Usurper {
    script: MultisigScript,
    refuses: AtomicBool,
    templates: AtomicUsize,
    refused: AtomicUsize,
}

impl Usurper {
    /// Creates a usurper that proposes this script and refuses all other blocks.
    #[must_use]
    pub fn new(script: MultisigScript) -> Arc<Self> {
        Arc::new(Self {
            script,
            refuses: AtomicBool::new(true),
            templates: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        })
    }

    /// Sets whether it refuses blocks without its proposal.
    pub fn set_refusing(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    /// Returns the number of templates that it altered.
    #[must_use]
    pub fn altered_templates(&self) -> usize {
        self.templates.load(Ordering::Relaxed)
    }

    /// Returns the number of blocks that it refused.
    #[must_use]
    pub fn refused_blocks(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    fn proposes_script(&self, block: &Block) -> bool {
        let own = WitnessScript::from(self.script.clone()).script_pubkey();
        block.header().parameters().is_some_and(|(_, proposed)| {
            let signers = proposed.signblockscript();
            signers.is_some_and(|script| script.as_bytes() == own)
        })
    }
}

/// Decodes a dynafed block from hex.
fn block(hex: &Value) -> Option<Block> {
    let bytes: Bytes = Vec::from_hex(hex.as_str()?).ok()?.into();
    Block::decode(Dialect::Dynafed, bytes).ok()
}

impl Middleman for Usurper {
    fn answer(&self, method: &str, params: &Value) -> Option<Result<Value, Fault>> {
        let refuses = self.refuses.load(Ordering::Relaxed);
        if method != "testproposedblock" || !refuses || self.proposes_script(&block(&params[0])?) {
            return None;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Some(Err((VERIFY_ERROR, "not the usurper's proposal".to_owned())))
    }

    fn alter(&self, method: &str, _: &Value, result: &Value) -> Option<Value> {
        if method != "getnewblockhex" {
            return None;
        }
        let altered = propose(&block(result)?, &self.script)?;
        self.templates.fetch_add(1, Ordering::Relaxed);
        Some(json!(altered.as_bytes().to_lower_hex_string()))
    }
}
