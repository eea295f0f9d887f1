//! How blocks extend the chain.

use federation_chain::{Block, BlockHeight, Dialect, Header};

use super::{Subject, UNSIGNED, assert_code};
use crate::{Node, RpcError, SubmitOutcome};

impl<N: Node + ?Sized> Subject<'_, N> {
    pub(super) async fn blocks_extend_the_chain(&self) {
        for _ in 0..3 {
            let (best, hash) = self.best().await;
            let unsigned = self.template().await;
            assert!(unsigned.is_unsigned(), "a template has no signatures");
            assert_eq!(unsigned.height(), best.next());
            assert_eq!(unsigned.header().previous(), hash);
            assert_eq!(unsigned.header().dialect(), self.dialect);
            assert_eq!(unsigned.check_commitments(), Ok(()));
            for _ in 0..2 {
                let tested = self.node.test_proposed_block(unsigned.as_bytes()).await;
                assert_eq!(tested, Ok(()), "a template may become the next block");
            }
            assert_eq!(
                self.submit(&unsigned).await,
                Ok(SubmitOutcome::Rejected(UNSIGNED.to_owned())),
                "an unsigned block is rejected"
            );
            let block = self.sign(&unsigned);
            let tested = self.node.test_proposed_block(block.as_bytes()).await;
            assert_eq!(tested, Ok(()), "signatures do not matter to the test");
            assert_eq!(
                self.best().await,
                (best, hash),
                "nothing is appended before a block is submitted"
            );

            assert_eq!(self.submit(&block).await, Ok(SubmitOutcome::Accepted));
            for _ in 0..2 {
                assert_eq!(
                    self.submit(&block).await,
                    Ok(SubmitOutcome::Duplicate),
                    "a block in the chain is a duplicate"
                );
            }
            assert_eq!(self.best().await, (best.next(), block.block_hash()));
            let stored = self.node.block(block.block_hash()).await;
            assert_eq!(
                stored.as_ref(),
                Ok(block.as_bytes()),
                "a block is returned as it was submitted"
            );
            self.block_is_readable(block.block_hash(), best.next(), Some(hash))
                .await;
            self.chain_info_agrees().await;
            self.past_block_is_refused(&unsigned).await;
        }
        let first = self.node.block_hash(BlockHeight::new(1)).await;
        let first = self.node.block(first.expect("block 1 exists")).await;
        let report = self.node.chain_report().await;
        let report = report.expect("chain_report succeeds");
        assert_eq!(report.first_block, first.ok());
        assert_eq!(report.blockchain["blocks"], self.best().await.0.to_u32());
    }

    /// Checks that a block in the chain cannot be proposed again, in its unsigned form.
    async fn past_block_is_refused(&self, unsigned: &Block) {
        let code = match self.dialect {
            Dialect::Ocean => RpcError::VERIFY_ERROR,
            Dialect::Elements | Dialect::Dynafed => RpcError::VERIFY_ALREADY_IN_CHAIN,
        };
        let tested = self.node.test_proposed_block(unsigned.as_bytes()).await;
        assert_code(tested, code, "test_proposed_block of a past block");
    }

    /// Checks that a valid, signed block at the height of the best block does not replace it.
    pub(super) async fn other_blocks_do_not_replace_the_best_block(&self) {
        let other = self.template().await;
        let block = self.extend().await;
        let mut fields = other.header().fields().clone();
        fields.time = block.header().time() + 1;
        let other = other.with_header(Header::new(fields));
        let tested = self.node.test_proposed_block(other.as_bytes()).await;
        assert_code(
            tested,
            RpcError::VERIFY_ERROR,
            "test_proposed_block of another block at the best height",
        );
        let other = self.sign(&other);
        assert_eq!(
            self.submit(&other).await,
            Ok(SubmitOutcome::Rejected("inconclusive".to_owned())),
            "another block at the best height does not count as accepted"
        );
        let again = match self.dialect {
            Dialect::Ocean => SubmitOutcome::Rejected("duplicate-inconclusive".to_owned()),
            Dialect::Elements | Dialect::Dynafed => SubmitOutcome::Duplicate,
        };
        for _ in 0..2 {
            assert_eq!(self.submit(&other).await, Ok(again.clone()));
        }
        assert_eq!(
            self.best().await,
            (block.height(), block.block_hash()),
            "the first block at a height stays the best"
        );

        let hash = other.block_hash();
        let info = self.node.header_info(hash).await;
        let info = info.expect("a block outside the best chain is known");
        assert_eq!((info.hash, info.height), (hash, other.height()));
        assert_eq!(info.confirmations, -1, "it is not in the best chain");
        let stored = self.node.block(hash).await;
        assert_eq!(stored.as_ref(), Ok(other.as_bytes()));
        assert_eq!(
            self.node.header(hash).await.ok(),
            Some(other.header().encode().into())
        );
        self.past_block_is_refused(&other).await;
        self.extend().await;
        assert_eq!(
            self.node.block_hash(block.height()).await,
            Ok(block.block_hash())
        );
    }
}
