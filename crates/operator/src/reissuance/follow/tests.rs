//! A chain whose script changed: blocks that other keys have signed belong to the chain if a block
//! that the federation has signed builds on them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use elements::{
    AssetId, LockTime, OutPoint, Script, Transaction, TxIn, TxOut,
    confidential::{Asset, Value},
};
use federation_chain::{BlockHash, Header, HeaderFields, Proof};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{BlockchainInfo, ChainReport, HeaderInfo, NetworkInfo, SubmitOutcome};
use federation_reissuance::{AssetSettings, Chain, Schedule, ScriptKind, TokenForm, TokenScript};
use secp256k1::{Message, SECP256K1, SecretKey};

use super::*;

/// The height of the last block that the old keys signed, and of the last block of all.
const OLD: u32 = 4;
const TIP: u32 = 7;

struct Signers {
    keys: [SecretKey; 2],
    rules: SigningRules,
}

impl Signers {
    fn new(first: u8) -> Self {
        let keys = [first, first + 1].map(|n| SecretKey::from_slice(&[n; 32]).expect("a key"));
        let public = keys.iter().map(|key| key.public_key(SECP256K1)).collect();
        let script =
            MultisigScript::new(Threshold::new(2).expect("two"), public, KeyOrder::AsGiven);
        let rules = SigningRules::new(Dialect::Elements, script.expect("a script"), 300);
        Self {
            keys,
            rules: rules.expect("enough"),
        }
    }

    /// A block whose coinbase contains the byte `said`.
    fn unsigned(&self, previous: BlockHash, height: u32, said: u8) -> Block {
        let coinbase = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: Script::from(vec![1, said]),
                ..TxIn::default()
            }],
            output: vec![TxOut {
                asset: Asset::Explicit(AssetId::LIQUID_BTC),
                value: Value::Explicit(0),
                script_pubkey: Script::from(vec![0x6a]),
                ..TxOut::default()
            }],
        };
        let header = |merkle_root| {
            Header::new(HeaderFields {
                version: 0x2000_0000,
                previous,
                merkle_root,
                time: 1_600_000_000 + height,
                height: BlockHeight::new(height),
                proof: Proof::Signed {
                    challenge: self.rules.signing_script().to_vec(),
                    solution: vec![],
                },
            })
        };
        let draft = Block::from_parts(header([0; 32]), &[coinbase]);
        draft.with_header(header(draft.compute_merkle_root().expect("a root")))
    }

    fn block(&self, previous: BlockHash, height: u32, said: u8) -> Block {
        let block = self.unsigned(previous, height, said);
        let message = Message::from_digest(block.block_hash().to_bytes());
        let signatures: BTreeMap<_, _> = self
            .keys
            .iter()
            .map(|key| SECP256K1.sign_ecdsa(&message, key))
            .enumerate()
            .collect();
        self.rules.assemble(&block, &signatures).expect("complete")
    }
}

/// A node that has these blocks.
struct FakeNode(Vec<Block>);

fn not_found<T>() -> Result<T, RpcError> {
    Err(RpcError::Node {
        code: -8,
        message: "Block height out of range".to_owned(),
    })
}

impl FakeNode {
    fn find(&self, hash: BlockHash) -> Result<&Block, RpcError> {
        let found = self.0.iter().find(|block| block.block_hash() == hash);
        found.map_or_else(not_found, Ok)
    }
}

#[async_trait]
impl Node for FakeNode {
    async fn block_count(&self) -> Result<BlockHeight, RpcError> {
        Ok(BlockHeight::new(
            u32::try_from(self.0.len() - 1).expect("few"),
        ))
    }

    async fn block_hash(&self, height: BlockHeight) -> Result<BlockHash, RpcError> {
        let block = self.0.get(height.to_u32() as usize);
        block.map_or_else(not_found, |block| Ok(block.block_hash()))
    }

    async fn header(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        Ok(self.find(hash)?.header().encode().into())
    }

    async fn block(&self, hash: BlockHash) -> Result<Bytes, RpcError> {
        Ok(self.find(hash)?.as_bytes().clone())
    }

    async fn dialect(&self) -> Result<Dialect, RpcError> {
        not_found()
    }

    async fn best_block_hash(&self) -> Result<BlockHash, RpcError> {
        not_found()
    }

    async fn header_info(&self, _: BlockHash) -> Result<HeaderInfo, RpcError> {
        not_found()
    }

    async fn new_block(&self) -> Result<Bytes, RpcError> {
        not_found()
    }

    async fn test_proposed_block(&self, _: &[u8]) -> Result<(), RpcError> {
        not_found()
    }

    async fn include_transaction(&self, _: &str, _: &[u8]) -> Result<(), RpcError> {
        not_found()
    }

    async fn submit_block(&self, _: &[u8]) -> Result<SubmitOutcome, RpcError> {
        not_found()
    }

    async fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        not_found()
    }

    async fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        not_found()
    }

    async fn chain_report(&self) -> Result<ChainReport, RpcError> {
        not_found()
    }
}

struct IgnoreEvents;

impl Reading for IgnoreEvents {
    fn on_event(&mut self, _: BlockHeight, _: usize, _: &LedgerEvent) {}
}

