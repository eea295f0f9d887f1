//! The plain course: issued, reissued at each point, checked by anyone.

use std::time::Duration;

use federation_chain::Dialect;
use federation_local::NodeKind;
use federation_reissuance::ScriptKind;

use crate::scene::{COIN, Scene};

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
    // All nodes say the same, and so do the operators.
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
