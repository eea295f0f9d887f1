//! Block keys.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use federation_block_signing::{Duty, Part};
use federation_chain::BlockHeight;
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_operator::{Concern, HeldGuardStore};
use federation_signer::Signer;

use crate::{
    fickle::{Mood, signer},
    scene::{LIMIT, VICTIM, config, goes_on, hangs, mended, misses, start, troubles},
};

fn substitutes(key: Arc<impl Signer + 'static>) -> Substitutes {
    Substitutes {
        signer: Some(key),
        ..Substitutes::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_refuses_is_told_with_its_reason_though_blocks_come_without_it()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    // It is always later than the three others.
    federation.delay(VICTIM, Duration::from_millis(40));
    let key = signer(federation.block_key(VICTIM), Mood::Refuses);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    let (blocks, reason, refused) = misses(&mut events, Duty::Sign).await;
    assert_eq!(blocks, 3);
    assert!(
        reason.contains("the token wants a PIN for each use"),
        "{reason}"
    );
    assert!(refused, "a person must see to it");
    let (concern, text) = troubles(&federation).pop().expect("one");
    assert_eq!(concern, Concern::Duty(Duty::Sign));
    assert!(text.contains("has signed no block"), "{text}");
    key.set(Mood::Well);
    mended(&mut events, Concern::Duty(Duty::Sign)).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_height_that_waits_for_a_key_that_refuses_is_told_and_goes_on_when_it_is_mended()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(4)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::Refuses);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    let (blocks, _, _) = misses(&mut events, Duty::Sign).await;
    assert_eq!(blocks, 0, "no block can come");
    key.set(Mood::Well);
    mended(&mut events, Concern::Duty(Duty::Sign)).await;
    goes_on(&federation, 3).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_never_answers_stops_no_height_for_good_and_signs_one_block_at_each()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(4)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::HangsEach(2));
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    hangs(&mut events, Part::BlockKey).await;
    // Every height needs a second try.
    goes_on(&federation, 4).await;
    key.set(Mood::Hangs);
    let (_, reason, refused) = misses(&mut events, Duty::Sign).await;
    assert_eq!(reason, "the block key did not answer within 2 s");
    assert!(!refused);
    key.set(Mood::Well);
    goes_on(&federation, 3).await;
    let height = federation.check_one_chain().await?;
    federation.stop_operator(VICTIM).await?;
    // What the guard let pass is what is on the chain.
    let guard = HeldGuardStore::open(
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
    hangs(&mut events, Part::BlockKey).await;
    let handle = federation.take_operator(VICTIM).expect("it runs");
    let stopped = tokio::time::timeout(LIMIT, handle.shutdown()).await;
    stopped.expect("it returns").expect("it ran until then");
    key.set(Mood::Well);
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_panics_is_a_fault_of_the_key() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let key = signer(federation.block_key(VICTIM), Mood::Panics);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    let (_, reason, _) = misses(&mut events, Duty::Sign).await;
    assert_eq!(reason, "the block key panicked: a fickle part");
    key.set(Mood::Well);
    mended(&mut events, Concern::Duty(Duty::Sign)).await;
    federation.stop().await;
    Ok(())
}
