//! Blocks that a node refuses, and how.

use federation_chain::{Block, BlockHash, Dialect, Header, HeaderFields, Params, Proof};

use super::{Subject, UNSIGNED, assert_code};
use crate::{Node, RpcError, SubmitOutcome};

/// A change that makes a template invalid.
struct Fault {
    name: &'static str,
    change: fn(&mut HeaderFields),
    /// The message of the error of `test_proposed_block`.
    tested: &'static str,
    /// The reason of `submit_block`.
    submitted: &'static str,
}

impl Fault {
    /// Creates a fault for which both calls have the same reason.
    const fn new(name: &'static str, reason: &'static str, change: fn(&mut HeaderFields)) -> Self {
        Self {
            name,
            change,
            tested: reason,
            submitted: reason,
        }
    }
}

/// Far more than the two hours that a block may be ahead of the clock.
const FAR_AHEAD: u32 = 30 * 24 * 60 * 60;

/// Faults that are the same in every dialect.
const FAULTS: [Fault; 4] = [
    Fault::new(
        "the Merkle root of other transactions",
        "bad-txnmrklroot",
        |fields| fields.merkle_root = [0xab; 32],
    ),
    Fault::new(
        "a height that is not the next",
        "bad-header-height",
        |fields| fields.height = fields.height.next(),
    ),
    Fault::new(
        "a time before the median of the last blocks",
        "time-too-old",
        |fields| fields.time = 1,
    ),
    Fault::new("a time far in the future", "time-too-new", |fields| {
        fields.time = fields.time.saturating_add(FAR_AHEAD);
    }),
];

/// Changes the signers, or with dynafed the limit on their signatures.
fn change_signers(fields: &mut HeaderFields) {
    match &mut fields.proof {
        Proof::Ocean { challenge, .. } | Proof::Signed { challenge, .. } => {
            // The last byte of the first key.
            challenge[34] ^= 1;
        }
        Proof::Dynafed { current, .. } => {
            if let Params::Full(full) = current {
                *current = full.clone().into_compact();
            }
            if let Params::Compact {
                signblock_witness_limit,
                ..
            } = current
            {
                *signblock_witness_limit += 1;
            }
        }
    }
}

impl<N: Node + ?Sized> Subject<'_, N> {
    pub(super) async fn malformed_blocks_are_refused(&self) {
        let block = self.template().await;
        let whole = block.as_bytes();
        let header = block.header().encode();
        for (name, bytes) in [
            ("no bytes", &[][..]),
            ("other bytes", &[0x5a; 1000]),
            ("a header alone", &header),
            ("a truncated block", &whole[..whole.len() - 1]),
        ] {
            let tested = self.node.test_proposed_block(bytes).await;
            let code = RpcError::DESERIALIZATION_ERROR;
            assert_code(tested, code, &format!("test_proposed_block of {name}"));
            let submitted = self.node.submit_block(bytes).await;
            assert_code(submitted, code, &format!("submit_block of {name}"));
        }
    }

    pub(super) async fn invalid_blocks_are_refused(&self) {
        let unknown_previous = Fault {
            name: "an unknown previous block",
            change: |fields| fields.previous = BlockHash::from_bytes([0xab; 32]),
            tested: "proposal was not based on our best chain",
            submitted: match self.dialect {
                Dialect::Ocean => "bad-prevblk",
                Dialect::Elements | Dialect::Dynafed => "prev-blk-not-found",
            },
        };
        for fault in FAULTS.into_iter().chain([unknown_previous]) {
            let block = self.faulty(fault.change).await;
            self.is_refused(&fault, &block, &self.sign(&block)).await;
        }
        // A node looks at the signatures first, so these are left out.
        let other_signers = Fault {
            name: "other signers",
            change: change_signers,
            tested: match self.dialect {
                Dialect::Ocean | Dialect::Elements => "bad-diffbits",
                Dialect::Dynafed => "invalid-dyna-fed",
            },
            submitted: UNSIGNED,
        };
        let block = self.faulty(other_signers.change).await;
        self.is_refused(&other_signers, &block, &block).await;
    }

    /// Checks that an invalid block is refused however often it is passed to the node, and that the
    /// best block stays.
    async fn is_refused(&self, fault: &Fault, unsigned: &Block, block: &Block) {
        let best = self.best().await;
        for _ in 0..2 {
            assert_eq!(
                self.node.test_proposed_block(unsigned.as_bytes()).await,
                Err(RpcError::Node {
                    code: RpcError::VERIFY_ERROR,
                    message: fault.tested.to_owned(),
                }),
                "test_proposed_block of a block with {}",
                fault.name
            );
            assert_eq!(
                self.submit(block).await,
                Ok(SubmitOutcome::Rejected(fault.submitted.to_owned())),
                "submit_block of a block with {}",
                fault.name
            );
        }
        assert_eq!(self.best().await, best);
    }

    async fn faulty(&self, change: fn(&mut HeaderFields)) -> Block {
        let block = self.template().await;
        let mut fields = block.header().fields().clone();
        change(&mut fields);
        block.with_header(Header::new(fields))
    }
}
