//! What a node reports about its chain and its blocks.

use federation_chain::{BlockHash, BlockHeight, Dialect, Header};

use super::{NOT_FOUND, OUT_OF_RANGE, Subject, assert_code};
use crate::Node;

impl<N: Node + ?Sized> Subject<'_, N> {
    pub(super) async fn reads_of_a_new_chain(&self) {
        let node = self.node;
        for _ in 0..2 {
            assert_eq!(node.dialect().await, Ok(self.dialect));
        }
        let genesis = node.block_hash(BlockHeight::GENESIS).await;
        let genesis = genesis.expect("every chain has a genesis block");
        assert_eq!(
            self.best().await,
            (BlockHeight::GENESIS, genesis),
            "a new chain has only its genesis block"
        );
        self.block_is_readable(genesis, BlockHeight::GENESIS, None)
            .await;
        self.chain_info_agrees().await;
        let network = node.network_info().await.expect("network_info succeeds");
        assert!(network.version > 0 && !network.subversion.is_empty());
        assert_eq!(
            node.dynafed_can_begin().await,
            Ok(false),
            "dynafed is active from the start, or never"
        );
        let report = node.chain_report().await.expect("chain_report succeeds");
        assert_eq!(report.genesis, genesis);
        assert_eq!(report.blockchain["blocks"], 0);
        assert_eq!(report.blockchain["bestblockhash"], genesis.to_string());
        assert!(
            report.sidechain["fedpegscript"].is_string(),
            "the report contains getsidechaininfo"
        );
        assert_eq!(report.first_block, None, "there is no block 1 yet");
    }

    /// Checks that `blockchain_info` agrees with the single reads and has the dialect's fields.
    pub(super) async fn chain_info_agrees(&self) {
        let info = self.node.blockchain_info().await;
        let info = info.expect("blockchain_info succeeds");
        assert_eq!((info.blocks, info.best_block_hash), self.best().await);
        assert_eq!(info.headers, info.blocks);
        assert!(!info.chain.is_empty());
        let best = self.node.header_info(info.best_block_hash).await;
        let best = best.expect("the best block has a header");
        assert_eq!(info.median_time, best.median_time);
        let is_elements = self.dialect != Dialect::Ocean;
        assert_eq!(info.current_signblock_hex.is_some(), is_elements);
        assert_eq!(info.max_block_witness.is_some(), is_elements);
        let is_dynafed = self.dialect == Dialect::Dynafed;
        assert_eq!(info.current_params_root.is_some(), is_dynafed);
        assert_eq!(info.epoch_length.is_some(), is_dynafed);
    }

    /// Checks that a block in the best chain, its header and its hash agree.
    pub(super) async fn block_is_readable(
        &self,
        hash: BlockHash,
        height: BlockHeight,
        previous: Option<BlockHash>,
    ) {
        let node = self.node;
        assert_eq!(node.block_hash(height).await, Ok(hash));
        let bytes = node.block(hash).await.expect("a known block is returned");
        let block = self.decode(bytes);
        assert_eq!(block.block_hash(), hash);
        assert_eq!(block.height(), height);
        assert_eq!(block.check_commitments(), Ok(()));
        let bytes = node.header(hash).await.expect("a known header is returned");
        let header = Header::decode(self.dialect, &bytes).expect("the bytes are a header");
        assert_eq!(&header, block.header());

        let info = node.header_info(hash).await;
        let info = info.expect("a known header is described");
        assert_eq!((info.hash, info.height), (hash, height));
        assert_eq!(
            info.previous, previous,
            "only the genesis block has no previous"
        );
        assert_eq!(info.time, u64::from(header.time()));
        assert!(
            info.median_time <= info.time,
            "a block is not earlier than the median of it and those before it"
        );
        let (best, _) = self.best().await;
        let depth = best.to_u32() - height.to_u32() + 1;
        assert_eq!(
            info.confirmations,
            i64::from(depth),
            "confirmations include the block itself"
        );
    }

    pub(super) async fn reads_of_unknown_blocks(&self) {
        let node = self.node;
        let (best, _) = self.best().await;
        for height in [best.next(), BlockHeight::new(1_000_000)] {
            assert_code(node.block_hash(height).await, OUT_OF_RANGE, "block_hash");
        }
        for unknown in [[0; 32], [0xab; 32]].map(BlockHash::from_bytes) {
            assert_code(node.block(unknown).await, NOT_FOUND, "block");
            assert_code(node.header(unknown).await, NOT_FOUND, "header");
            assert_code(node.header_info(unknown).await, NOT_FOUND, "header_info");
        }
    }
}
