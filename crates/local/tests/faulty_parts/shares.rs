//! Nodes that prevent their operator from doing its share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use federation_block_signing::Duty;
use federation_harness::Proxy;
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_operator::Concern;

use crate::{
    fickle::Forbids,
    scene::{VICTIM, config, start, troubles, wait_for_missed, wait_for_recovery},
};

async fn forbidden(method: &'static str, duty: Duty) -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let middleman = Arc::new(Forbids {
        method,
        is_on: AtomicBool::new(true),
    });
    let client = federation.node(VICTIM).client().clone();
    let proxy = Proxy::spawn(&client.url(), middleman.clone()).await;
    let proxy = proxy.expect("a port");
    federation.set_client(VICTIM, client.through(&proxy.url())?);
    let mut events = start(&mut federation, Substitutes::default()).await;
    let (_, reason, refused) = wait_for_missed(&mut events, duty).await;
    assert!(reason.contains("rpcwhitelist"), "{reason}");
    assert!(refused, "it is permanent");
    let (concern, text) = troubles(&federation).pop().expect("one");
    assert_eq!(concern, Concern::Duty(duty));
    assert!(text.contains(duty.not_done()), "{text}");
    middleman.is_on.store(false, Ordering::SeqCst);
    wait_for_recovery(&mut events, Concern::Duty(duty)).await;
    assert_eq!(troubles(&federation), []);
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_forbids_testproposedblock_is_reported() -> Result<(), LocalError> {
    forbidden("testproposedblock", Duty::Test).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_forbids_getnewblockhex_is_reported() -> Result<(), LocalError> {
    forbidden("getnewblockhex", Duty::Propose).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_forbids_submitblock_is_reported() -> Result<(), LocalError> {
    forbidden("submitblock", Duty::Submit).await
}
