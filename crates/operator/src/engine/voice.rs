//! Signs and sends the operator's messages outside the loop, so that a slow key does not hold up
//! the protocol.
//!
//! The machine repeats its messages at each retransmit interval. A message that is already queued
//! is not queued a second time, a later certificate replaces an earlier one, messages of finished
//! heights are dropped, and a message that was signed once is sent again without asking the key.

mod line;

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

pub(super) use self::line::{Line, Saying};
use super::{
    account::Outcome,
    blocks::INLINE,
    ingress::envelope_of,
    speaker::{SayError, Speaker},
};
use crate::log::Log;

/// How many signatures may be pending at a time: one that hangs must not hold up the others.
const AT_ONCE: usize = 8;

/// How long a message waits for the one before it, so that the messages of a fast key keep their
/// order.
const IN_ORDER: Duration = Duration::from_millis(20);

/// How many signatures are kept for retransmissions.
const KEPT: usize = 256;

/// What became of a message, for the engine.
pub(super) enum Spoken {
    /// The operator's own message, which the machine counts like everybody else's.
    Own(SignedMessage),
    /// Whether a vote was sent.
    Share(BlockHeight, Outcome),
    /// The key will sign nothing more in this process.
    Mute(SignerError),
}

/// Whether a message was just signed, or is a retransmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    First,
    Again,
}

/// A message whose signature is pending.
struct UnderWay {
    saying: Saying,
    since: Instant,
}

/// The key's answer for one message.
struct Signed {
    number: u64,
    digest: [u8; 32],
    unsigned: UnsignedEnvelope,
    signature: Result<[u8; 64], SayError>,
}

/// Signs and sends what is queued, until it is dropped.
pub(super) struct Voice {
    line: Arc<Line>,
    speaker: Speaker,
    spoken: mpsc::UnboundedSender<Spoken>,
    log: Arc<Log>,
    signing: JoinSet<Signed>,
    under_way: BTreeMap<u64, UnderWay>,
    begun: u64,
    known: Known,
}

impl Voice {
    pub(super) fn new(
        line: Arc<Line>,
        speaker: Speaker,
        spoken: mpsc::UnboundedSender<Spoken>,
        log: Arc<Log>,
    ) -> Self {
        Self {
            line,
            speaker,
            spoken,
            log,
            signing: JoinSet::new(),
            under_way: BTreeMap::new(),
            begun: 0,
            known: Known::default(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            while let Some(saying) = self.next() {
                self.begin(saying).await;
            }
            tokio::select! {
                Some(done) = self.signing.join_next() => self.finished(done).await,
                () = self.line.wait() => {}
            }
        }
    }

    /// Returns the message to sign next: none whose signature is pending, unless that takes so long
    /// that a second attempt may be faster.
    fn next(&self) -> Option<Saying> {
        if self.signing.len() >= AT_ONCE {
            return None;
        }
        let again = self.speaker.calls.patience();
        let is_asked = |saying: &Saying| {
            let mut under_way = self.under_way.values();
            under_way.any(|one| one.saying == *saying && one.since.elapsed() < again)
        };
        self.line.take(|saying| !is_asked(saying))
    }

    async fn begin(&mut self, saying: Saying) {
        let parts = saying.message.to_parts();
        let unsigned = envelope_of(&self.speaker.federation, self.speaker.me, &parts);
        let digest = digest(&unsigned).await;
        if let Some(signature) = self.known.of(&digest) {
            self.say(saying, unsigned, signature, Said::Again).await;
            return;
        }
        if self.speaker.identity.signs_at_once() {
            let signature = self.speaker.sign(digest).await;
            self.settle(saying, unsigned, digest, signature).await;
            return;
        }
        let number = self.begun;
        self.begun += 1;
        let since = Instant::now();
        self.under_way.insert(number, UnderWay { saying, since });
        let speaker = self.speaker.clone();
        let task = async move {
            Signed {
                number,
                digest,
                unsigned,
                signature: speaker.sign(digest).await,
            }
        };
        let tasks = self.speaker.calls.tasks().clone();
        self.signing.spawn(tasks.track_future(task));
        while self.under_way.contains_key(&number) {
            match timeout_at(since + IN_ORDER, self.signing.join_next()).await {
                Ok(Some(done)) => self.finished(done).await,
                Ok(None) | Err(_) => break,
            }
        }
    }

    async fn finished(&mut self, done: Result<Signed, tokio::task::JoinError>) {
        let Ok(done) = done else {
            // The runtime is ending: the calls of the key run in tasks of their own, so nothing
            // here panics.
            return;
        };
        if let Some(UnderWay { saying, .. }) = self.under_way.remove(&done.number) {
            self.settle(saying, done.unsigned, done.digest, done.signature)
                .await;
        }
    }

    async fn settle(
        &mut self,
        saying: Saying,
        unsigned: UnsignedEnvelope,
        digest: [u8; 32],
        signature: Result<[u8; 64], SayError>,
    ) {
        match signature {
            Ok(signature) => {
                self.known.keep(digest, signature);
                // Retransmissions that were queued meanwhile.
                self.line.forget(&saying);
                self.say(saying, unsigned, signature, Said::First).await;
            }
            Err(error) => {
                // The machine retransmits what is still valid; a block's bytes are requested again.
                self.log
                    .complaint("message not signed by the identity key", &error.to_string());
                if let SayError::Key(error @ SignerError::Ended(_)) = &error {
                    self.tell(Spoken::Mute(error.clone()));
                }
                self.account(&saying.message, || Outcome::Failed(error.fault()));
            }
        }
    }

    async fn say(
        &self,
        saying: Saying,
        unsigned: UnsignedEnvelope,
        signature: [u8; 64],
        said: Said,
    ) {
        let frame = unsigned.with_signature(signature).encode();
        let Saying { message, to } = saying;
        if !matches!(message, Message::Body(_)) {
            self.tell(Spoken::Own(SignedMessage {
                sender: self.speaker.me,
                message: message.clone(),
                signature: IdentitySignature::from_bytes(signature),
            }));
        }
        let outcome = match self.speaker.send(to, frame).await {
            // A retransmitted vote does not show that the key works.
            Ok(()) if said == Said::Again => return,
            Ok(()) => Outcome::Done,
            Err(error) => {
                self.log.complaint("message not sent", &error.to_string());
                Outcome::Failed(error.fault())
            }
        };
        self.account(&message, || outcome);
    }

    /// Reports what became of a vote: votes are what every operator owes at each height.
    fn account(&self, message: &Message, outcome: impl FnOnce() -> Outcome) {
        if let Message::Vote(vote) = message {
            self.tell(Spoken::Share(vote.height, outcome()));
        }
    }

    fn tell(&self, spoken: Spoken) {
        // Gone only when the engine is.
        let _ = self.spoken.send(spoken);
    }
}

/// The duty that [`Spoken::Share`] is about.
pub(super) const SHARE: Duty = Duty::Vote;

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
struct Known {
    of: BTreeMap<[u8; 32], [u8; 64]>,
    order: VecDeque<[u8; 32]>,
}

impl Known {
    fn of(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.of.get(digest).copied()
    }

    fn keep(&mut self, digest: [u8; 32], signature: [u8; 64]) {
        if self.of.insert(digest, signature).is_none() {
            self.order.push_back(digest);
        }
        while self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }
}
