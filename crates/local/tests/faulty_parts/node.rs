//! Nodes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use federation_block_signing::Part;
use federation_harness::Proxy;
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_operator::{Concern, NodeState};

use crate::{
    fickle::Mute,
    scene::{
        LIMIT, VICTIM, config, options, start, troubles, wait_for_blocks, wait_for_no_answer,
        wait_for_recovery,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_answers_is_reported_and_does_not_stop_the_others()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let mut options = options();
    options.calls.node = Duration::from_secs(2);
    federation.set_options(options);
    let node = Arc::new(Mute(AtomicBool::new(false)));
    let client = federation.node(VICTIM).client().clone();
    let proxy = Proxy::spawn(&client.url(), node.clone()).await;
    let proxy = proxy.expect("a port");
    federation.set_client(VICTIM, client.through(&proxy.url())?);
    let mut events = start(&mut federation, Substitutes::default()).await;
    wait_for_blocks(&federation, 1).await;

    node.0.store(true, Ordering::SeqCst);
    wait_for_no_answer(&mut events, Part::Node).await;
    let concerns: Vec<_> = troubles(&federation).into_iter().map(|t| t.0).collect();
    assert!(
        concerns.contains(&Concern::Part(Part::Node)),
        "{concerns:?}"
    );
    let mut status = federation.operator(VICTIM).expect("it runs").status();
    let down = status
        .wait_for(|status| matches!(&status.node, NodeState::Down(why) if why.contains("2s")));
    let waited = tokio::time::timeout(LIMIT, down).await;
    drop(waited.expect("in time").expect("it runs"));
    let height = federation.check_one_chain().await?;
    let others = [0, 1, 2];
    let reached = federation.wait_for_height_at(&others, height + 3, LIMIT);
    reached.await?;

    node.0.store(false, Ordering::SeqCst);
    wait_for_recovery(&mut events, Concern::Part(Part::Node)).await;
    // It is needed now.
    federation.stop_operator(0).await?;
    wait_for_blocks(&federation, 3).await;
    federation.stop().await;
    Ok(())
}
