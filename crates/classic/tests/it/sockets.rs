//! Five operators on five devnet nodes over real sockets: ours, and those of the `zeromq` crate for the
//! operators that behave like the Python program.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use federation_chain::{BlockHash, BlockHeight, Dialect, SigningRules};
use federation_classic::{
    Config, GuardFile, NodeSigner, Operator, Schedule, TurnGuard, system_clock,
    wire::zmq::{ZmqConfig, ZmqWire},
};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_multisig::{KeyOrder, MultisigScript, Network, Threshold, encode_wif};
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig};
use secp256k1::{SECP256K1, SecretKey};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeromq::{PubSocket, Socket, SocketRecv, SocketSend, SubSocket};

use crate::{
    network::Frame,
    python::{Messenger, Python},
};

const OPERATORS: usize = 5;
/// The old program's turns, and halves of them, take whole seconds.
const T: u64 = 2;

/// Sockets of the `zeromq` crate.
struct Sockets {
    publisher: PubSocket,
    frames: Vec<Arc<Mutex<VecDeque<Frame>>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sockets {
    async fn bind(nodes: &[String], me: usize) -> Self {
        let mut publisher = PubSocket::new();
        let own = format!("tcp://{}", nodes[me]);
        publisher.bind(&own).await.expect("a free port");
        let mut sockets = Self {
            publisher,
            frames: Vec::new(),
            tasks: Vec::new(),
        };
        for node in nodes.iter().filter(|node| **node != nodes[me]) {
            let (frames, endpoint) = (Arc::default(), format!("tcp://{node}"));
            sockets.frames.push(Arc::clone(&frames));
            sockets.tasks.push(tokio::spawn(follow(endpoint, frames)));
        }
        sockets
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn follow(endpoint: String, frames: Arc<Mutex<VecDeque<Frame>>>) {
    loop {
        let mut socket = SubSocket::new();
        for topic in ["10", "20"] {
            socket.subscribe(topic).await.expect("stored");
        }
        if socket.connect(&endpoint).await.is_ok() {
            while let Ok(message) = socket.recv().await {
                let bytes = message.get(0).expect("one part");
                let text = String::from_utf8(bytes.to_vec()).expect("text");
                let (topic, json) = text.split_once(' ').expect("a topic");
                let frame = (topic.to_owned(), json.to_owned());
                frames.lock().expect("unpoisoned").push_back(frame);
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[async_trait]
impl Messenger for Sockets {
    async fn produce(&mut self, topic: &str, json: String) {
        let message = format!("{topic} {json}").into();
        self.publisher.send(message).await.expect("bound");
    }

    fn consumers(&self) -> usize {
        self.frames.len()
    }

    async fn read(&mut self, consumer: usize) -> Option<Frame> {
        self.frames[consumer]
            .lock()
            .expect("unpoisoned")
            .pop_front()
    }

    async fn reconnect(&mut self) {
        for frames in &self.frames {
            frames.lock().expect("unpoisoned").clear();
        }
    }
}

/// Returns loopback addresses with ports reserved for this process.
fn free_nodes() -> Vec<String> {
    let port = || federation_ocean_rpc::process::free_port().expect("a port");
    (0..OPERATORS)
        .map(|_| format!("127.0.0.1:{}", port()))
        .collect()
}

/// Starts a devnet node whose wallet has an operator's key.
async fn node(dialect: Dialect, script: &MultisigScript, key: &SecretKey) -> (DevNode, NodeClient) {
    let config = DevNodeConfig::new(dialect, script.clone());
    let node = DevNode::spawn(config).await.expect("a node");
    let (user, password) = node.rpc_credentials();
    let config = NodeConfig::new(node.rpc_url()).with_auth(Auth::basic(user, password));
    let client = NodeClient::new(config.with_dialect(dialect)).expect("a client");
    let wif = encode_wif(key, &Network::ELEMENTS_CUSTOM);
    let _: serde_json::Value = client
        .call("importprivkey", &[wif.as_str().into()])
        .await
        .expect("imported");
    (node, client)
}

async fn a_mixture_makes_blocks(dialect: Dialect, ours: &[usize]) {
    let keys: Vec<_> = (1..=OPERATORS as u8)
        .map(|i| SecretKey::from_slice(&[i; 32]).expect("a key"))
        .collect();
    let public = keys.iter().map(|key| key.public_key(SECP256K1)).collect();
    let threshold = Threshold::new(3).expect("a threshold");
    let script = MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script");
    let size = SigningRules::required_signature_size(dialect, &script);
    let rules = SigningRules::new(dialect, script.clone(), size).expect("rules");
    let folder = tempfile::tempdir().expect("a folder");
    let mut nodes: Vec<DevNode> = Vec::new();
    let mut running = Vec::new();
    let mut clients = Vec::new();
    for key in &keys {
        let (node, client) = node(dialect, &script, key).await;
        for other in &nodes {
            node.connect(other.p2p_address());
        }
        nodes.push(node);
        clients.push(client);
    }
    // After all other listeners, which need ports too.
    let addresses = free_nodes();
    for (index, client) in clients.into_iter().enumerate() {
        let wallet = Arc::new(NodeSigner::new(client.clone(), &rules));
        if ours.contains(&index) {
            let schedule = Schedule::new(Duration::from_secs(T), OPERATORS).expect("a schedule");
            let own = folder.path().join(index.to_string());
            let genesis = BlockHash::from_bytes([1; 32]);
            let guard = TurnGuard::new(GuardFile::open(&own, genesis, index).expect("a guard"));
            let wire = ZmqConfig::new(addresses.clone(), index).expect("addresses");
            let wire = ZmqWire::bind(&wire).await.expect("a free port");
            let operator = Operator::new(
                Config::new(rules.clone(), schedule, index),
                Arc::new(client),
                Arc::new(wire),
                wallet,
                guard,
            );
            running.push(tokio::spawn(async move {
                let ended = operator.run(CancellationToken::new()).await;
                panic!("an operator ended: {ended:?}");
            }));
        } else {
            let python = Python {
                node: Arc::new(client),
                wallet,
                rules: rules.clone(),
                messenger: Sockets::bind(&addresses, index).await,
                clock: system_clock(),
                blocktime: T,
                total: OPERATORS as u64,
                my_id: index as u64,
                nsigs: 3,
            };
            running.push(tokio::spawn(python.run()));
        }
    }
    // Each has led once, and no height has two blocks.
    let height = |node: &DevNode| node.tip().0;
    let made = async {
        while nodes.iter().any(|node| height(node) < BlockHeight::new(6)) {
            assert!(
                running.iter().all(|task| !task.is_finished()),
                "an operator ended"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), made)
        .await
        .expect("six blocks");
    for at in (0..=6).map(BlockHeight::new) {
        let hashes: std::collections::BTreeSet<_> = nodes
            .iter()
            .filter_map(|node| Some(node.block(at)?.block_hash()))
            .collect();
        assert_eq!(hashes.len(), 1, "height {at}");
    }
    for task in running {
        task.abort();
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn three_of_ours_and_two_others_make_ocean_blocks() {
    a_mixture_makes_blocks(Dialect::Ocean, &[0, 2, 3]).await;
}

#[tokio::test]
async fn one_of_ours_and_four_others_make_elements_blocks() {
    a_mixture_makes_blocks(Dialect::Elements, &[1]).await;
}

#[tokio::test]
async fn four_of_ours_and_one_other_make_dynafed_blocks() {
    a_mixture_makes_blocks(Dialect::Dynafed, &[0, 1, 2, 4]).await;
}
