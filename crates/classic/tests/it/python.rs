//! The behaviour of the Python program, as described by its wire and turns: its timing, and what it
//! counts, forgets and fails to check. For comparison only.

use std::sync::Arc;

use async_trait::async_trait;
use federation_chain::{Block, BlockHeight, Dialect, UnixTime, script_sig_of_signatures};
use federation_classic::BlockSigner;
use federation_ocean_rpc::Node;
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::ecdsa::Signature;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use crate::network::Frame;

const BLOCK: &str = "10";
const SIGNATURE: &str = "20";
/// The Python program polls without a pause; this is a short one.
const POLL: Duration = Duration::from_millis(50);

/// Its connections to the other operators.
#[async_trait]
pub trait Messenger: Send {
    async fn produce(&mut self, topic: &str, json: String);
    fn consumers(&self) -> usize;
    /// Returns the next frame of one of its sockets, if any.
    async fn read(&mut self, consumer: usize) -> Option<Frame>;
    async fn reconnect(&mut self);
}

/// An operator that runs the Python program.
pub struct Python<M> {
    pub node: Arc<dyn Node>,
    pub wallet: Arc<dyn BlockSigner>,
    pub rules: federation_chain::SigningRules,
    pub messenger: M,
    pub clock: federation_classic::Clock,
    pub blocktime: u64,
    pub total: u64,
    pub my_id: u64,
    pub nsigs: usize,
}

fn round_time(period: f64, time: f64) -> f64 {
    let rest = time % period;
    if rest >= period / 2.0 {
        time - rest + period
    } else {
        time - rest
    }
}

impl<M: Messenger> Python<M> {
    fn time(&self) -> f64 {
        (self.clock)().as_millis() as f64 / 1000.0
    }

    pub async fn run(mut self) {
        let default_interval = self.blocktime as f64;
        let catchup_interval = (self.blocktime / 2) as f64;
        let mut interval = default_interval;
        let mut init_block_time = 0.0;
        loop {
            let wait = interval - self.time() % interval;
            sleep(Duration::from_secs_f64(wait)).await;
            let start_time = self.time().floor();
            let step = (start_time % (interval * self.total as f64) / interval) as u64;
            let Ok(height) = self.node.block_count().await else {
                return;
            };
            let height = u64::from(height.to_u32());
            if height > 0 && init_block_time == 0.0 {
                let first = self.node.block_hash(BlockHeight::new(1)).await;
                let first = self.node.header_info(first.expect("block 1")).await;
                init_block_time = round_time(default_interval, first.expect("block 1").time as f64);
            }
            let expected = ((round_time(default_interval, self.time().floor()) - init_block_time)
                / default_interval)
                .floor();
            interval = if height > 0 && expected > height as f64 {
                catchup_interval
            } else {
                default_interval
            };
            if self.my_id == step {
                self.lead(height, start_time, interval).await;
            } else {
                self.follow(height, start_time, interval).await;
            }
        }
    }

    async fn follow(&mut self, height: u64, start: f64, interval: f64) {
        let block = loop {
            if self.time() - start >= interval / 3.0 {
                self.messenger.reconnect().await;
                return;
            }
            let found = self.consume(BLOCK, height).await.into_iter().next();
            match found {
                Some(message) => break message["block"]["blockhex"].clone(),
                None => sleep(POLL).await,
            }
        };
        let blocksig = self.blocksig(block.as_str().expect("hex")).await;
        let message = json!({"height": height + 1, "sig": {"blocksig": blocksig}});
        self.messenger.produce(SIGNATURE, message.to_string()).await;
        self.wait_until_half(start, interval).await;
    }

    async fn lead(&mut self, height: u64, start: f64, interval: f64) {
        let block = self.node.new_block().await.expect("a node");
        let hex = block.to_lower_hex_string();
        let message = json!({"height": height + 1, "block": {"blockhex": hex}});
        self.messenger.produce(BLOCK, message.to_string()).await;
        self.wait_until_half(start, interval).await;
        let messages = self.consume(SIGNATURE, height).await;
        if messages.len() < self.nsigs - 1 {
            self.messenger.reconnect().await;
            return;
        }
        let mut sigs: Vec<String> = messages
            .iter()
            .map(|message| message["sig"]["blocksig"].as_str().expect("hex").to_owned())
            .collect();
        sigs.push(self.blocksig(&hex).await);
        if let Some(complete) = self.combine(&hex, &sigs) {
            let _ = self.node.submit_block(complete.as_bytes()).await;
        }
    }

    async fn wait_until_half(&self, start: f64, interval: f64) {
        let elapsed = self.time() - start;
        let rest = interval / 2.0 - elapsed.min(interval / 2.0);
        sleep(Duration::from_secs_f64(rest)).await;
    }

    /// Returns the messages of a topic for the next height. It reads each socket up to the first message
    /// of another topic, which is lost, as are those of other heights.
    async fn consume(&mut self, topic: &str, height: u64) -> Vec<Value> {
        let mut found = Vec::new();
        for consumer in 0..self.messenger.consumers() {
            while let Some((found_topic, text)) = self.messenger.read(consumer).await {
                if found_topic != topic {
                    break;
                }
                let message: Value = serde_json::from_str(&text).expect("JSON, or it dies");
                if message["height"] == json!(height + 1) {
                    found.push(message);
                }
            }
        }
        found
    }

    /// `signblock`, for any block.
    async fn blocksig(&self, hex: &str) -> String {
        let block = decode(self.rules.dialect(), hex);
        let signatures = self.wallet.sign(&block).await.expect("a wallet");
        script_sig_of_signatures(&signatures).to_lower_hex_string()
    }

    /// `combineblocksigs`.
    fn combine(&self, hex: &str, sigs: &[String]) -> Option<Block> {
        let block = decode(self.rules.dialect(), hex);
        let mut valid = std::collections::BTreeMap::new();
        for sig in sigs {
            let script_sig = Vec::from_hex(sig).expect("hex");
            let signatures: Vec<Signature> =
                federation_chain::signatures_of_script_sig(&script_sig).expect("signatures");
            for signature in signatures {
                for index in 0..self.rules.script().keys().len() {
                    let hash = block.block_hash();
                    if self.rules.verify_signature(hash, index, &signature).is_ok() {
                        valid.insert(index, signature);
                    }
                }
            }
        }
        self.rules.assemble(&block, &valid).ok()
    }
}

fn decode(dialect: Dialect, hex: &str) -> Block {
    let bytes = Vec::from_hex(hex).expect("hex");
    Block::decode(dialect, bytes.into()).expect("a block")
}

/// Returns a moment in seconds, for test messages.
pub fn secs(moment: UnixTime) -> f64 {
    moment.as_millis() as f64 / 1000.0
}
