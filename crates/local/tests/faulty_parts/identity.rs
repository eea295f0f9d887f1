//! Identity keys.

use std::{sync::Arc, time::Duration};

use federation_block_signing::{Duty, Part};
use federation_local::{LocalConfig, LocalError, LocalFederation, Substitutes};
use federation_operator::Concern;

use crate::{
    fickle::{Mood, identity},
    scene::{
        LIMIT, VICTIM, config, options, start, troubles, wait_for_blocks, wait_for_missed,
        wait_for_no_answer, wait_for_recovery,
    },
};

fn substitutes(key: Arc<impl federation_signer::IdentitySigner + 'static>) -> Substitutes {
    Substitutes {
        identity: Some(key),
        ..Substitutes::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_take_50_ms_per_signature_make_blocks_every_500_ms() -> Result<(), LocalError> {
    let config = LocalConfig::new(3, 3)
        .with_interval(Duration::from_millis(500))
        .with_absent([0, 1, 2]);
    let mut federation = LocalFederation::start(config).await?;
    let slow = Mood::Slow(Duration::from_millis(50));
    let mut keys = Vec::new();
    for index in 0..3 {
        let key = identity(federation.identity_key(index), slow);
        federation.set_substitutes(index, substitutes(key.clone()));
        federation.start_operator(index).await?;
        keys.push(key);
    }
    federation.wait_for_height(12, LIMIT).await?;
    federation.check_one_chain().await?;
    for key in &keys {
        assert!(key.calls() >= 3 * 12, "two votes and the block signature");
    }
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_never_answers_affects_only_its_operator_and_is_reported()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let key = identity(federation.identity_key(VICTIM), Mood::Hangs);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    wait_for_no_answer(&mut events, Part::IdentityKey).await;
    let (blocks, reason, refused) = wait_for_missed(&mut events, Duty::Vote).await;
    assert!(blocks >= 3, "{blocks}");
    assert_eq!(reason, "the identity key did not answer within 2 s");
    assert!(!refused, "it may be temporary");
    let concerns: Vec<_> = troubles(&federation).into_iter().map(|t| t.0).collect();
    let expected = [Concern::Duty(Duty::Vote), Concern::Part(Part::IdentityKey)];
    assert_eq!(concerns, expected);
    wait_for_blocks(&federation, 3).await;

    key.set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Vote)).await;
    let status = federation.operator(VICTIM).expect("it runs").status();
    let clear = async {
        let mut status = status;
        status
            .wait_for(|status| status.troubles.is_empty())
            .await
            .map(drop)
    };
    tokio::time::timeout(LIMIT, clear)
        .await
        .expect("in time")
        .expect("it runs");
    // It is needed now.
    federation.stop_operator(0).await?;
    wait_for_blocks(&federation, 3).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_needed_key_that_fails_or_hangs_now_and_then_does_not_stop_the_chain()
-> Result<(), LocalError> {
    for mood in [Mood::FailsEach(3), Mood::HangsEach(7)] {
        let mut federation = LocalFederation::start(config(4)).await?;
        let key = identity(federation.identity_key(VICTIM), mood);
        let _events = start(&mut federation, substitutes(key)).await;
        wait_for_blocks(&federation, 8).await;
        federation.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_returns_and_all_tasks_end_even_if_the_key_hangs_or_blocks()
-> Result<(), LocalError> {
    for mood in [Mood::Hangs, Mood::Blocks] {
        let mut federation = LocalFederation::start(config(3)).await?;
        let key = identity(federation.identity_key(VICTIM), mood);
        let mut events = start(&mut federation, substitutes(key.clone())).await;
        wait_for_no_answer(&mut events, Part::IdentityKey).await;
        let handle = federation.take_operator(VICTIM).expect("it runs");
        let stopped = tokio::time::timeout(LIMIT, handle.shutdown()).await;
        stopped.expect("it returns").expect("it ran until then");
        // A blocked thread holds the key until it is released.
        key.set(Mood::Works);
        federation.set_substitutes(VICTIM, Substitutes::default());
        wait_until_released(&key).await;
        federation.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_handle_ends_all_tasks() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let key = identity(federation.identity_key(VICTIM), Mood::Hangs);
    let mut events = start(&mut federation, substitutes(key.clone())).await;
    wait_for_no_answer(&mut events, Part::IdentityKey).await;
    drop(federation.take_operator(VICTIM));
    federation.set_substitutes(VICTIM, Substitutes::default());
    wait_until_released(&key).await;
    federation.stop().await;
    Ok(())
}

/// Waits until this is the only reference to a key.
async fn wait_until_released<T>(key: &Arc<T>) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    while Arc::strong_count(key) > 1 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the key is still in use"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_behind_the_right_public_key_does_no_harm() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    let forger = Arc::new(Forger {
        shown: federation_signer::SoftwareIdentity::new(federation.identity_key(VICTIM)),
        used: federation_signer::SoftwareIdentity::new(federation.identity_key(0)),
    });
    federation.set_options(options());
    let mut events = start(&mut federation, substitutes(forger)).await;
    let (_, reason, refused) = wait_for_missed(&mut events, Duty::Vote).await;
    assert!(reason.contains("does not verify"), "{reason}");
    assert!(refused);
    wait_for_blocks(&federation, 3).await;
    let status = federation.operator(0).expect("it runs").status();
    assert_eq!(status.borrow().counters.bad_signature, 0, "none was sent");
    federation.stop().await;
    Ok(())
}

struct Forger {
    shown: federation_signer::SoftwareIdentity,
    used: federation_signer::SoftwareIdentity,
}

#[async_trait::async_trait]
impl federation_signer::IdentitySigner for Forger {
    fn public_key(&self) -> secp256k1::XOnlyPublicKey {
        self.shown.public_key()
    }

    async fn sign_envelope(
        &self,
        digest: [u8; 32],
    ) -> Result<[u8; 64], federation_signer::SignerError> {
        self.used.sign_envelope(digest).await
    }
}
