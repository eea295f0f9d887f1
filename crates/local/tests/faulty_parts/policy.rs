//! Policies on blocks.

use std::time::Duration;

use federation_block_signing::{Duty, Part};
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_operator::Concern;

use crate::{
    fickle::{Anything, Fickle, Mood},
    scene::{
        config, start, troubles, wait_for_blocks, wait_for_missed, wait_for_no_answer,
        wait_for_recovery,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_never_answers_is_reported_and_does_not_stop_the_others()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let policy = Fickle::new(Anything, Mood::Hangs);
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let mut events = start(&mut federation, substitutes).await;
    wait_for_no_answer(&mut events, Part::Policy).await;
    let (blocks, reason, refused) = wait_for_missed(&mut events, Duty::Test).await;
    assert!(blocks >= 3, "{blocks}");
    assert_eq!(reason, "the block policy did not answer within 2 s");
    assert!(!refused);
    wait_for_blocks(&federation, 3).await;
    policy.set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Test)).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_panics_at_each_block_ends_no_operator() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let policy = Fickle::new(Anything, Mood::Panics);
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let mut events = start(&mut federation, substitutes).await;
    let (_, reason, _) = wait_for_missed(&mut events, Duty::Test).await;
    assert_eq!(reason, "the block policy panicked: a fickle part");
    policy.set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Test)).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_needed_policy_that_hangs_now_and_then_does_not_stop_the_chain() -> Result<(), LocalError>
{
    let mut federation = LocalFederation::start(config(4)).await?;
    let policy = Fickle::new(Anything, Mood::HangsEach(4));
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let _events = start(&mut federation, substitutes).await;
    wait_for_blocks(&federation, 6).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_slower_than_the_blocks_reports_no_missed_block()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.delay(super::scene::VICTIM, Duration::from_millis(30));
    // Longer than the interval.
    let policy = Fickle::new(Anything, Mood::Slow(Duration::from_millis(400)));
    let substitutes = Substitutes {
        policy: Some(policy.clone()),
        ..Substitutes::default()
    };
    let mut events = start(&mut federation, substitutes).await;
    wait_for_blocks(&federation, 20).await;
    // The block is often complete before the policy is asked.
    for _ in 0..100 {
        if policy.calls() > 3 {
            break;
        }
        wait_for_blocks(&federation, 1).await;
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
