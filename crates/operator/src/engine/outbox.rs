//! Signs and sends the operator's messages outside the loop, so that a slow key does not hold up
//! the protocol.
//!
//! The machine repeats its messages at each retransmit interval. A message that is already queued
//! is not queued a second time, a later certificate replaces an earlier one, messages of finished
//! heights are dropped, and a message that was signed once is sent again without asking the key.

mod queue;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use federation_block_signing::{Duty, IdentitySignature, Message, SignedMessage};
use federation_chain::BlockHeight;
use federation_roster::UnsignedEnvelope;
use federation_signer::SignerError;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout_at},
};

pub(super) use self::queue::{OutboxQueue, OutgoingMessage};
use super::{
    blocks::INLINE,
    broadcaster::{BroadcastError, Broadcaster},
    duties::DutyOutcome,
    ingress::envelope_of,
};
use crate::log::Log;

/// How many signatures may be pending at a time: one that hangs must not hold up the others.
const MAX_PENDING: usize = 8;

/// How long a message waits for the one before it, so that the messages of a fast key keep their
/// order.
const ORDER_PATIENCE: Duration = Duration::from_millis(20);

/// How many signatures are kept for retransmissions.
const MAX_CACHED: usize = 256;

/// What became of a message, for the engine.
pub(super) enum SendReport {
    /// The operator's own message, which the machine counts like everybody else's.
    OwnMessage(SignedMessage),
    /// Whether a vote was sent.
    Vote(BlockHeight, DutyOutcome),
    /// The key will sign nothing more in this process.
    KeyEnded(SignerError),
}

/// Whether a message was just signed, or is a retransmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Repeat,
}

/// A message whose signature is pending.
struct PendingSignature {
    outgoing: OutgoingMessage,
    since: Instant,
}

/// The key's answer for one message.
struct Signed {
    number: u64,
    digest: [u8; 32],
    unsigned: UnsignedEnvelope,
    signature: Result<[u8; 64], BroadcastError>,
}

/// Signs and sends what is queued, until it is dropped.
pub(super) struct Outbox {
    queue: Arc<OutboxQueue>,
    broadcaster: Broadcaster,
    reports: mpsc::UnboundedSender<SendReport>,
    log: Arc<Log>,
    signing: JoinSet<Signed>,
    pending: BTreeMap<u64, PendingSignature>,
    next_number: u64,
    cache: SignatureCache,
}

