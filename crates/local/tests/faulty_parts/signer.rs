//! Block keys.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use federation_block_signing::{Duty, Part};
use federation_chain::BlockHeight;
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_operator::{Concern, GuardDatabase};
use federation_signer::Signer;

use crate::{
    fickle::{Mood, signer},
    scene::{
        LIMIT, VICTIM, config, start, troubles, wait_for_blocks, wait_for_missed,
        wait_for_no_answer, wait_for_recovery,
    },
};

fn substitutes(key: Arc<impl Signer + 'static>) -> Substitutes {
    Substitutes {
        signer: Some(key),
        ..Substitutes::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_key_is_reported_with_its_reason_even_if_blocks_do_not_need_it()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    // It is always slower than the three others.
    federation.delay(VICTIM, Duration::from_millis(40));
    let key = signer(federation.block_key(VICTIM), Mood::Refuses);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    let (blocks, reason, refused) = wait_for_missed(&mut events, Duty::Sign).await;
    assert_eq!(blocks, 3);
    assert!(
        reason.contains("the token wants a PIN for each use"),
        "{reason}"
    );
    assert!(refused, "it needs a person");
    let (concern, text) = troubles(&federation).pop().expect("one");
    assert_eq!(concern, Concern::Duty(Duty::Sign));
    assert!(text.contains("has signed no block"), "{text}");
    key.set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Sign)).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_height_that_needs_a_refusing_key_is_reported_and_continues_once_the_key_works()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(4)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::Refuses);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    let (blocks, _, _) = wait_for_missed(&mut events, Duty::Sign).await;
    assert_eq!(blocks, 0, "no block is possible");
    key.set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Sign)).await;
    wait_for_blocks(&federation, 3).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_hangs_stops_no_height_for_good_and_signs_one_block_at_each()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(4)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::HangsEach(2));
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    wait_for_no_answer(&mut events, Part::BlockKey).await;
    // Every height needs a second try.
    wait_for_blocks(&federation, 4).await;
    key.set(Mood::Hangs);
    let (_, reason, refused) = wait_for_missed(&mut events, Duty::Sign).await;
    assert_eq!(reason, "the block key did not answer within 2 s");
    assert!(!refused);
    key.set(Mood::Works);
    wait_for_blocks(&federation, 3).await;
    let height = federation.check_one_chain().await?;
    federation.stop_operator(VICTIM).await?;
    // The guard's records match the chain.
    let guard = GuardDatabase::open(
        &federation.store_folder(VICTIM),
        &key.public_key(),
        federation.federation().genesis(),
    )?;
    let signed: BTreeMap<_, _> = guard.held()?.state.records().collect();
    for (at, hash) in signed.iter().filter(|(at, _)| at.to_u32() <= height) {
        let chain = federation.node(0).hash_at(*at).await?;
        assert_eq!(*hash, chain, "height {at}");
    }
    assert!(signed.keys().any(|at| *at > BlockHeight::GENESIS));
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_returns_while_the_key_blocks_its_thread() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::Blocks);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    wait_for_no_answer(&mut events, Part::BlockKey).await;
    let handle = federation.take_operator(VICTIM).expect("it runs");
    let stopped = tokio::time::timeout(LIMIT, handle.shutdown()).await;
    stopped.expect("it returns").expect("it ran until then");
    key.set(Mood::Works);
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_panics_is_a_fault_of_the_key() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::Panics);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    let (_, reason, _) = wait_for_missed(&mut events, Duty::Sign).await;
    assert_eq!(reason, "the block key panicked: a fickle part");
    key.set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Sign)).await;
    federation.stop().await;
    Ok(())
}
