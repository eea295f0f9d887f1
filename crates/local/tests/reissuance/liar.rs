//! A node that returns wrong blocks: it is not trusted, it is reported, and nothing stops for good.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{
    Block, BlockHash, BlockHeight, CheckError, CommitmentError, Dialect, Header,
};
use federation_ocean_rpc::{
    BlockchainInfo, ChainReport, HeaderInfo, NetworkInfo, Node, NodeClient, RpcError, SubmitOutcome,
};
use federation_operator::{FollowError, Reading, ReissuanceNode, follow};
use federation_reissuance::{Ledger, LedgerEvent};
use tokio::time::Instant;

use crate::scene::{LIMIT, Scene};

/// How a node lies about blocks with more than a coinbase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// The last transaction is missing.
    Omitted,
    /// A byte of the last transaction is changed.
    Altered,
    /// The last transaction is missing, and the header commits to that; the block is unsigned.
    Remade,
    /// As `Remade`, with the signatures of the true block.
    RemadeAsSigned,
    /// The previous block, with its true hash.
    Below,
    /// The previous block, for the hash of this one.
    Swapped,
    /// Random bytes.
    Noise,
}

const LIES: [Lie; 7] = [
    Lie::Omitted,
    Lie::Altered,
    Lie::Remade,
    Lie::RemadeAsSigned,
    Lie::Below,
    Lie::Swapped,
    Lie::Noise,
];

struct Liar {
    node: NodeClient,
    dialect: Dialect,
    lie: Mutex<Option<Lie>>,
}

impl Liar {
    fn new(scene: &Scene, node: usize) -> Arc<Self> {
        Arc::new(Self {
            node: scene.federation.node(node).client().clone(),
            dialect: scene.federation.federation().rules().dialect(),
            lie: Mutex::new(None),
        })
    }

    fn tell(&self, lie: Option<Lie>) {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = lie;
    }

    fn lie(&self) -> Option<Lie> {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the true block, if the node lies about it.
    async fn target(&self, hash: BlockHash) -> Option<Block> {
        let block = Block::decode(self.dialect, self.node.block(hash).await.ok()?).ok()?;
        (block.height() > BlockHeight::GENESIS && block.transaction_count() > 1).then_some(block)
    }

    /// Returns the block without its last transaction.
    fn remade(&self, block: &Block, signed: bool) -> Block {
        let mut transactions = block.transactions().expect("of a wallet");
        transactions.pop();
        let draft = Block::from_parts(block.header().clone(), &transactions);
        let mut fields = draft.header().fields().clone();
        fields.merkle_root = draft.compute_merkle_root().expect("a root");
        let header = Header::new(fields);
        let header = if signed {
            header
        } else {
            header.without_signatures()
        };
        draft.with_header(header)
    }
}

impl Liar {
    /// Returns the remade block with this hash.
    async fn find_remade(&self, hash: BlockHash) -> Result<Option<Block>, RpcError> {
        let signed = match self.lie() {
            Some(Lie::Remade) => false,
            Some(Lie::RemadeAsSigned) => true,
            _ => return Ok(None),
        };
        for height in 1..=self.node.block_count().await?.to_u32() {
            let at = self.node.block_hash(BlockHeight::new(height)).await?;
            let remade = self.target(at).await;
            let remade = remade.map(|block| self.remade(&block, signed));
            if let Some(block) = remade.filter(|block| block.block_hash() == hash) {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Node for Liar {
    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        let hash = self.node.block_hash(height).await?;
        let (Some(lie), Some(block)) = (self.lie(), self.target(hash).await) else {
            return Ok(hash);
        };
        Ok(match lie {
            Lie::Remade => self.remade(&block, false).block_hash(),
            Lie::RemadeAsSigned => self.remade(&block, true).block_hash(),
            Lie::Below => block.header().previous(),
            _ => hash,
        })
    }

    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        if let Some(remade) = self.find_remade(hash).await? {
            return Ok(remade.as_bytes().clone());
        }
        let (Some(lie), Some(block)) = (self.lie(), self.target(hash).await) else {
            return self.node.block(hash).await;
        };
        let whole = block.as_bytes();
        Ok(match lie {
            Lie::Omitted => {
                let mut transactions = block.transactions().expect("of a wallet");
                transactions.pop();
                let omitted = Block::from_parts(block.header().clone(), &transactions);
                omitted.as_bytes().clone()
            }
            Lie::Altered => {
                let mut bytes = whole.to_vec();
                let last = bytes.len() - 20;
                bytes[last] ^= 1;
                bytes.into()
            }
            Lie::Swapped => self.node.block(block.header().previous()).await?,
            Lie::Noise => Bytes::from_static(&[7; 90]),
            Lie::Remade | Lie::RemadeAsSigned | Lie::Below => whole.clone(),
        })
    }

    async fn dialect(&self) -> Result<Dialect, RpcError> {
        self.node.dialect().await
    }

    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        self.node.block_count().await
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        self.node.best_block_hash().await
    }

    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> {
        self.node.header_info(hash).await
    }

    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        self.node.header(hash).await
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        self.node.new_block().await
    }

    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> {
        self.node.test_proposed_block(block).await
    }

    async fn include_transaction(&self, txid: &str, transaction: &[u8]) -> Result<(), RpcError> {
        self.node.include_transaction(txid, transaction).await
    }

    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> {
        self.node.submit_block(block).await
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.node.blockchain_info().await
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.node.network_info().await
    }

