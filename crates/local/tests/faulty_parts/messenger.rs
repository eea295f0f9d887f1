//! Messengers.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_block_signing::{Duty, Part};
use federation_local::{LocalError, LocalFederation, Substitutes};
use federation_messenger::{Messenger, MessengerError, MessengerStats};
use federation_operator::{Concern, OperatorEvent, Options};

use crate::{
    fickle::{Fickle, Mood},
    scene::{
        LIMIT, VICTIM, config, goes_on, hangs, hears, mended, misses, options, start, troubles,
    },
};

fn short() -> Options {
    let mut options = options();
    options.calls.messenger = Duration::from_secs(2);
    options
}

type Kept<T> = Arc<Mutex<Option<Arc<T>>>>;

/// Has the victim's messenger wrapped so, and keeps what it was wrapped in.
fn wrapped<T: Messenger>(
    wrap: impl Fn(Arc<dyn Messenger>) -> Arc<T> + Send + Sync + 'static,
) -> (Substitutes, Kept<T>) {
    let kept = Kept::default();
    let keep = kept.clone();
    let substitutes = Substitutes {
        messenger: Some(Arc::new(move |inner| {
            let made = wrap(inner);
            *keep.lock().expect("no panic") = Some(made.clone());
            made
        })),
        ..Substitutes::default()
    };
    (substitutes, kept)
}

fn made<T>(kept: &Kept<T>) -> Arc<T> {
    let kept = kept.lock().expect("no panic");
    kept.clone().expect("the operator was started")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_messenger_that_takes_no_frame_is_told_and_the_others_go_on() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.set_options(short());
    let (substitutes, messenger) = wrapped(|inner| Fickle::new(inner, Mood::Hangs));
    let mut events = start(&mut federation, substitutes).await;
    hangs(&mut events, Part::Messenger).await;
    let (blocks, reason, refused) = misses(&mut events, Duty::Vote).await;
    assert!(blocks >= 3, "{blocks}");
    assert_eq!(reason, "the messenger did not answer within 2 s");
    assert!(!refused, "it may pass");
    let concerns: Vec<_> = troubles(&federation).into_iter().map(|t| t.0).collect();
    assert!(
        concerns.contains(&Concern::Part(Part::Messenger)),
        "{concerns:?}"
    );
    goes_on(&federation, 3).await;

    made(&messenger).set(Mood::Well);
    mended(&mut events, Concern::Duty(Duty::Vote)).await;
    // It is needed now.
    federation.stop_operator(0).await?;
    goes_on(&federation, 3).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_returns_while_the_messenger_blocks_its_thread() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.set_options(short());
    let (substitutes, messenger) = wrapped(|inner| Fickle::new(inner, Mood::Blocks));
    let mut events = start(&mut federation, substitutes).await;
    hangs(&mut events, Part::Messenger).await;
    goes_on(&federation, 3).await;
    let handle = federation.take_operator(VICTIM).expect("it runs");
    let stopped = tokio::time::timeout(LIMIT, handle.shutdown()).await;
    stopped.expect("it returns").expect("it ran until then");
    made(&messenger).set(Mood::Well);
    federation.stop().await;
    Ok(())
}

/// Carries frames well, and blocks the thread of whoever asks about its links while it is numb.
struct Numb {
    inner: Arc<dyn Messenger>,
    is_numb: Mutex<bool>,
    changed: Condvar,
}

impl Numb {
    fn wrap(inner: Arc<dyn Messenger>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            is_numb: Mutex::new(true),
            changed: Condvar::new(),
        })
    }

    fn suffer(&self) {
        let is_numb = self.is_numb.lock().expect("no panic");
        let numb = |is_numb: &mut bool| *is_numb;
        // Not for ever: a test that fails is to end.
        drop(self.changed.wait_timeout_while(is_numb, LIMIT * 2, numb));
    }

    fn come_round(&self) {
        *self.is_numb.lock().expect("no panic") = false;
        self.changed.notify_all();
    }
}

#[async_trait]
impl Messenger for Numb {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        self.inner.broadcast(frame).await
    }

    fn has_unicast(&self) -> bool {
        self.suffer();
        self.inner.has_unicast()
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inner.recv().await
    }

    fn stats(&self) -> MessengerStats {
        self.suffer();
        self.inner.stats()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

/// Who is connected is asked when the chain stands still, which must be told all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_messenger_that_blocks_whoever_asks_about_its_links_stops_nobody()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.set_options(short());
    let (substitutes, messenger) = wrapped(Numb::wrap);
    let mut events = start(&mut federation, substitutes).await;
    goes_on(&federation, 1).await;
    for other in [0, 1] {
        federation.stop_operator(other).await?;
    }
    let stands = hears(&mut events, "a standstill", |event| match event {
        OperatorEvent::StandsStill(standstill) => Some(standstill.clone()),
        _ => None,
    });
    let stands = stands.await;
    assert_eq!(stands.absent.len(), 2, "{stands:?}");
    assert!(stands.silent.is_empty(), "nobody is known to be connected");
    hangs(&mut events, Part::Messenger).await;

    for other in [0, 1] {
        federation.start_operator(other).await?;
    }
    hears(&mut events, "the end of it", |event| {
        matches!(event, OperatorEvent::MovesAgain { .. }).then_some(())
    })
    .await;
    goes_on(&federation, 3).await;
    made(&messenger).come_round();
    federation.stop().await;
    Ok(())
}
