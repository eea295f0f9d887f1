//! From `ceremony init` to block 1, signed with the parties' keys.
//!
//! With real nodes: `ELEMENTSD=.. OCEAND=.. cargo test -p federation-multisig-cli --test ceremony -- --ignored`.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use federation_ceremony::{Certificate, KeyUse};
use federation_chain::{Block, BlockHeight};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_multisig::Network;
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, SubmitOutcome, process::free_port};
use federation_signer::{Signer, SoftwareSigner, key_file};

use crate::common::{N, Parties, join_line, text};

const DYNAFED: &str = "chain=fedchain\n";
const LEGACY: &str = "chain=fedchain\nevbparams=dynafed:-2:::\n";
const OCEAN: &str = "chain=fedchain\nembedcontract=0\n";
const COINS: &str = "initialfreecoins=500000\ninitialreissuancetokens=7\n";
const TOKENS: &str = "initialreissuancetokens=7\n";

/// A ceremony of five, with destinations for initial coins and tokens if the chain has any.
fn ceremony(node: &str, conf: &str) -> (Parties, Certificate) {
    let parties = Parties::new();
    let mut more = String::new();
    if conf.contains("coins") {
        more += &format!("--sweep-coins 0020{} ", "07".repeat(32));
    }
    let has_tokens = conf.contains("tokens");
    if has_tokens {
        more += "--reissuance --sweep-tokens reissuance-keys";
    }
    parties.give_all(&parties.init_with(node, conf, &more));
    for party in 0..N {
        let mut line = join_line(party, 7000);
        if has_tokens {
            text(&parties.run_line(party, "new -m 1 -n 1 --insecure-plain --out reissuance"));
            line += " --reissuance-key reissuance/block-1.key";
        }
        parties.give_all(&parties.sent(party, &line));
    }
    let certificate = String::from_utf8(parties.approve_and_finish()).expect("text");
    (parties, Certificate::parse(&certificate).expect("verifies"))
}

/// Three of the parties sign the node's block 1, including the sweep if there is one.
async fn make_block_1(parties: &Parties, certificate: &Certificate, node: &NodeClient) {
    let genesis = node.block_hash(BlockHeight::GENESIS).await.expect("there");
    assert_eq!(genesis, certificate.genesis_hash());
    assert_eq!(node.dialect().await.expect("one"), certificate.dialect());
    if let Some(sweep) = certificate.sweep() {
        node.include_transaction(&sweep.txid().to_string(), &sweep.to_bytes())
            .await
            .expect("the node accepts the sweep");
    }
    let template = node.new_block().await.expect("a template");
    let block = Block::decode(certificate.dialect(), template).expect("a block");
    if let Some(sweep) = certificate.sweep() {
        let ids = block.transaction_ids().expect("transactions");
        assert!(ids.contains(&sweep.txid().to_byte_array()));
    }
    let mut signatures = BTreeMap::new();
    for party in [0, 2, 4] {
        let path = parties.folder(party).join("block/block-1.key");
        let secret = key_file::read(&path, &Network::ELEMENTS_CUSTOM).expect("a key");
        let signer = SoftwareSigner::new(secret);
        let key = certificate.operators()[party].key(KeyUse::Block);
        assert_eq!(Some(signer.public_key()), key);
        let position = certificate.script().position(&signer.public_key());
        let signature = signer.sign_block(block.block_hash()).await.expect("signed");
        signatures.insert(position.expect("in the script"), signature);
    }
    let rules = certificate.federation().rules();
    let complete = rules.assemble(&block, &signatures).expect("complete");
    let outcome = node.submit_block(complete.as_bytes()).await;
    assert_eq!(outcome, Ok(SubmitOutcome::Accepted));
    let count = node.block_count().await.expect("a height");
    assert_eq!(count, BlockHeight::new(1));
}

async fn on_devnet(node: &str, conf: &str) {
    let (parties, certificate) = ceremony(node, conf);
    let genesis = certificate.chain().genesis();
    let config = DevNodeConfig::new(certificate.dialect(), certificate.script().clone())
        .with_max_signature_size(certificate.max_block_signature_size())
        .with_genesis(
            genesis.to_bytes().into(),
            genesis.pegged_asset().to_byte_array(),
        );
    let devnet = DevNode::spawn(config).await.expect("a node");
    let (user, password) = devnet.rpc_credentials();
    let config = NodeConfig::new(devnet.rpc_url()).with_auth(Auth::basic(user, password));
    let client = NodeClient::new(config).expect("a client");
    make_block_1(&parties, &certificate, &client).await;
    devnet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ceremony_ends_in_a_block_in_each_dialect() {
    on_devnet("elements", &format!("{DYNAFED}{COINS}")).await;
    on_devnet("elements", LEGACY).await;
    on_devnet("ocean", OCEAN).await;
}

/// A node's process, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a node with the settings of the certificate, and no others that define the chain.
async fn real_node(
    program: &str,
    certificate: &Certificate,
    folder: &Path,
) -> (Running, NodeClient) {
    let (rpc, p2p) = (free_port().expect("a port"), free_port().expect("a port"));
    let chain = certificate.chain_name();
    let elements = certificate.dialect() != federation_chain::Dialect::Ocean;
    let mut conf = certificate.node_settings();
    conf += "server=1\n";
    if elements {
        conf += &format!("validatepegin=0\n[{chain}]\n");
    }
    conf += &format!("rpcport={rpc}\nport={p2p}\nlisten=0\n");
    let name = if elements {
        "elements.conf"
    } else {
        "ocean.conf"
    };
    fs::write(folder.join(name), conf).expect("written");
    let child = Command::new(program)
        .arg(format!("-datadir={}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let running = Running(child);
    let config = NodeConfig::new(format!("http://127.0.0.1:{rpc}"))
        .with_auth(Auth::Cookie(folder.join(chain).join(".cookie")));
    let client = NodeClient::new(config).expect("a client");
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = client.block_count().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (running, client)
}

async fn on_a_real_node(variable: &str, node: &str, confs: &[&str]) {
    let program = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"));
    for conf in confs {
        let (parties, certificate) = ceremony(node, conf);
        let folder = tempfile::tempdir().expect("a folder");
        let (_running, client) = real_node(&program, &certificate, folder.path()).await;
        make_block_1(&parties, &certificate, &client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn a_ceremony_ends_in_a_block_of_elementsd() {
    let confs = [
        DYNAFED,
        LEGACY,
        &format!("{DYNAFED}{COINS}"),
        &format!("{LEGACY}{TOKENS}"),
    ];
    on_a_real_node("ELEMENTSD", "elements", &confs).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OCEAND"]
async fn a_ceremony_ends_in_a_block_of_oceand() {
    let chain = "chain=ocean_test\nembedcontract=0\n";
    on_a_real_node("OCEAND", "ocean", &[chain]).await;
}
