//! Turns a frame from the network into an input, after every check that does not need the
//! protocol's state.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use federation_block_signing::{
    Alarm, Body, Candidate, Certificate, CompactSignature, DecodeMessageError, IdentitySignature,
    Input, Message, MessageParts, SignedMessage, Vote,
};
use federation_chain::{BlockHash, BlockHeight};
use federation_messenger::{Messenger, MessengerError};
use federation_roster::{
    Envelope, EnvelopeError, EnvelopeHead, Federation, OperatorId, UnsignedEnvelope, XOnlyPublicKey,
};
use secp256k1::ecdsa;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    Incoming,
    blocks::{INLINE, NotOurs, decode_candidate},
    catch_up::PeerHeights,
};

/// How many large frames may be between the messenger and the machine. They are checked in tasks of
/// their own, so that votes can overtake them.
const LARGE_FRAMES: usize = 4;

/// The kind byte of reissuance messages, above those of the block-signing protocol.
pub(crate) const REISSUANCE: u8 = 64;
/// The longest payload of a reissuance message, in bytes: a plan and a signature for each of its
/// inputs.
pub(crate) const MAX_REISSUANCE: usize = 64 * 1024;

/// A reissuance message whose sender has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReissuanceFrame {
    pub(crate) sender: OperatorId,
    pub(crate) payload: Bytes,
}

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    Undecodable,
    /// A kind of message that a later version may know.
    UnknownKind,
    ForeignFederation,
    UnknownSender,
    FarHeight,
    TooLarge,
    BadSignature,
    BadBody,
    Unwanted,
}

impl Dropped {
    /// The reason as text, for the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "malformed message",
            Self::UnknownKind => "unknown kind",
            Self::ForeignFederation => "another federation",
            Self::UnknownSender => "unknown sender",
            Self::FarHeight => "far height",
            Self::TooLarge => "too large",
            Self::BadSignature => "bad signature",
            Self::BadBody => "bad block",
            Self::Unwanted => {
                "reissuance message, but this operator does not reissue or too many came at once"
            }
        }
    }
}

/// Checks the frames of one federation.
#[derive(Debug, Clone)]
pub(crate) struct Ingress {
    federation: Arc<Federation>,
    /// The height the machine works on, shared with the engine.
    height: Arc<AtomicU32>,
    /// Where reissuance messages go, if this operator reissues.
    reissuances: Option<mpsc::Sender<ReissuanceFrame>>,
    /// The heights of the other operators, while this operator waits for its node.
    peer_heights: Option<Arc<PeerHeights>>,
    /// Where alarms go, if anybody takes them.
    alarms: Option<mpsc::Sender<Alarm>>,
}

impl Ingress {
    pub(crate) const fn new(federation: Arc<Federation>, height: Arc<AtomicU32>) -> Self {
        Self {
            federation,
            height,
            reissuances: None,
            peer_heights: None,
            alarms: None,
        }
    }

    /// Records the heights of the other operators there, including those that are far from this
    /// operator's.
    pub(super) fn with_peer_heights(mut self, heights: Arc<PeerHeights>) -> Self {
        self.peer_heights = Some(heights);
        self
    }

    /// Sends alarms there; without this they are dropped.
    pub(crate) fn with_alarms(mut self, to: mpsc::Sender<Alarm>) -> Self {
        self.alarms = Some(to);
        self
    }

    /// Sends reissuance messages there; without this they are dropped.
    pub(crate) fn with_reissuances(mut self, to: Option<mpsc::Sender<ReissuanceFrame>>) -> Self {
        self.reissuances = to;
        self
    }

