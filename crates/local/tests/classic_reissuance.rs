//! Reissuances with the older protocol, on real nodes: `OCEAND=.. cargo test -p federation-local --test
//! classic_reissuance -- --ignored`.

use std::{sync::Arc, time::Duration};

use federation_chain::Dialect;
use federation_classic::{
    Config, GuardFile, KeySigner, Operator, ReissuanceConfig, Reissuer, Schedule, TurnGuard,
    wire::zmq::{ZmqConfig, ZmqWire},
};
use federation_local::{LocalConfig, LocalFederation, NodeKind, free_ports};
use federation_ocean_rpc::{Amount, Node, NodeClient};
use federation_operator::token_addresses;
use federation_signer::{SoftwareSigner, SoftwareSpender};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const COIN: u64 = 100_000_000;
const PERIOD: u32 = 8;
const INTERVAL: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(180);
const WALLET: &str = "issuer";

/// Three operators of the older protocol.
struct World {
    federation: LocalFederation,
    nodes: Vec<String>,
    stop: CancellationToken,
}

impl World {
    async fn new() -> Self {
        let program = std::env::var_os("OCEAND").expect("OCEAND names the node");
        let config = LocalConfig::new(3, 2)
            .with_dialect(Dialect::Ocean)
            .with_interval(INTERVAL)
            .with_nodes(NodeKind::Process(program.into()))
            .with_node_args(vec![
                "-recordinflation=1".to_owned(),
                "-rescan=1".to_owned(),
            ])
            .with_absent(vec![0, 1, 2]);
        let federation = LocalFederation::start(config).await.expect("nodes");
        let ports = free_ports(3).expect("ports");
        Self {
            federation,
            nodes: ports.map(|port| format!("127.0.0.1:{port}")).collect(),
            stop: CancellationToken::new(),
        }
    }

    fn node(&self, index: usize) -> &NodeClient {
        self.federation.node(index).client()
    }

    /// Starts an operator, which reissues to this address if there is one.
    async fn start(&self, index: usize, stop: &CancellationToken, address: Option<&str>) {
        let genesis = self.federation.federation().genesis();
        let folder = self.federation.store_folder(index).join("classic");
        std::fs::create_dir_all(&folder).expect("made");
        let guard = TurnGuard::new(GuardFile::open(&folder, genesis, index).expect("a guard"));
        let schedule = Schedule::new(INTERVAL, 3).expect("a schedule");
        let rules = self.federation.federation().rules().clone();
        let wire = ZmqConfig::new(self.nodes.clone(), index).expect("addresses");
        let wire = Arc::new(ZmqWire::bind(&wire).await.expect("bound"));
        let key = SoftwareSigner::new(self.federation.block_key(index));
        let mut operator = Operator::new(
            Config::new(rules, schedule, index),
            Arc::new(self.node(index).clone()),
            wire,
            Arc::new(KeySigner::new(Arc::new(key))),
            guard,
        );
        if let Some(address) = address {
            let tokens = self.federation.token_script().expect("a script");
            let script = tokens.multisig().clone();
            let config = ReissuanceConfig::new(0.1, PERIOD, INTERVAL, address, script);
            let spender = SoftwareSpender::new(self.federation.reissuance_key(index));
            let node = Arc::new(self.node(index).clone());
            let reissuer = Reissuer::prepare(config.expect("a config"), node, Arc::new(spender));
            operator = operator.with_reissuer(reissuer.await.expect("prepared"));
        }
        let stop = stop.clone();
        tokio::spawn(async move {
            let ended = operator.run(stop).await;
            assert!(ended.is_ok(), "{ended:?}");
        });
    }

    async fn height(&self, height: u32) {
        self.federation
            .wait_for_height(height, LIMIT)
            .await
            .expect("blocks");
    }

    /// Returns the spendable amount of an asset in satoshi.
    async fn spendable(&self, asset: &str) -> u64 {
        let all: Vec<Value> = self
            .node(0)
            .call("getutxoassetinfo", &[])
            .await
            .expect("known");
        let entry = all.iter().find(|entry| entry["asset"] == asset);
        let text = entry.expect("the asset")["amountspendable"].to_string();
        text.trim_matches('"')
            .parse::<Amount>()
            .expect("an amount")
            .to_sat()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs OCEAND"]
async fn the_older_protocol_reissues_on_a_real_oceand() {
    let world = World::new().await;
    let first = CancellationToken::new();
    for index in 0..3 {
        world.start(index, &first, None).await;
    }
    world.height(2).await;
    // Ten thousand tokens and one for the fee, as is usual on Ocean.
    let node = world.node(0);
    node.ensure_wallet(WALLET).await.expect("a wallet");
    let issued = node
        .issue_asset(
            Amount::from_sat(1000 * COIN),
            Amount::from_sat(10_001 * COIN),
        )
        .await
        .expect("issued");
    let tokens = world.federation.token_script().expect("a script");
    let genesis = world.federation.federation().genesis();
    let to = token_addresses(&tokens, Dialect::Ocean, genesis, "ocean_test").expect("addresses");
    node.send_whole_asset(&to.tokens, Amount::from_sat(10_001 * COIN), &issued.token)
        .await
        .expect("paid");
    let before = node.block_count().await.expect("it answers").to_u32();
    world.height(before + 2).await;
    first.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;

    let address = node.new_address().await.expect("an address");
    let before = world.spendable(&issued.asset).await;
    for index in 0..3 {
        world.start(index, &world.stop, Some(&address)).await;
    }
    let at = node.block_count().await.expect("it answers").to_u32();
    let step = (at / PERIOD + 1) * PERIOD;
    world.height(step + 3).await;
    let once = world.spendable(&issued.asset).await;
    assert!(
        once > before,
        "reissued at height {step}: {once}, before {before}"
    );
    world.height(step + PERIOD + 3).await;
    let twice = world.spendable(&issued.asset).await;
    let (first, second) = (once - before, twice - once);
    assert!(
        first.abs_diff(second) <= first / 100,
        "{first} and {second}"
    );
    world.federation.check_one_chain().await.expect("one chain");
    world.stop.cancel();
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.federation.stop().await;
}
