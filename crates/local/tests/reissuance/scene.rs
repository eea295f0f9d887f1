//! A federation that reissues an asset, and the chain's record of it.

use std::time::Duration;

use elements::{AssetId, Script};
use federation_chain::{BlockHeight, Dialect};
use federation_local::{LocalConfig, LocalFederation, NodeKind};
use federation_ocean_rpc::{Amount, Node, NodeClient};
use federation_operator::{IssuedAsset, Reading, follow, issue, token_addresses};
use federation_reissuance::{
    AssetSettings, Chain, Fee, Ledger, LedgerEvent, Schedule, ScriptKind, TokenForm, TokenScript,
};

pub(crate) const COIN: u64 = 100_000_000;
pub(crate) const PERIOD: u32 = 4;
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// The node's name for local chains.
const CHAIN: &str = "devnet";
const WALLET: &str = "issuer";

/// A federation with an asset that it reissues.
pub(crate) struct Scene {
    pub(crate) federation: LocalFederation,
    pub(crate) settings: AssetSettings,
    pub(crate) chain: Chain,
}

impl Scene {
    /// Three operators of which two must sign, on devnet.
    pub(crate) async fn devnet(dialect: Dialect) -> Self {
        Self::new(dialect, NodeKind::Devnet, Duration::from_millis(300), None).await
    }

    /// Starts a federation; the tokens are held by this kind of script, or the chain's usual one.
    pub(crate) async fn new(
        dialect: Dialect,
        nodes: NodeKind,
        interval: Duration,
        kind: Option<ScriptKind>,
    ) -> Self {
        let config = LocalConfig::new(3, 2)
            .with_dialect(dialect)
            .with_nodes(nodes)
            .with_interval(interval);
        let mut federation = LocalFederation::start(config).await.expect("it starts");
        federation.wait_for_height(1, LIMIT).await.expect("a block");
        let mut tokens = federation.token_script().expect("a script");
        if let Some(kind) = kind {
            tokens = TokenScript::new(tokens.multisig().clone(), kind).expect("it fits");
        }
        let (issued, fee) = issue_asset(&federation, &tokens).await;
        let chain = Chain {
            genesis: federation.federation().genesis(),
            tokens: TokenForm::of(dialect),
        };
        let asset = issued.asset.parse().expect("an asset id");
        let settings = settings(asset, "0.1", destination(), tokens).with_fee(fee);
        federation.set_reissuance(vec![settings.clone()]);
        let mut scene = Self {
            federation,
            settings,
            chain,
        };
        for index in 0..3 {
            scene.restart(index).await;
        }
        scene
    }

    /// Returns the settings with another rate or destination.
    pub(crate) fn settings_at(&self, rate: &str, destination: Script) -> AssetSettings {
        let tokens = self.settings.tokens().clone();
        settings(self.settings.asset(), rate, destination, tokens).with_fee(self.settings.fee())
    }

    pub(crate) async fn restart(&mut self, index: usize) {
        let federation = &mut self.federation;
        federation.stop_operator(index).await.expect("it stops");
        federation.start_operator(index).await.expect("it starts");
    }

    /// Reads the asset's ledger and events from a node's chain.
    pub(crate) async fn read(&self, node: usize) -> (Ledger, Vec<(BlockHeight, LedgerEvent)>) {
        let client = self.federation.node(node).client();
        let mut ledger = Ledger::new(self.chain, vec![self.settings.clone()]);
        let mut events = Events::default();
        let tip = client.block_count().await.expect("it answers");
        let rules = self.federation.federation().rules();
        follow(&mut ledger, client, rules, tip, &mut events)
            .await
            .expect("readable");
        (ledger, events.0)
    }

    /// Waits until this number of points is paid, and checks that each was paid once, in order, with the
    /// amount due.
    pub(crate) async fn wait_for_payments(&self, payments: usize) -> Ledger {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let (ledger, events) = self.read(0).await;
            let paid = check_payments(&events);
            if paid >= payments {
                return ledger;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{paid} of {payments} payments; {:?}; {}",
                ledger.plan(0),
                self.federation.describe(),
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Checks that points were paid once and with the amount due. Returns their number.
pub(crate) fn check_payments(events: &[(BlockHeight, LedgerEvent)]) -> usize {
    let mut last = None;
    let mut count = 0;
    for (height, event) in events {
        match event {
            LedgerEvent::Paid {
                point,
                scheduled,
                amount,
                in_order,
                ..
            } => {
                assert_eq!(scheduled, amount);
                assert!(*in_order && point.height() < *height && last < Some(*point));
                last = Some(*point);
                count += 1;
            }
            LedgerEvent::Unscheduled { .. } | LedgerEvent::Uncountable(_) => {
                panic!("{event:?} at {height}")
            }
            _ => {}
        }
    }
    count
}

#[derive(Default)]
struct Events(Vec<(BlockHeight, LedgerEvent)>);

impl Reading for Events {
    fn on_event(&mut self, height: BlockHeight, _: usize, event: &LedgerEvent) {
        self.0.push((height, *event));
    }
}

/// Issues an asset to the script, and sends it coins if the chain requires fees.
async fn issue_asset(
    federation: &LocalFederation,
    tokens: &TokenScript,
) -> (IssuedAsset, Option<Fee>) {
    let dialect = federation.federation().rules().dialect();
    let node = federation.node(0).client();
    node.ensure_wallet(WALLET).await.expect("a wallet");
    let genesis = federation.federation().genesis();
    let to = token_addresses(tokens, dialect, genesis, CHAIN).expect("addresses");
    if dialect == Dialect::Ocean {
        // On Ocean, fees are paid in the asset itself, and reissuances pay none.
        return (issue_to(node, &to.tokens).await, None);
    }
    // A new wallet has not scanned the genesis block, which has the first coins.
    node.rescan().await.expect("rescanned");
    let issued = issue_to(node, &to.tokens).await;
    let asset = node.sidechain_info().await.expect("Elements").pegged_asset;
    for _ in 0..3 {
        node.send_asset(&to.coins, Amount::from_sat(COIN / 10), &asset)
            .await
            .expect("coins for fees");
    }
    let fee = Fee {
        asset: asset.parse().expect("an asset id"),
        amount: 1000,
    };
    (issued, Some(fee))
}

async fn issue_to(node: &NodeClient, address: &str) -> IssuedAsset {
    let amount = Amount::from_sat(1000 * COIN);
    issue(node, address, amount, Amount::from_sat(COIN))
        .await
        .expect("issued")
}

/// Returns settings for which each block counts as a day.
fn settings(asset: AssetId, rate: &str, destination: Script, tokens: TokenScript) -> AssetSettings {
    let day = Duration::from_secs(24 * 60 * 60);
    let rate = rate.parse().expect("a rate");
    let schedule = Schedule::new(rate, PERIOD, day, BlockHeight::GENESIS).expect("a schedule");
    AssetSettings::new(asset, schedule, destination, tokens).expect("settings")
}

/// Returns a script that pays to an arbitrary key hash.
pub(crate) fn destination() -> Script {
    let mut bytes = vec![0x76, 0xa9, 20];
    bytes.extend([0x77; 20]);
    bytes.extend([0x88, 0xac]);
    Script::from(bytes)
}