    /// Receives frames until the messenger is closed, and passes on what survives the checks.
    pub(crate) async fn run(
        self,
        messenger: Arc<dyn Messenger>,
        inputs: mpsc::Sender<Incoming>,
    ) -> Result<(), MessengerError> {
        let permit = Arc::new(Semaphore::new(LARGE_FRAMES));
        let mut checks = JoinSet::new();
        loop {
            let frame = messenger.recv().await?;
            let head = match self.check_head(&frame) {
                Ok(head) => head,
                Err(dropped) => {
                    if dropped == Dropped::FarHeight {
                        self.record_far_height(&frame);
                    }
                    if inputs.send(Incoming::Dropped(dropped)).await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
            };
            if head.kind == REISSUANCE {
                if let Err(dropped) = self.forward_reissuance(head, &frame)
                    && inputs.send(Incoming::Dropped(dropped)).await.is_err()
                {
                    return Ok(());
                }
                continue;
            }
            if frame.len() <= INLINE {
                if inputs.send(self.check(head, &frame, None)).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            // The semaphore is never closed.
            let permit = permit.clone().acquire_owned().await.ok();
            let (ingress, inputs) = (self.clone(), inputs.clone());
            checks.spawn(async move {
                let check = move || ingress.check(head, &frame, permit);
                if let Ok(incoming) = tokio::task::spawn_blocking(check).await {
                    // Gone only when the engine is.
                    let _ = inputs.send(incoming).await;
                }
            });
            while checks.try_join_next().is_some() {}
        }
    }

    /// Checks what can be checked without cryptography.
    fn check_head(&self, frame: &Bytes) -> Result<EnvelopeHead, Dropped> {
        let head = EnvelopeHead::peek(frame).map_err(|error| match error {
            EnvelopeError::TooLarge(_) => Dropped::TooLarge,
            _ => Dropped::Undecodable,
        })?;
        if head.federation != self.federation.id() {
            return Err(Dropped::ForeignFederation);
        }
        self.identity(head.sender)?;
        self.check_height(head.height)?;
        let limit = match head.kind {
            REISSUANCE if self.reissuances.is_none() => return Err(Dropped::Unwanted),
            REISSUANCE => MAX_REISSUANCE,
            kind => Message::max_payload(kind).map_err(|_| Dropped::UnknownKind)?,
        };
        // The envelope itself takes less than two hundred bytes.
        if frame.len() > limit + 200 {
            return Err(Dropped::TooLarge);
        }
        Ok(head)
    }

    /// Turns a frame with a valid head into what the engine gets.
    fn check(
        &self,
        head: EnvelopeHead,
        frame: &Bytes,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Incoming {
        match self.try_check(head, frame) {
            Ok(input) => Incoming::Message {
                sender: head.sender,
                input,
                permit,
            },
            Err(dropped) => Incoming::Dropped(dropped),
        }
    }

    /// Passes a reissuance message on without waiting: if there is no room, it will come again.
    fn forward_reissuance(&self, head: EnvelopeHead, frame: &Bytes) -> Result<(), Dropped> {
        let Some(reissuances) = &self.reissuances else {
            return Err(Dropped::Unwanted);
        };
        let envelope = self.verified_envelope(head.sender, frame)?;
        let payload = envelope.payload().clone();
        let sender = head.sender;
        reissuances
            .try_send(ReissuanceFrame { sender, payload })
            .map_err(|_| Dropped::Unwanted)
    }

    /// Returns the envelope in a frame if its sender has signed it.
    fn verified_envelope(&self, sender: OperatorId, frame: &Bytes) -> Result<Envelope, Dropped> {
        let identity = self.identity(sender)?;
        let envelope = Envelope::decode(frame).map_err(|_| Dropped::Undecodable)?;
        envelope
            .verify(&identity)
            .map_err(|_| Dropped::BadSignature)?;
        Ok(envelope)
    }

    fn try_check(&self, head: EnvelopeHead, frame: &Bytes) -> Result<Input, Dropped> {
        let sender = head.sender;
        let envelope = self.verified_envelope(sender, frame)?;
        if let Some(heights) = &self.peer_heights {
            heights.record(sender, head.height);
        }
        let parts = MessageParts {
            kind: head.kind,
            height: head.height,
            round: head.round,
            payload: envelope.payload().clone(),
        };
        let message = Message::from_parts(parts).map_err(|error| match error {
            DecodeMessageError::TooLong { .. } => Dropped::TooLarge,
            _ => Dropped::Undecodable,
        })?;
        if let Message::Body(body) = message {
            return Ok(Input::Body {
                from: sender,
                candidate: self.candidate(sender, &body)?,
            });
        }
        self.check_inside(sender, &message)?;
        Ok(Input::Received(SignedMessage {
            sender,
            message,
            signature: IdentitySignature::from_bytes(*envelope.signature()),
        }))
    }

    /// Records the height of a message that is of no other use, if its sender has signed it.
    fn record_far_height(&self, frame: &Bytes) {
        let Some(heights) = self
            .peer_heights
            .as_ref()
            .filter(|heights| heights.is_recording())
        else {
            return;
        };
        // A large frame is a body, whose sender also sends small ones.
        if frame.len() > INLINE {
            return;
        }
        if let Ok(head) = EnvelopeHead::peek(frame)
            && self.verified_envelope(head.sender, frame).is_ok()
        {
            heights.record(head.sender, head.height);
        }
    }

    fn identity(&self, id: OperatorId) -> Result<XOnlyPublicKey, Dropped> {
        let operator = self.federation.member(id).ok_or(Dropped::UnknownSender)?;
        Ok(operator.identity)
    }

    /// Accepts the height that is worked on, the one before, of an operator that needs help to
    /// catch up, and the one after.
    fn check_height(&self, height: BlockHeight) -> Result<(), Dropped> {
        let own = self.height.load(Ordering::Relaxed);
        let near = own.saturating_sub(1)..=own.saturating_add(1);
        if near.contains(&height.to_u32()) {
            Ok(())
        } else {
            Err(Dropped::FarHeight)
        }
    }

    fn check_inside(&self, sender: OperatorId, message: &Message) -> Result<(), Dropped> {
        match message {
            Message::Certificate(certificate) => self.check_certificate(certificate),
            Message::RoundCertificate(certificate) => self.check_votes(certificate.votes()),
            Message::BlockSignature(signature) => {
                self.check_block_signature(sender, signature.hash, signature.signature)
            }
            Message::SignatureSet(set) => set
                .signatures
                .iter()
                .try_for_each(|(signer, s)| self.check_block_signature(*signer, set.hash, *s)),
            Message::Proposal(_)
            | Message::Vote(_)
            | Message::BodyRequest(_)
            | Message::Body(_) => Ok(()),
        }
    }

    fn check_block_signature(
        &self,
        signer: OperatorId,
        hash: BlockHash,
        signature: CompactSignature,
    ) -> Result<(), Dropped> {
        let position = self.federation.script_position(signer);
        let position = position.ok_or(Dropped::UnknownSender)?;
        let parsed = ecdsa::Signature::from_compact(&signature.to_bytes())
            .map_err(|_| Dropped::BadSignature)?;
        let rules = self.federation.rules();
        rules
            .verify_signature(hash, position, &parsed)
            .map_err(|_| Dropped::BadSignature)
    }

    /// Checks every vote in a certificate as if it had come on its own.
    fn check_certificate(&self, certificate: &Certificate) -> Result<(), Dropped> {
        let vote = certificate.vote();
        let votes = certificate.votes.iter();
        self.check_votes(votes.map(|(voter, signature)| (*voter, vote, *signature)))
    }

    fn check_votes(
        &self,
        votes: impl Iterator<Item = (OperatorId, Vote, IdentitySignature)>,
    ) -> Result<(), Dropped> {
        let mut count = 0;
        for (voter, vote, signature) in votes {
            let identity = self.identity(voter)?;
            envelope_of(&self.federation, voter, &Message::Vote(vote).to_parts())
                .verify(&signature.to_bytes(), &identity)
                .map_err(|_| Dropped::BadSignature)?;
            count += 1;
        }
        if count < self.federation.threshold() {
            return Err(Dropped::BadSignature);
        }
        Ok(())
    }

    /// Returns the block in a body if it is an unsigned block of this chain.
    fn candidate(&self, sender: OperatorId, body: &Body) -> Result<Candidate, Dropped> {
        let candidate =
            decode_candidate(&self.federation, body.bytes.clone()).map_err(|not_ours| {
                if let (NotOurs::Proposes(error), Some(alarms)) = (&not_ours, &self.alarms) {
                    // If the queue is full, many alarms are pending and one more says nothing new.
                    let _ = alarms.try_send(Alarm::ParametersProposed {
                        height: body.height,
                        sender,
                        reason: error.to_string(),
                    });
                }
                Dropped::BadBody
            })?;
        if candidate.hash != body.hash || candidate.height != body.height {
            return Err(Dropped::BadBody);
        }
        Ok(candidate)
    }
}

/// Returns the unsigned envelope of an operator's message.
pub(crate) fn envelope_of(
    federation: &Federation,
    sender: OperatorId,
    parts: &MessageParts,
) -> UnsignedEnvelope {
    UnsignedEnvelope {
        head: EnvelopeHead {
            federation: federation.id(),
            sender,
            kind: parts.kind,
            height: parts.height,
            round: parts.round,
        },
        payload: parts.payload.clone(),
    }
}

#[cfg(test)]
mod tests;