impl Outbox {
    pub(super) fn new(
        queue: Arc<OutboxQueue>,
        broadcaster: Broadcaster,
        reports: mpsc::UnboundedSender<SendReport>,
        log: Arc<Log>,
    ) -> Self {
        Self {
            queue,
            broadcaster,
            reports,
            log,
            signing: JoinSet::new(),
            pending: BTreeMap::new(),
            next_number: 0,
            cache: SignatureCache::default(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            while let Some(outgoing) = self.next() {
                self.start(outgoing).await;
            }
            tokio::select! {
                Some(done) = self.signing.join_next() => self.on_signed(done).await,
                () = self.queue.added() => {}
            }
        }
    }

    /// Returns the message to sign next: none whose signature is pending, unless that takes so long
    /// that a second attempt may be faster.
    fn next(&self) -> Option<OutgoingMessage> {
        if self.signing.len() >= MAX_PENDING {
            return None;
        }
        let again = self.broadcaster.calls.patience();
        let is_pending = |outgoing: &OutgoingMessage| {
            let mut pending = self.pending.values();
            pending.any(|one| one.outgoing == *outgoing && one.since.elapsed() < again)
        };
        self.queue.take(|outgoing| !is_pending(outgoing))
    }

    async fn start(&mut self, outgoing: OutgoingMessage) {
        let parts = outgoing.message.to_parts();
        let unsigned = envelope_of(&self.broadcaster.federation, self.broadcaster.me, &parts);
        let digest = digest(&unsigned).await;
        if let Some(signature) = self.cache.get(&digest) {
            self.send(outgoing, unsigned, signature, Attempt::Repeat)
                .await;
            return;
        }
        if self.broadcaster.identity.signs_at_once() {
            let signature = self.broadcaster.sign(digest).await;
            self.on_signature(outgoing, unsigned, digest, signature)
                .await;
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        let since = Instant::now();
        self.pending
            .insert(number, PendingSignature { outgoing, since });
        let broadcaster = self.broadcaster.clone();
        let task = async move {
            Signed {
                number,
                digest,
                unsigned,
                signature: broadcaster.sign(digest).await,
            }
        };
        let tasks = self.broadcaster.calls.tasks().clone();
        self.signing.spawn(tasks.track_future(task));
        while self.pending.contains_key(&number) {
            match timeout_at(since + ORDER_PATIENCE, self.signing.join_next()).await {
                Ok(Some(done)) => self.on_signed(done).await,
                Ok(None) | Err(_) => break,
            }
        }
    }

    async fn on_signed(&mut self, done: Result<Signed, tokio::task::JoinError>) {
        let Ok(done) = done else {
            // The runtime is ending: the calls of the key run in tasks of their own, so nothing
            // here panics.
            return;
        };
        if let Some(PendingSignature { outgoing, .. }) = self.pending.remove(&done.number) {
            self.on_signature(outgoing, done.unsigned, done.digest, done.signature)
                .await;
        }
    }

    async fn on_signature(
        &mut self,
        outgoing: OutgoingMessage,
        unsigned: UnsignedEnvelope,
        digest: [u8; 32],
        signature: Result<[u8; 64], BroadcastError>,
    ) {
        match signature {
            Ok(signature) => {
                self.cache.insert(digest, signature);
                // Retransmissions that were queued meanwhile.
                self.queue.remove(&outgoing);
                self.send(outgoing, unsigned, signature, Attempt::First)
                    .await;
            }
            Err(error) => {
                // The machine retransmits what is still valid; a block's bytes are requested again.
                self.log
                    .problem("message not signed by the identity key", &error.to_string());
                if let BroadcastError::Key(error @ SignerError::Ended(_)) = &error {
                    self.report(SendReport::KeyEnded(error.clone()));
                }
                self.report_vote(&outgoing.message, || DutyOutcome::Failed(error.fault()));
            }
        }
    }

    async fn send(
        &self,
        outgoing: OutgoingMessage,
        unsigned: UnsignedEnvelope,
        signature: [u8; 64],
        attempt: Attempt,
    ) {
        let frame = unsigned.with_signature(signature).encode();
        let OutgoingMessage { message, to } = outgoing;
        if !matches!(message, Message::Body(_)) {
            self.report(SendReport::OwnMessage(SignedMessage {
                sender: self.broadcaster.me,
                message: message.clone(),
                signature: IdentitySignature::from_bytes(signature),
            }));
        }
        let outcome = match self.broadcaster.send(to, frame).await {
            // A retransmitted vote does not show that the key works.
            Ok(()) if attempt == Attempt::Repeat => return,
            Ok(()) => DutyOutcome::Done,
            Err(error) => {
                self.log.problem("message not sent", &error.to_string());
                DutyOutcome::Failed(error.fault())
            }
        };
        self.report_vote(&message, || outcome);
    }

    /// Reports what became of a vote: votes are what every operator owes at each height.
    fn report_vote(&self, message: &Message, outcome: impl FnOnce() -> DutyOutcome) {
        if let Message::Vote(vote) = message {
            self.report(SendReport::Vote(vote.height, outcome()));
        }
    }

    fn report(&self, report: SendReport) {
        // Gone only when the engine is.
        let _ = self.reports.send(report);
    }
}

/// The duty that [`SendReport::Vote`] is about.
pub(super) const VOTE_DUTY: Duty = Duty::Vote;

/// Returns the digest to sign; a large message is hashed on a thread for blocking work.
async fn digest(unsigned: &UnsignedEnvelope) -> [u8; 32] {
    if unsigned.payload.len() <= INLINE {
        return unsigned.signing_digest();
    }
    let copy = unsigned.clone();
    tokio::task::spawn_blocking(move || copy.signing_digest())
        .await
        .unwrap_or_else(|_| unsigned.signing_digest())
}

/// The most recent signatures, by digest.
#[derive(Debug, Default)]
struct SignatureCache {
    signatures: BTreeMap<[u8; 32], [u8; 64]>,
    order: VecDeque<[u8; 32]>,
}

impl SignatureCache {
    fn get(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.signatures.get(digest).copied()
    }

    fn insert(&mut self, digest: [u8; 32], signature: [u8; 64]) {
        if self.signatures.insert(digest, signature).is_none() {
            self.order.push_back(digest);
        }
        while self.order.len() > MAX_CACHED
            && let Some(oldest) = self.order.pop_front()
        {
            self.signatures.remove(&oldest);
        }
    }
}
