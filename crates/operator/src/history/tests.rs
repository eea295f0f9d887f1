//! Which blocks are checked, how often the node is asked, and which signatures the guard must know.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_chain::{Block, Dialect, HeaderFields, Proof, SigningRules};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{BlockchainInfo, ChainReport, HeaderInfo, NetworkInfo, SubmitOutcome};
use federation_roster::Member;
use federation_signer::{MemoryGuardStore, Secret, SoftwareSigner};
use secp256k1::{Message, SECP256K1, SecretKey};

use super::*;

const ME: OperatorId = OperatorId::new(0);
const BEGUN: u64 = 1_700_000_000;
const DRIFT: Duration = Duration::from_secs(10);

/// A chain of 2 of 3 operators with an interval of a minute, and a node that has it.
struct Chain {
    keys: Vec<SecretKey>,
    federation: Arc<Federation>,
    blocks: Vec<Block>,
    node: Arc<Headers>,
}

/// A node that knows only headers and counts the requests.
#[derive(Default)]
struct Headers {
    known: Mutex<HashMap<BlockHash, Bytes>>,
    asked: AtomicUsize,
}

impl Headers {
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

fn unknown<T>() -> Result<T, RpcError> {
    Err(RpcError::Node {
        code: -5,
        message: "unknown to this node".to_owned(),
    })
}

#[async_trait]
impl Node for Headers {
    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let known = self.known.lock().expect("not poisoned");
        known.get(&hash).cloned().map_or_else(unknown, Ok)
    }

    async fn dialect(&self) -> Result<Dialect, RpcError> {
        unknown()
    }
    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        unknown()
    }
    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        unknown()
    }
    async fn block_hash(&self, _: BlockHeight) -> Result<BlockHash, RpcError> {
        unknown()
    }
    async fn header_info(&self, _: BlockHash) -> Result<HeaderInfo, RpcError> {
        unknown()
    }
    async fn block(&self, _: BlockHash) -> Result<Bytes, RpcError> {
        unknown()
    }
    async fn new_block(&self) -> Result<Bytes, RpcError> {
        unknown()
    }
    async fn test_proposed_block(&self, _: &[u8]) -> Result<(), RpcError> {
        unknown()
    }
    async fn include_transaction(&self, _: &str, _: &[u8]) -> Result<(), RpcError> {
        unknown()
    }
    async fn submit_block(&self, _: &[u8]) -> Result<SubmitOutcome, RpcError> {
        unknown()
    }
    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        unknown()
    }
    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        unknown()
    }
    async fn chain_report(&self) -> Result<ChainReport, RpcError> {
        unknown()
    }
}

/// A clock that stands still.
#[derive(Debug)]
struct At(UnixTime);

impl Clock for At {
    fn now(&self) -> UnixTime {
        self.0
    }
}

impl Chain {
    /// A chain with a genesis block.
    fn new() -> Self {
        let secrets: Vec<Secret> = (0..3).map(|_| Secret::generate()).collect();
        let script = MultisigScript::new(
            Threshold::new(2).expect("small"),
            secrets.iter().map(Secret::public_key).collect(),
            KeyOrder::AsGiven,
        )
        .expect("a script");
        let size = SigningRules::required_signature_size(Dialect::Ocean, &script);
        let rules = SigningRules::new(Dialect::Ocean, script, size).expect("it fits");
        let operators = secrets
            .iter()
            .enumerate()
            .map(|(index, secret)| Member {
                name: format!("operator-{index}"),
                identity: Secret::generate().x_only_public_key(),
                block_key: secret.public_key(),
                endpoint: "127.0.0.1:1".to_owned(),
            })
            .collect();
        let minute = Duration::from_secs(60);
        let genesis = BlockHash::from_bytes([1; 32]);
        let federation = Federation::new(operators, rules, genesis, minute).expect("a federation");
        let mut chain = Self {
            keys: secrets
                .iter()
                .map(|secret| secret.to_hex().parse().expect("a key"))
                .collect(),
            federation: Arc::new(federation),
            blocks: Vec::new(),
            node: Arc::default(),
        };
        chain.push(&[]);
        chain
    }

