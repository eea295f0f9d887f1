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
        LIMIT, VICTIM, config, options, start, troubles, wait_for_blocks, wait_for_event,
        wait_for_missed, wait_for_no_answer, wait_for_recovery,
    },
};

fn short_limits() -> Options {
    let mut options = options();
    options.calls.messenger = Duration::from_secs(2);
    options
}

type Slot<T> = Arc<Mutex<Option<Arc<T>>>>;

/// Returns substitutes that wrap the victim's messenger, and a slot for the wrapper.
fn wrapped<T: Messenger>(
    wrap: impl Fn(Arc<dyn Messenger>) -> Arc<T> + Send + Sync + 'static,
) -> (Substitutes, Slot<T>) {
    let slot = Slot::default();
    let filled = slot.clone();
    let substitutes = Substitutes {
        messenger: Some(Arc::new(move |inner| {
            let wrapper = wrap(inner);
            *filled.lock().expect("no panic") = Some(wrapper.clone());
            wrapper
        })),
        ..Substitutes::default()
    };
    (substitutes, slot)
}

fn wrapper<T>(slot: &Slot<T>) -> Arc<T> {
    let slot = slot.lock().expect("no panic");
    slot.clone().expect("the operator was started")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_messenger_that_accepts_no_frame_is_reported_and_does_not_stop_the_others()
-> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.set_options(short_limits());
    let (substitutes, messenger) = wrapped(|inner| Fickle::new(inner, Mood::Hangs));
    let mut events = start(&mut federation, substitutes).await;
    wait_for_no_answer(&mut events, Part::Messenger).await;
    let (blocks, reason, refused) = wait_for_missed(&mut events, Duty::Vote).await;
    assert!(blocks >= 3, "{blocks}");
    assert_eq!(reason, "the messenger did not answer within 2 s");
    assert!(!refused, "it may be temporary");
    let concerns: Vec<_> = troubles(&federation).into_iter().map(|t| t.0).collect();
    assert!(
        concerns.contains(&Concern::Part(Part::Messenger)),
        "{concerns:?}"
    );
    wait_for_blocks(&federation, 3).await;

    wrapper(&messenger).set(Mood::Works);
    wait_for_recovery(&mut events, Concern::Duty(Duty::Vote)).await;
    // It is needed now.
    federation.stop_operator(0).await?;
    wait_for_blocks(&federation, 3).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_returns_while_the_messenger_blocks_its_thread() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.set_options(short_limits());
    let (substitutes, messenger) = wrapped(|inner| Fickle::new(inner, Mood::Blocks));
    let mut events = start(&mut federation, substitutes).await;
    wait_for_no_answer(&mut events, Part::Messenger).await;
    wait_for_blocks(&federation, 3).await;
    let handle = federation.take_operator(VICTIM).expect("it runs");
    let stopped = tokio::time::timeout(LIMIT, handle.shutdown()).await;
    stopped.expect("it returns").expect("it ran until then");
    wrapper(&messenger).set(Mood::Works);
    federation.stop().await;
    Ok(())
}

/// Carries frames as usual, but calls that ask for its links block their thread until it is released.
struct BlockingStats {
    inner: Arc<dyn Messenger>,
    is_blocking: Mutex<bool>,
    changed: Condvar,
}

impl BlockingStats {
    fn wrap(inner: Arc<dyn Messenger>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            is_blocking: Mutex::new(true),
            changed: Condvar::new(),
        })
    }

    fn block(&self) {
        let is_blocking = self.is_blocking.lock().expect("no panic");
        let condition = |is_blocking: &mut bool| *is_blocking;
        // Not for ever, so that a failing test ends.
        let limit = LIMIT * 2;
        drop(
            self.changed
                .wait_timeout_while(is_blocking, limit, condition),
        );
    }

    fn release(&self) {
        *self.is_blocking.lock().expect("no panic") = false;
        self.changed.notify_all();
    }
}

#[async_trait]
impl Messenger for BlockingStats {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        self.inner.broadcast(frame).await
    }

    fn has_unicast(&self) -> bool {
        self.block();
        self.inner.has_unicast()
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inner.recv().await
    }

    fn stats(&self) -> MessengerStats {
        self.block();
        self.inner.stats()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

/// An operator asks for its links when the chain stands still, and must report the standstill even if the
/// messenger does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_messenger_that_blocks_calls_for_its_links_stops_nobody() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(3)).await?;
    federation.set_options(short_limits());
    let (substitutes, messenger) = wrapped(BlockingStats::wrap);
    let mut events = start(&mut federation, substitutes).await;
    wait_for_blocks(&federation, 1).await;
    for other in [0, 1] {
        federation.stop_operator(other).await?;
    }
    let stands = wait_for_event(&mut events, "a standstill", |event| match event {
        OperatorEvent::StandsStill(standstill) => Some(standstill.clone()),
        _ => None,
    });
    let stands = stands.await;
    assert_eq!(stands.absent.len(), 2, "{stands:?}");
    assert!(stands.silent.is_empty(), "nobody is known to be connected");
    wait_for_no_answer(&mut events, Part::Messenger).await;

    for other in [0, 1] {
        federation.start_operator(other).await?;
    }
    wait_for_event(&mut events, "the end of the standstill", |event| {
        matches!(event, OperatorEvent::MovesAgain { .. }).then_some(())
    })
    .await;
    wait_for_blocks(&federation, 3).await;
    wrapper(&messenger).release();
    federation.stop().await;
    Ok(())
}
