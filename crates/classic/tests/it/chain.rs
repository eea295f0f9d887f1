//! In-memory nodes that share an Ocean chain: the first block seen wins, and blocks propagate with a
//! delay.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{
    Block, BlockHash, BlockHeight, Dialect, Header, HeaderFields, Proof, SigningRules, UnixTime,
};
use federation_classic::{BlockSigner, SignFailure};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{
    BlockchainInfo, ChainReport, HeaderInfo, NetworkInfo, Node, RpcError, SubmitOutcome,
};
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};
use serde_json::json;

/// When virtual time starts, not aligned to any interval.
const START: u64 = 1_570_000_003_700;

/// Returns the virtual Unix time.
pub fn now(started: tokio::time::Instant) -> UnixTime {
    UnixTime::from_millis(START).saturating_add(started.elapsed())
}

/// All nodes, and the history of the chain.
pub struct Chain {
    pub rules: SigningRules,
    pub started: tokio::time::Instant,
    keys: Vec<SecretKey>,
    nodes: Mutex<Vec<Vec<Block>>>,
    /// How long a block takes from one node to another.
    delay: Duration,
    /// Heights with two complete blocks.
    pub forks: Mutex<Vec<u32>>,
    /// When the first node received each block, and which node it was.
    pub made: Mutex<Vec<(UnixTime, usize)>>,
}

impl Chain {
    pub fn new(operators: u8, threshold: u8, delay: Duration) -> Arc<Self> {
        let keys: Vec<_> = (1..=operators)
            .map(|i| SecretKey::from_slice(&[i; 32]).expect("a key"))
            .collect();
        let public = keys.iter().map(|key| key.public_key(SECP256K1)).collect();
        let threshold = Threshold::new(threshold).expect("a threshold");
        let script = MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script");
        let size = SigningRules::required_signature_size(Dialect::Ocean, &script);
        let rules = SigningRules::new(Dialect::Ocean, script, size).expect("rules");
        let genesis = make(&rules, BlockHash::from_bytes([0; 32]), 0, 1_569_999_990, 0);
        Arc::new(Self {
            nodes: Mutex::new(vec![vec![genesis]; keys.len()]),
            rules,
            keys,
            delay,
            started: tokio::time::Instant::now(),
            forks: Mutex::default(),
            made: Mutex::default(),
        })
    }

    pub fn node(self: &Arc<Self>, index: usize) -> Arc<TestNode> {
        Arc::new(TestNode {
            chain: self.clone(),
            index,
        })
    }

    pub fn height(&self, index: usize) -> usize {
        self.nodes.lock().expect("unpoisoned")[index].len() - 1
    }

    /// Returns the index of the operator that proposed the block at a height.
    pub fn proposer(&self, height: usize) -> usize {
        let nodes = self.nodes.lock().expect("unpoisoned");
        match nodes[0][height].header().fields().proof {
            Proof::Ocean { contract, .. } => contract[0].into(),
            _ => unreachable!("an Ocean chain"),
        }
    }

    fn accept(self: &Arc<Self>, index: usize, block: &Block) -> Result<bool, &'static str> {
        self.rules
            .check_block(block)
            .map_err(|_| "block-proof-invalid")?;
        let at = block.height().to_u32() as usize;
        {
            let mut nodes = self.nodes.lock().expect("unpoisoned");
            let own = &mut nodes[index];
            match own.get(at) {
                Some(known) if known.block_hash() == block.block_hash() => return Ok(false),
                Some(_) => {
                    self.forks.lock().expect("unpoisoned").push(at as u32);
                    return Err("inconclusive");
                }
                None => {}
            }
            if own.len() != at || own[at - 1].block_hash() != block.header().previous() {
                return Err("prev-blk-not-found");
            }
            own.push(block.clone());
        }
        let mut made = self.made.lock().expect("unpoisoned");
        if made.len() < at {
            made.push((now(self.started), index));
        }
        drop(made);
        for other in (0..self.keys.len()).filter(|other| *other != index) {
            let (chain, block) = (self.clone(), block.clone());
            tokio::spawn(async move {
                tokio::time::sleep(chain.delay).await;
                let _ = chain.accept(other, &block);
            });
        }
        Ok(true)
    }
}