    /// Adds a block signed by these operators.
    fn push(&mut self, signers: &[usize]) -> BlockHash {
        let height = u32::try_from(self.blocks.len()).expect("few");
        let previous = self
            .blocks
            .last()
            .map_or(BlockHash::from_bytes([0; 32]), Block::block_hash);
        let rules = self.federation.rules();
        let header = Header::new(HeaderFields {
            version: 0x2000_0000,
            previous,
            merkle_root: [0; 32],
            time: u32::try_from(BEGUN).expect("this century") + 60 * height,
            height: BlockHeight::new(height),
            proof: Proof::Ocean {
                // So that different signers make different blocks.
                contract: [signers
                    .first()
                    .map_or(9, |first| u8::try_from(*first).expect("few"));
                    32],
                attestation: [0; 32],
                mapping: [0; 32],
                challenge: rules.signing_script().to_vec(),
                solution: Vec::new(),
            },
        });
        // The block announces one transaction, which nobody reads here.
        let bytes = [header.encode(), vec![1, 0]].concat();
        let mut block = Block::decode(Dialect::Ocean, bytes.into()).expect("a block");
        if !signers.is_empty() {
            let message = Message::from_digest(block.block_hash().to_bytes());
            let signatures: BTreeMap<_, _> = signers
                .iter()
                .map(|place| (*place, SECP256K1.sign_ecdsa(&message, &self.keys[*place])))
                .collect();
            block = rules.assemble(&block, &signatures).expect("enough");
        }
        let hash = block.block_hash();
        let bytes = block.header().encode().into();
        let mut known = self.node.known.lock().expect("not poisoned");
        known.insert(hash, bytes);
        drop(known);
        self.blocks.push(block);
        hash
    }

    fn push_many(&mut self, count: usize, signers: &[usize]) -> BlockHash {
        (0..count).map(|_| self.push(signers)).last().expect("some")
    }

    fn at(&self, height: u32) -> (BlockHeight, BlockHash) {
        let block = &self.blocks[height as usize];
        (block.height(), block.block_hash())
    }

    /// The check of an operator whose guard has signed the blocks of these heights.
    async fn history(&self, known: Scope, seen: u32, signed: &[u32]) -> History {
        let key = Secret::from_hex(&self.keys[0].display_secret().to_string()).expect("a key");
        let signer: Box<dyn Signer> = Box::new(SoftwareSigner::new(key));
        let signer = GuardedSigner::new(signer, MemoryGuardStore::new()).expect("loads");
        for height in signed {
            let (height, hash) = self.at(*height);
            signer.sign_block(height, hash).await.expect("signs");
        }
        History {
            federation: self.federation.clone(),
            me: ME,
            node: self.node.clone(),
            signer: Arc::new(signer),
            clock: Arc::new(At(UnixTime::from_secs(BEGUN + 60 * 1_000_000))),
            max_drift: DRIFT,
            known,
            seen: Some(self.at(seen)),
            signers: None,
        }
    }
}

const fn above(height: u32) -> Scope {
    Scope::Above(Some(BlockHeight::new(height)))
}

