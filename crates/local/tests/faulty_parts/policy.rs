//! Policies on blocks.

use std::time::Duration;

use federation_block_signing::{Duty, Part};
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_operator::Concern;

use crate::{
    fickle::{Anything, Fickle, Mood},
    scene::{config, goes_on, hangs, mended, misses, start, troubles},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_never_answers_is_told_and_the_others_go_on() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let policy = Fickle::new(Anything, Mood::Hangs);
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let mut events = start(&mut federation, substitutes).await;
    hangs(&mut events, Part::Policy).await;
    let (blocks, reason, refused) = misses(&mut events, Duty::Test).await;
    assert!(blocks >= 3, "{blocks}");
    assert_eq!(reason, "the block policy did not answer within 2 s");
    assert!(!refused);
    goes_on(&federation, 3).await;
    policy.set(Mood::Well);
    mended(&mut events, Concern::Duty(Duty::Test)).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_panics_at_each_block_ends_nobody() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let policy = Fickle::new(Anything, Mood::Panics);
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let mut events = start(&mut federation, substitutes).await;
    let (_, reason, _) = misses(&mut events, Duty::Test).await;
    assert_eq!(reason, "the block policy panicked: a fickle part");
    policy.set(Mood::Well);
    mended(&mut events, Concern::Duty(Duty::Test)).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_on_with_a_policy_that_is_needed_and_hangs_now_and_then() -> Result<(), LocalError>
{
    let mut federation = LocalFederation::start(config(4)).await?;
    let policy = Fickle::new(Anything, Mood::HangsEach(4));
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let _events = start(&mut federation, substitutes).await;
    goes_on(&federation, 6).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_slower_than_the_blocks_has_missed_nothing() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.delay(super::scene::VICTIM, Duration::from_millis(30));
    // Longer than from one block to the next.
    let policy = Fickle::new(Anything, Mood::Slow(Duration::from_millis(400)));
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let mut events = start(&mut federation, substitutes).await;
    goes_on(&federation, 20).await;
    // Often the block is there before it is asked.
    for _ in 0..100 {
        if policy.calls() > 3 {
            break;
        }
        goes_on(&federation, 1).await;
    }
    assert!(policy.calls() > 3, "it was asked");
    let missed = core::iter::from_fn(|| Some(events.try_recv())).take_while(|event| {
        !matches!(
            event,
            Err(tokio::sync::broadcast::error::TryRecvError::Empty)
        )
    });
    for event in missed.flatten() {
        let text = format!("{event:?}");
        assert!(!text.contains("Missed"), "{text}");
    }
    assert!(
        troubles(&federation)
            .iter()
            .all(|(concern, _)| { !matches!(concern, Concern::Duty(_)) })
    );
    federation.stop().await;
    Ok(())
}