fn make(rules: &SigningRules, previous: BlockHash, height: u32, time: u32, index: u8) -> Block {
    let header = Header::new(HeaderFields {
        version: 0x2000_0000,
        previous,
        merkle_root: [0; 32],
        time,
        height: BlockHeight::new(height),
        proof: Proof::Ocean {
            contract: [index; 32],
            attestation: [0; 32],
            mapping: [0; 32],
            challenge: rules.signing_script().to_vec(),
            solution: Vec::new(),
        },
    });
    // One transaction is announced; it is not inspected here.
    let bytes = [header.encode(), vec![1, 0]].concat();
    Block::decode(Dialect::Ocean, bytes.into()).expect("a block")
}

/// One operator's node.
pub struct TestNode {
    pub chain: Arc<Chain>,
    pub index: usize,
}

impl TestNode {
    fn with<T>(&self, look: impl FnOnce(&[Block]) -> T) -> T {
        look(&self.chain.nodes.lock().expect("unpoisoned")[self.index])
    }

    /// Signs a block as `signblock` does.
    pub fn signblock(&self, block: &Block) -> Signature {
        let message = Message::from_digest(block.block_hash().to_bytes());
        SECP256K1.sign_ecdsa(&message, &self.chain.keys[self.index])
    }

    fn unknown() -> RpcError {
        RpcError::Node {
            code: -5,
            message: "Block not found".to_owned(),
        }
    }
}

#[async_trait]
impl BlockSigner for TestNode {
    async fn sign(&self, block: &Block) -> Result<Vec<Signature>, SignFailure> {
        Ok(vec![self.signblock(block)])
    }
}

#[async_trait]
impl Node for TestNode {
    async fn dialect(&self) -> Result<Dialect, RpcError> {
        Ok(Dialect::Ocean)
    }

    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        Ok(BlockHeight::new(self.chain.height(self.index) as u32))
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        Ok(self.with(|blocks| blocks[blocks.len() - 1].block_hash()))
    }

    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        self.with(|blocks| blocks.get(height.to_u32() as usize).map(Block::block_hash))
            .ok_or_else(Self::unknown)
    }

    async fn header_info(&self, hash: BlockHash) -> Result<HeaderInfo, RpcError> {
        let found = self.with(|blocks| {
            let block = blocks.iter().find(|block| block.block_hash() == hash)?;
            Some(json!({
                "hash": hash.to_string(),
                "height": block.height().to_u32(),
                "confirmations": 1,
                "time": block.header().time(),
                "mediantime": block.header().time(),
            }))
        });
        let found = found.ok_or_else(Self::unknown)?;
        Ok(serde_json::from_value(found).expect("a header"))
    }

    async fn header(&self, _: BlockHash) -> Result<Bytes, RpcError> {
        Err(Self::unknown())
    }

    async fn block(&self, _: BlockHash) -> Result<Bytes, RpcError> {
        Err(Self::unknown())
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        let time = u32::try_from(now(self.chain.started).as_secs()).expect("this century");
        let (tip, height) = self.with(|blocks| {
            let tip = &blocks[blocks.len() - 1];
            (tip.block_hash(), tip.height().next().to_u32())
        });
        let block = make(&self.chain.rules, tip, height, time, self.index as u8);
        Ok(block.as_bytes().clone())
    }

    async fn test_proposed_block(&self, block: &[u8]) -> Result<(), RpcError> {
        let block = Block::decode(Dialect::Ocean, Bytes::copy_from_slice(block)).expect("a block");
        if self.best_block_hash().await? == block.header().previous() {
            return Ok(());
        }
        Err(RpcError::Node {
            code: RpcError::VERIFY_ERROR,
            message: "proposal was not based on our best chain".to_owned(),
        })
    }

    async fn include_transaction(&self, _: &str, _: &[u8]) -> Result<(), RpcError> {
        Err(Self::unknown())
    }

    async fn submit_block(&self, block: &[u8]) -> Result<SubmitOutcome, RpcError> {
        let block = Block::decode(Dialect::Ocean, Bytes::copy_from_slice(block)).expect("a block");
        Ok(match self.chain.accept(self.index, &block) {
            Ok(true) => SubmitOutcome::Accepted,
            Ok(false) => SubmitOutcome::Duplicate,
            Err(reason) => SubmitOutcome::Rejected(reason.to_owned()),
        })
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        Err(Self::unknown())
    }

    async fn chain_report(&self) -> Result<ChainReport, RpcError> {
        Err(Self::unknown())
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        Err(Self::unknown())
    }
}
