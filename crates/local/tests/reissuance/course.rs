//! The normal course: an asset is issued, reissued at each point, and checked by anyone.

use std::time::Duration;

use elements::{
    OutPoint, Script, Transaction, TxIn, TxOut, confidential::Asset, encode::serialize_hex,
};
use federation_chain::{BlockHeight, Dialect};
use federation_local::NodeKind;
use federation_ocean_rpc::{Amount, Node};
use federation_reissuance::ScriptKind;
use hex_conservative::FromHex;
use serde_json::Value;

use crate::scene::{COIN, LIMIT, PERIOD, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_is_reissued_at_each_point_in_every_dialect() {
    for dialect in [Dialect::Dynafed, Dialect::Elements, Dialect::Ocean] {
        let scene = Scene::devnet(dialect).await;
        runs(scene).await;
    }
}

async fn runs(scene: Scene) {
    let ledger = scene.wait_for_payments(3).await;
    assert!(ledger.circulation(0) > Some(1000 * COIN));
    let common = scene.federation.check_one_chain().await.expect("one chain");
    assert!(common > 0);
    // All nodes and operators agree.
    let (first, _) = scene.read(0).await;
    let (second, _) = scene.read(1).await;
    assert_eq!(first.settings(), second.settings());
    let status = scene.federation.operator(1).expect("it runs").reissuance();
    let status = status.borrow().clone();
    assert_eq!(status.len(), 1);
    assert!(status[0].paid.is_some() && status[0].circulation > 1000 * COIN);
    scene.federation.stop().await;
}

fn node(variable: &str) -> NodeKind {
    let path = std::env::var_os(variable).expect("the variable names the node");
    NodeKind::Process(path.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs ELEMENTSD"]
async fn an_asset_is_reissued_at_each_point_on_a_real_elementsd() {
    for (dialect, kind) in [
        (Dialect::Dynafed, None),
        (Dialect::Elements, Some(ScriptKind::P2sh)),
    ] {
        let interval = Duration::from_secs(1);
        let scene = Scene::new(dialect, node("ELEMENTSD"), interval, kind).await;
        runs(scene).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs OCEAND"]
async fn an_asset_is_reissued_at_each_point_on_a_real_oceand() {
    let interval = Duration::from_secs(1);
    let scene = Scene::new(Dialect::Ocean, node("OCEAND"), interval, None).await;
    runs(scene).await;
}

/// Node and ledger agree on the spendable and the frozen amount before, during and after a freeze.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs OCEAND"]
async fn a_real_oceand_counts_frozen_amounts_as_the_ledger_does() {
    let interval = Duration::from_secs(1);
    let scene = Scene::new(Dialect::Ocean, node("OCEAND"), interval, None).await;
    scene.wait_for_payments(1).await;
    assert_eq!(counts_agree(&scene).await, 0);
    let frozen = spend_own(&scene, Freeze::Begin).await;
    assert!(frozen > 0);
    assert_eq!(counts_agree(&scene).await, frozen);
    scene.wait_for_payments(3).await;
    let left = frozen - spend_own(&scene, Freeze::End).await;
    assert_eq!(counts_agree(&scene).await, left);
    scene.wait_for_payments(5).await;
    scene.federation.stop().await;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Freeze {
    Begin,
    End,
}

/// Waits for two blocks and compares node and ledger. Returns the frozen amount.
async fn counts_agree(scene: &Scene) -> u64 {
    let client = scene.federation.node(0).client();
    let tip = client.block_count().await.expect("it answers").to_u32();
    scene
        .federation
        .wait_for_height(tip + 2, LIMIT)
        .await
        .expect("blocks");
    loop {
        let before = client.best_block_hash().await.expect("it answers");
        let all: Vec<Value> = client.call("getutxoassetinfo", &[]).await.expect("known");
        let (ledger, _) = scene.read(0).await;
        if ledger.tip().map(|tip| tip.1) != Some(before) {
            continue;
        }
        let asset = scene.settings.asset().to_string();
        let entry = all.iter().find(|entry| entry["asset"] == asset.as_str());
        let entry = entry.expect("the asset");
        let count = |key: &str| -> u64 {
            let text = entry[key].to_string();
            text.trim_matches('"')
                .parse::<Amount>()
                .expect("an amount")
                .to_sat()
        };
        let there = ledger.circulation(0).expect("counted");
        assert_eq!(count("amountspendable") + count("amountfrozen"), there);
        let owed: u64 = ledger.owed(0).iter().map(|due| due.amount).sum();
        let height = ledger.tip().expect("a tip").0;
        let next = BlockHeight::new(height.to_u32() + 2 * PERIOD);
        let spendable = ledger.forecast(0, next)[0].circulation - owed;
        assert_eq!(spendable, count("amountspendable"));
        return count("amountfrozen");
    }
}

/// Spends a coin of the asset in the node's wallet to itself: freezes a coin by a mark, or unfreezes the
/// frozen one. Returns the coin's value.
async fn spend_own(scene: &Scene, what: Freeze) -> u64 {
    let client = scene.federation.node(0).client();
    let unspent: Vec<Value> = client.call("listunspent", &[]).await.expect("known");
    let asset = scene.settings.asset();
    let amount = |coin: &Value| -> u64 {
        coin["amount"]
            .to_string()
            .parse::<Amount>()
            .expect("an amount")
            .to_sat()
    };
    let mut coins: Vec<&Value> = unspent
        .iter()
        .filter(|coin| coin["asset"] == asset.to_string().as_str())
        .collect();
    // The frozen amount is the larger part of a coin.
    coins.sort_by_key(|coin| core::cmp::Reverse(amount(coin)));
    let coin = coins.first().expect("a coin");
    let text = |key: &str| coin[key].as_str().expect("text").to_owned();
    let value = amount(coin);
    let script = Script::from(Vec::from_hex(&text("scriptPubKey")).expect("hex"));
    let output = |value, script_pubkey| TxOut {
        asset: Asset::Explicit(asset),
        value: elements::confidential::Value::Explicit(value),
        script_pubkey,
        ..TxOut::default()
    };
    let nobody = Script::from([&[0x76, 0xa9, 20][..], &[0; 20], &[0x88, 0xac]].concat());
    let outputs = match what {
        Freeze::Begin => vec![output(value - 1000, script), output(1000, nobody)],
        Freeze::End => vec![output(value - 5000, script), TxOut::new_fee(5000, asset)],
    };
    let vout = u32::try_from(coin["vout"].as_u64().expect("a number")).expect("small");
    let transaction = Transaction {
        version: 2,
        lock_time: elements::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(text("txid").parse().expect("an id"), vout),
            sequence: elements::Sequence::MAX,
            ..TxIn::default()
        }],
        output: outputs,
    };
    let hex = Value::from(serialize_hex(&transaction));
    let signed: Value = client
        .call("signrawtransaction", &[hex])
        .await
        .expect("signed");
    let _: Value = client
        .call("sendrawtransaction", &[signed["hex"].clone()])
        .await
        .expect("accepted");
    value
}