/// A chain: the genesis block, blocks signed with the old keys, and blocks signed with the new
/// ones.
fn chain(old: &Signers, new: &Signers) -> Vec<Block> {
    let mut blocks = vec![old.unsigned(BlockHash::from_bytes([0; 32]), 0, 0)];
    for height in 1..=TIP {
        let previous = blocks[blocks.len() - 1].block_hash();
        let signers = if height <= OLD { old } else { new };
        blocks.push(signers.block(previous, height, 0));
    }
    blocks
}

fn ledger(blocks: &[Block], signers: &Signers) -> Ledger {
    let chain = Chain {
        genesis: blocks[0].block_hash(),
        tokens: TokenForm::Blinded,
    };
    let rate = "0.05".parse().expect("a rate");
    let second = Duration::from_secs(1);
    let schedule = Schedule::new(rate, 5, second, BlockHeight::GENESIS).expect("a schedule");
    let tokens = TokenScript::new(signers.rules.script().clone(), ScriptKind::P2wsh);
    let settings = AssetSettings::new(
        AssetId::from_byte_array([3; 32]),
        schedule,
        Script::from(vec![0x51]),
        tokens.expect("it fits"),
    );
    Ledger::new(chain, vec![settings.expect("settings")])
}

async fn read(
    ledger: &mut Ledger,
    blocks: Vec<Block>,
    rules: &SigningRules,
    to: u32,
) -> Result<(), FollowError> {
    let to = BlockHeight::new(to);
    follow(ledger, &FakeNode(blocks), rules, to, &mut IgnoreEvents).await
}

fn height(ledger: &Ledger) -> Option<u32> {
    ledger.tip().map(|(height, _)| height.to_u32())
}

#[tokio::test]
async fn blocks_of_earlier_keys_are_read_if_the_federations_blocks_build_on_them() {
    let (old, new) = (Signers::new(1), Signers::new(7));
    let blocks = chain(&old, &new);
    let mut whole = ledger(&blocks, &new);
    assert!(
        read(&mut whole, blocks.clone(), &new.rules, TIP)
            .await
            .is_ok()
    );
    assert_eq!(height(&whole), Some(TIP));
    // Also up to a height of the old keys, because the proof lies above it.
    let mut part = ledger(&blocks, &new);
    assert!(read(&mut part, blocks, &new.rules, 2).await.is_ok());
    assert_eq!(height(&part), Some(2));
}

#[tokio::test]
async fn blocks_of_other_keys_without_a_block_of_the_federation_above_them_are_not_read() {
    let (old, new) = (Signers::new(1), Signers::new(7));
    let blocks = chain(&old, &new);
    let mut ledger = ledger(&blocks, &new);
    let short = blocks[..=OLD as usize].to_vec();
    let error = read(&mut ledger, short, &new.rules, OLD).await;
    let first = BlockHeight::new(1);
    assert!(
        matches!(
            error,
            Err(FollowError::Unsigned { height, why: CheckError::Challenge { .. } })
                if height == first
        ),
        "{error:?}"
    );
    // The true blocks are then read.
    assert!(read(&mut ledger, blocks, &new.rules, TIP).await.is_ok());
    assert_eq!(height(&ledger), Some(TIP));
}

#[tokio::test]
async fn a_block_on_which_the_federations_blocks_do_not_build_is_not_read() {
    let (old, new) = (Signers::new(1), Signers::new(7));
    let truth = chain(&old, &new);
    let mut blocks = truth.clone();
    // It is unsigned, and names other signers than the federation.
    blocks[3] = old.unsigned(blocks[2].block_hash(), 3, 9);
    let mut ledger = ledger(&truth, &new);
    let error = read(&mut ledger, blocks, &new.rules, TIP).await;
    let above = BlockHeight::new(4);
    assert!(
        matches!(error, Err(FollowError::Other(height)) if height == above),
        "{error:?}"
    );
    assert!(error.is_err_and(|error| error.is_false_data()));
    assert_eq!(
        height(&ledger),
        Some(0),
        "none of the blocks below is proven then"
    );
    assert!(read(&mut ledger, truth, &new.rules, TIP).await.is_ok());
}

#[tokio::test]
async fn blocks_that_name_the_federations_script_need_its_signatures() {
    let (old, new) = (Signers::new(1), Signers::new(7));
    let truth = chain(&old, &new);
    let mut blocks = truth.clone();
    let at = TIP as usize;
    blocks[at] = new.unsigned(blocks[at - 1].block_hash(), TIP, 9);
    let mut ledger = ledger(&truth, &new);
    let error = read(&mut ledger, blocks.clone(), &new.rules, TIP).await;
    assert!(
        matches!(
            error,
            Err(FollowError::Unsigned {
                why: CheckError::Count { .. },
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(height(&ledger), Some(TIP - 1));
    // Signed, but it does not build on what was read.
    blocks[at] = new.block(blocks[2].block_hash(), TIP, 9);
    let error = read(&mut ledger, blocks, &new.rules, TIP).await;
    assert!(
        matches!(
            error,
            Err(FollowError::Ledger(LedgerError::Previous { .. }))
        ),
        "{error:?}"
    );
    assert_eq!(height(&ledger), Some(TIP - 1));
    assert!(read(&mut ledger, truth, &new.rules, TIP).await.is_ok());
}