    async fn chain_report(&self) -> Result<ChainReport, RpcError> {
        self.node.chain_report().await
    }
}

#[async_trait]
impl ReissuanceNode for Liar {
    async fn send_transaction(&self, transaction: &[u8]) -> Result<String, RpcError> {
        self.node.send_raw_transaction(transaction).await
    }
}

#[derive(Default)]
struct Events(Vec<(BlockHeight, LedgerEvent)>);

impl Reading for Events {
    fn on_event(&mut self, height: BlockHeight, _: usize, event: &LedgerEvent) {
        self.0.push((height, *event));
    }
}

/// Returns whether an error describes the lie.
fn describes(lie: Lie, error: &FollowError) -> bool {
    match lie {
        Lie::Omitted => matches!(
            error,
            FollowError::Commitments {
                why: CommitmentError::MerkleRoot,
                ..
            }
        ),
        Lie::Altered => matches!(error, FollowError::Commitments { .. }),
        Lie::Remade | Lie::RemadeAsSigned => matches!(
            error,
            FollowError::Commitments { .. } | FollowError::Unsigned { .. }
        ),
        Lie::Below | Lie::Swapped => matches!(error, FollowError::Other(_)),
        Lie::Noise => matches!(error, FollowError::Block { .. }),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_the_federation_did_not_sign_are_rejected() {
    for dialect in Dialect::ALL {
        let mut scene = Scene::devnet(dialect).await;
        scene.wait_for_payments(1).await;
        for index in 0..3 {
            scene.federation.stop_operator(index).await.expect("stops");
        }
        let (truth, _) = scene.read(0).await;
        let tip = truth.tip().expect("blocks").0;
        let liar = Liar::new(&scene, 0);
        let rules = scene.federation.federation().rules().clone();
        for lie in LIES {
            let mut ledger = Ledger::new(scene.chain, vec![scene.settings.clone()]);
            let mut events = Events::default();
            liar.tell(Some(lie));
            let mut last = None;
            for _ in 0..2 {
                let error = follow(&mut ledger, &*liar, &rules, tip, &mut events)
                    .await
                    .expect_err("it is a lie");
                assert!(
                    describes(lie, &error) && error.is_false_data(),
                    "{lie:?}: {error}"
                );
                assert!(
                    events.0.is_empty(),
                    "no events of an asset: {events:?}",
                    events = events.0
                );
                assert!(
                    last.is_none_or(|last| last == ledger.tip()),
                    "the tip is unchanged"
                );
                last = Some(ledger.tip());
            }
            liar.tell(None);
            follow(&mut ledger, &*liar, &rules, tip, &mut events)
                .await
                .expect("the truth");
            assert!(ledger == truth, "{lie:?}: the lie left no trace");
        }
        scene.federation.stop().await;
    }
}

/// A new ledger whose signers never signed the chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_of_other_signers_are_rejected_unless_a_later_one_is_the_federations() {
    let mut scene = Scene::devnet(Dialect::Elements).await;
    for index in 0..3 {
        scene.federation.stop_operator(index).await.expect("stops");
    }
    let script = scene.settings.tokens().multisig().clone();
    let others = federation_chain::SigningRules::new(Dialect::Elements, script, 412);
    let mut ledger = Ledger::new(scene.chain, vec![scene.settings.clone()]);
    let node = scene.federation.node(0).client();
    let tip = node.block_count().await.expect("it answers");
    let others = others.expect("enough");
    let error = follow(&mut ledger, node, &others, tip, &mut Events::default())
        .await
        .expect_err("not theirs");
    assert!(
        matches!(
            &error,
            FollowError::Unsigned { height, why: CheckError::Challenge { .. } }
                if height.to_u32() == 1
        ),
        "{error}"
    );
    assert_eq!(
        ledger.tip().map(|(height, _)| height),
        Some(BlockHeight::GENESIS)
    );
    scene.federation.stop().await;
}

/// An operator whose node lies reissues nothing and reports why; the others continue, and so does the
/// operator once its node is honest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_whose_node_lies_reports_it_and_continues_once_the_node_is_honest() {
    let mut scene = Scene::devnet(Dialect::Dynafed).await;
    let liar = Liar::new(&scene, 2);
    scene.federation.set_reissuance_node(Some(liar.clone()));
    liar.tell(Some(Lie::Omitted));
    // It reads from the beginning, so that the lie is about blocks that it has not read yet.
    scene.federation.stop_operator(2).await.expect("it stops");
    let store = scene.federation.store_folder(2).join("reissuance.redb");
    std::fs::remove_file(store).expect("there");
    scene.federation.start_operator(2).await.expect("it starts");
    scene.wait_for_payments(2).await;
    let status = scene.federation.operator(2).expect("it runs").reissuance();
    wait_until("the lie is reported", || {
        let now = status.borrow();
        let problem = now.first().and_then(|asset| asset.problem.as_deref());
        problem.is_some_and(|problem| problem.contains("than its hash commits to"))
    })
    .await;
    liar.tell(None);
    wait_until("it has read the payments", || {
        let now = status.borrow();
        now.first()
            .is_some_and(|asset| asset.problem.is_none() && asset.paid.is_some())
    })
    .await;
    // With another operator down, nothing is paid without it.
    scene.federation.stop_operator(1).await.expect("it stops");
    let (_, events) = scene.read(0).await;
    let paid = crate::scene::check_payments(&events);
    scene.wait_for_payments(paid + 2).await;
    scene.federation.stop().await;
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
