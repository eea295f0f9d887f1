//! The events of all operators of a federation, in one stream.

use std::time::Instant;

use federation_operator::OperatorEvent;
use tokio::sync::{broadcast::error::RecvError, mpsc};

use crate::LocalFederation;

/// The number of events that may wait to be received.
const CAPACITY: usize = 4096;

/// Something that happened to one operator.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalEvent {
    /// The operator's index in the roster.
    pub operator: usize,
    /// When it happened.
    pub at: Instant,
    /// What happened.
    pub kind: LocalEventKind,
}

/// What can happen to an operator.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LocalEventKind {
    /// It reported an event.
    Operator(OperatorEvent),
    /// It ended, by itself or because it was stopped or killed.
    Ended,
}

/// Collects the events of all operators of a federation.
///
/// An operator that is started later, or again, must be attached. Where an operator reports faster
/// than its events are received, the oldest of them are lost.
#[derive(Debug)]
pub struct EventPump {
    sender: mpsc::Sender<(u32, LocalEvent)>,
    receiver: mpsc::Receiver<(u32, LocalEvent)>,
    /// The number of starts of each operator that were attached.
    starts: Vec<u32>,
}

impl EventPump {
    /// Attaches all running operators of a federation.
    #[must_use]
    pub fn new(federation: &LocalFederation) -> Self {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let size = federation.federation().size();
        let mut pump = Self {
            sender,
            receiver,
            starts: vec![0; size],
        };
        for index in 0..size {
            pump.attach(federation, index);
        }
        pump
    }

    /// Collects the events of an operator from now on; returns whether it is running.
    pub fn attach(&mut self, federation: &LocalFederation, index: usize) -> bool {
        let (Some(handle), Some(start)) = (federation.operator(index), self.starts.get_mut(index))
        else {
            return false;
        };
        *start += 1;
        let start = *start;
        let (mut events, mut status) = (handle.events(), handle.status());
        let event = move |kind| {
            let at = Instant::now();
            let operator = index;
            (start, LocalEvent { operator, at, kind })
        };
        let sender = self.sender.clone();
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(reported) => {
                        let reported = event(LocalEventKind::Operator(reported));
                        if sender.send(reported).await.is_err() {
                            return;
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        let sender = self.sender.clone();
        tokio::spawn(async move {
            while status.changed().await.is_ok() {}
            // The pump may be gone.
            let _ = sender.send(event(LocalEventKind::Ended)).await;
        });
        true
    }

    /// Waits for the next event. The end of an operator that was attached again since is left out.
    ///
    /// Cancel safe: no event is lost when the future is dropped.
    pub async fn recv(&mut self) -> LocalEvent {
        loop {
            let Some((start, event)) = self.receiver.recv().await else {
                // The pump holds a sender, so the channel does not close.
                return std::future::pending().await;
            };
            let is_current = self.starts.get(event.operator) == Some(&start);
            if is_current || !matches!(event.kind, LocalEventKind::Ended) {
                return event;
            }
        }
    }
}
