//! A reissuance key that hangs is reported, and blocks and reissuances continue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use federation_block_signing::{Alarm, Event, Part};
use federation_chain::Dialect;
use federation_local::Substitutes;
use federation_operator::{OperatorEvent, Options};
use federation_signer::{SignerError, SoftwareSpender, SpendSigner};
use secp256k1::{PublicKey, ecdsa};
use tokio::sync::broadcast::error::RecvError;

use crate::scene::{LIMIT, Scene};

const VICTIM: usize = 2;

/// A key that does not answer while it is stuck.
struct Stuck {
    key: SoftwareSpender,
    is_stuck: AtomicBool,
}

#[async_trait]
impl SpendSigner for Stuck {
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    async fn sign_spend(&self, sighash: [u8; 32]) -> Result<ecdsa::Signature, SignerError> {
        if self.is_stuck.load(Ordering::SeqCst) {
            core::future::pending::<()>().await;
        }
        self.key.sign_spend(sighash).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reissuance_key_that_hangs_is_reported_and_signs_once_it_works() {
    let mut scene = Scene::devnet(Dialect::Dynafed).await;
    let key = Arc::new(Stuck {
        key: SoftwareSpender::new(scene.federation.reissuance_key(VICTIM)),
        is_stuck: AtomicBool::new(true),
    });
    let mut options = Options::default();
    options.calls.key = Duration::from_secs(2);
    scene.federation.set_options(options);
    let substitutes = Substitutes {
        spender: Some(key.clone()),
        ..Substitutes::default()
    };
    scene.federation.set_substitutes(VICTIM, substitutes);
    scene.restart(VICTIM).await;
    let victim = scene.federation.operator(VICTIM).expect("it runs");
    let (mut events, mut status) = (victim.events(), victim.reissuance());
    let reported = async {
        loop {
            match events.recv().await {
                Ok(OperatorEvent::Protocol(Event::Alarm(Alarm::NoAnswer {
                    part: Part::ReissuanceKey,
                    given_up: true,
                    ..
                }))) => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("it runs on"),
            }
        }
    };
    tokio::time::timeout(LIMIT, reported)
        .await
        .expect("in time");
    // The other two are enough.
    scene.wait_for_payments(2).await;
    let problem = status.wait_for(|assets| {
        let problem = assets.first().and_then(|asset| asset.problem.as_ref());
        problem.is_some_and(|why| why.contains("the reissuance key did not answer within 2 s"))
    });
    let waited = tokio::time::timeout(LIMIT, problem).await;
    drop(waited.expect("in time").expect("it runs"));

    key.is_stuck.store(false, Ordering::SeqCst);
    let paid = scene.read(0).await.1.len();
    // It is needed now.
    scene.federation.stop_operator(0).await.expect("it stops");
    scene.wait_for_payments(paid + 1).await;
    key.is_stuck.store(true, Ordering::SeqCst);
    let stopped = scene.federation.stop_operator(VICTIM);
    tokio::time::timeout(LIMIT, stopped)
        .await
        .expect("it returns")
        .expect("it ran until then");
    scene.federation.stop().await;
}
