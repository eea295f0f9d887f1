//! A federation in which one operator has a faulty part, and the events by which it reports that.

use std::{num::NonZeroU32, time::Duration};

use federation_block_signing::{Alarm, Duty, Event, Part};
use federation_local::{LocalConfig, LocalFederation, Substitutes};
use federation_operator::{Concern, OperatorEvent, Options};
use tokio::sync::broadcast::{Receiver, error::RecvError};

pub(crate) const LIMIT: Duration = Duration::from_secs(180);
/// The operator with the faulty part.
pub(crate) const VICTIM: usize = 3;

/// Four operators with this threshold; the victim is not started yet.
pub(crate) fn config(threshold: u8) -> LocalConfig {
    LocalConfig::new(4, threshold)
        .with_interval(Duration::from_millis(300))
        .with_absent([VICTIM])
        .with_options(options())
}

/// Short limits, so that tests do not take long.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.calls.key = Duration::from_secs(2);
    options.calls.policy = Duration::from_secs(2);
    options.calls.slow = Some(Duration::from_millis(900));
    options.missed_blocks = NonZeroU32::new(3);
    options
}

/// Starts the victim with these parts and returns its events.
pub(crate) async fn start(
    federation: &mut LocalFederation,
    substitutes: Substitutes,
) -> Receiver<OperatorEvent> {
    federation.set_substitutes(VICTIM, substitutes);
    federation.start_operator(VICTIM).await.expect("it starts");
    federation.operator(VICTIM).expect("it runs").events()
}

/// Waits for an event.
pub(crate) async fn wait_for_event<T>(
    events: &mut Receiver<OperatorEvent>,
    what: &str,
    mut wanted: impl FnMut(&OperatorEvent) -> Option<T>,
) -> T {
    let found = async {
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => panic!("it ended before {what}"),
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, found).await;
    found.unwrap_or_else(|_| panic!("no event in time: {what}"))
}

/// Waits until the operator reports missed blocks. Returns their number, the reason, and whether it was a
/// refusal.
pub(crate) async fn wait_for_missed(
    events: &mut Receiver<OperatorEvent>,
    wanted: Duty,
) -> (u32, String, bool) {
    wait_for_event(events, "an alarm", |event| match event {
        OperatorEvent::Protocol(Event::Alarm(Alarm::Missed {
            duty,
            blocks,
            reason,
            refused,
        })) if *duty == wanted => Some((*blocks, reason.clone(), *refused)),
        _ => None,
    })
    .await
}

/// Waits until the operator reports that a part does not answer.
pub(crate) async fn wait_for_no_answer(events: &mut Receiver<OperatorEvent>, wanted: Part) {
    wait_for_event(events, "an alarm", |event| match event {
        OperatorEvent::Protocol(Event::Alarm(Alarm::NoAnswer { part, .. })) if *part == wanted => {
            Some(())
        }
        _ => None,
    })
    .await;
}

/// Waits until the operator reports that a trouble is over.
pub(crate) async fn wait_for_recovery(events: &mut Receiver<OperatorEvent>, wanted: Concern) {
    wait_for_event(events, "a recovery", |event| match event {
        OperatorEvent::Recovered(concern) if *concern == wanted => Some(()),
        _ => None,
    })
    .await;
}

/// Returns the troubles in the victim's status.
pub(crate) fn troubles(federation: &LocalFederation) -> Vec<(Concern, String)> {
    let status = federation.operator(VICTIM).expect("it runs").status();
    let status = status.borrow();
    let all = status.troubles.iter();
    all.map(|(concern, trouble)| (*concern, trouble.text.clone()))
        .collect()
}

/// Waits for this number of further blocks at all nodes.
pub(crate) async fn wait_for_blocks(federation: &LocalFederation, blocks: u32) {
    let height = federation.check_one_chain().await.expect("one chain");
    let reached = federation.wait_for_height(height + blocks, LIMIT).await;
    reached.expect("further blocks");
}