/// The height of the block that the guard should know but does not.
fn found(result: Result<(), HistoryError>) -> Option<u32> {
    match result {
        Ok(()) => None,
        Err(HistoryError::Unknown { height, .. }) => Some(height.to_u32()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn each_new_header_is_requested_once_however_many_come_at_a_time() {
    let mut chain = Chain::new();
    chain.push_many(5, &[1, 2]);
    let mut history = chain.history(above(5), 5, &[]).await;
    let tip = chain.push(&[1, 2]);
    assert_eq!(found(history.check(tip).await), None);
    assert_eq!(chain.node.asked(), 1);
    // Nothing new.
    assert_eq!(found(history.check(tip).await), None);
    assert_eq!(chain.node.asked(), 0);
    let tip = chain.push_many(3000, &[1, 2]);
    assert_eq!(found(history.check(tip).await), None);
    assert_eq!(chain.node.asked(), 3000);
    assert_eq!(history.seen, Some(chain.at(3006)));
}

#[tokio::test]
async fn a_signature_of_this_operator_anywhere_between_two_tips_must_be_known() {
    let mut chain = Chain::new();
    chain.push_many(5, &[1, 2]);
    chain.push_many(200, &[1, 2]);
    let signed = u32::try_from(chain.blocks.len()).expect("few");
    chain.push(&[0, 2]);
    let tip = chain.push_many(300, &[1, 2]);
    let mut old = chain.history(above(5), 5, &[]).await;
    assert_eq!(found(old.check(tip).await), Some(signed));
    // A tip that failed the check counts as unchecked.
    assert_eq!(found(old.check(tip).await), Some(signed));
    let mut newest = chain.history(above(5), 5, &[signed]).await;
    assert_eq!(found(newest.check(tip).await), None);
    // Below the height that the guard knew at the start its records may be gone.
    let mut pruned = chain.history(above(signed), signed, &[]).await;
    assert_eq!(found(pruned.check(tip).await), None);
}

#[tokio::test]
async fn a_record_for_another_block_of_the_same_height_does_not_count() {
    let mut chain = Chain::new();
    chain.push_many(5, &[1, 2]);
    let mut history = chain.history(above(5), 5, &[]).await;
    let other = BlockHash::from_bytes([9; 32]);
    let signed = history.signer.sign_block(BlockHeight::new(6), other).await;
    signed.expect("signs");
    let tip = chain.push(&[0, 1]);
    assert_eq!(found(history.check(tip).await), Some(6));
}

#[tokio::test]
async fn a_replaced_tip_is_checked_again() {
    let mut chain = Chain::new();
    chain.push_many(5, &[1, 2]);
    let replaced = chain.push(&[1, 2]);
    let mut history = chain.history(above(3), 5, &[]).await;
    assert_eq!(found(history.check(replaced).await), None);
    chain.blocks.pop();
    let mut other = chain.history(above(3), 5, &[]).await;
    other.seen = history.seen;
    let tip = chain.push(&[0, 1]);
    assert_ne!(tip, replaced);
    assert_eq!(found(other.check(tip).await), Some(6));
}

#[tokio::test]
async fn an_observer_must_know_what_its_key_signs_after_its_start_and_nothing_before() {
    let mut chain = Chain::new();
    chain.push_many(5, &[1, 2]);
    // Signed before its memory was lost, up to height 10.
    let tip = chain.push_many(5, &[0, 2]);
    let time = |height: u64| UnixTime::from_secs(BEGUN + 60 * height);
    let start = time(10).saturating_sub(DRIFT);
    let mut observer = chain.history(Scope::Since(start), 5, &[]).await;
    assert_eq!(
        found(observer.check(tip).await),
        None,
        "a block that was already on its way"
    );
    let tip = chain.push(&[0, 2]);
    assert_eq!(found(observer.check(tip).await), Some(11));
    // It knows what it signs itself once it takes part.
    let mut taking_part = chain.history(Scope::Since(start), 10, &[11]).await;
    assert_eq!(found(taking_part.check(tip).await), None);
    // Block times ahead of the clock prove nothing.
    let mut ahead = chain.history(Scope::Since(start), 10, &[]).await;
    ahead.clock = Arc::new(At(time(10)));
    assert_eq!(found(ahead.check(tip).await), None);
}

#[tokio::test]
async fn a_missing_or_wrong_header_fails_the_check() {
    let mut chain = Chain::new();
    chain.push_many(5, &[1, 2]);
    let mut history = chain.history(above(5), 5, &[]).await;
    let hole = chain.push(&[1, 2]);
    let tip = chain.push(&[1, 2]);
    let take = |hash| chain.node.known.lock().expect("not poisoned").remove(&hash);
    let bytes = take(hole).expect("there");
    assert!(matches!(
        history.check(tip).await,
        Err(HistoryError::Node(_))
    ));
    assert_eq!(history.seen, Some(chain.at(5)));
    // Another block in its place.
    let put = |hash, bytes| {
        chain
            .node
            .known
            .lock()
            .expect("not poisoned")
            .insert(hash, bytes)
    };
    put(hole, chain.blocks[1].header().encode().into());
    assert!(matches!(
        history.check(tip).await,
        Err(HistoryError::Header(..))
    ));
    put(hole, bytes);
    assert_eq!(found(history.check(tip).await), None);
}

#[tokio::test]
async fn signatures_of_a_key_declared_new_are_searched_from_the_tip_down() {
    let mut chain = Chain::new();
    chain.push_many(3, &[1, 2]);
    chain.push(&[0, 1]);
    let tip = chain.push_many(20, &[1, 2]);
    let history = chain.history(Scope::Above(None), 24, &[]).await;
    let search = async |blocks| last_signed(&history, tip, blocks).await.expect("answers");
    assert_eq!(search(1000).await, Some(BlockHeight::new(4)));
    assert_eq!(search(20).await, None);
    let never = chain.history(Scope::Above(None), 24, &[]).await;
    let below = chain.at(3).1;
    assert_eq!(
        last_signed(&never, below, 1000).await.expect("answers"),
        None
    );
}
