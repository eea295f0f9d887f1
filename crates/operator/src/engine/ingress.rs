//! From a foreign frame to an input: everything that can be checked without the protocol's state.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use federation_block_signing::{
    Body, Candidate, Certificate, IdentitySignature, Input, Message, MessageParts, SignedMessage,
};
use federation_chain::{Block, BlockHeight, UnixTime};
use federation_messenger::Messenger;
use federation_roster::{
    Envelope, EnvelopeHead, Federation, OperatorId, UnsignedEnvelope, XOnlyPublicKey,
};
use secp256k1::ecdsa;
use tokio::sync::mpsc;

use super::Incoming;

/// Bodies above this are decoded and checked on a thread for blocking work.
const INLINE_BODY: usize = 32 * 1024;

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    Undecodable,
    ForeignFederation,
    UnknownSender,
    FarHeight,
    BadSignature,
    BadBody,
}

/// Checks frames of one federation.
#[derive(Debug, Clone)]
pub(crate) struct Ingress {
    federation: Arc<Federation>,
    /// The height that the machine works on, shared with the engine.
    height: Arc<AtomicU32>,
}

impl Ingress {
    pub(crate) const fn new(federation: Arc<Federation>, height: Arc<AtomicU32>) -> Self {
        Self { federation, height }
    }

    /// Receives until the messenger is closed, and hands on what passes.
    pub(crate) async fn run(
        self,
        messenger: Arc<dyn Messenger>,
        inputs: mpsc::Sender<Incoming>,
    ) -> Result<(), federation_messenger::MessengerError> {
        loop {
            let frame = messenger.recv().await?;
            let incoming = if frame.len() > INLINE_BODY {
                let ingress = self.clone();
                match tokio::task::spawn_blocking(move || ingress.check(&frame)).await {
                    Ok(checked) => checked,
                    // Only at the end of the runtime.
                    Err(_) => return Ok(()),
                }
            } else {
                self.check(&frame)
            };
            if inputs.send(incoming).await.is_err() {
                return Ok(());
            }
        }
    }

    /// From a frame to what the engine gets of it.
    pub(crate) fn check(&self, frame: &Bytes) -> Incoming {
        match self.try_check(frame) {
            Ok((sender, input)) => Incoming::Message { sender, input },
            Err(dropped) => Incoming::Dropped(dropped),
        }
    }

    fn try_check(&self, frame: &Bytes) -> Result<(OperatorId, Input), Dropped> {
        let head = EnvelopeHead::peek(frame).map_err(|_| Dropped::Undecodable)?;
        if head.federation != self.federation.id() {
            return Err(Dropped::ForeignFederation);
        }
        let identity = self.identity(head.sender)?;
        self.check_height(head.height)?;
        let envelope = Envelope::decode(frame).map_err(|_| Dropped::Undecodable)?;
        envelope
            .verify(&identity)
            .map_err(|_| Dropped::BadSignature)?;
        let parts = MessageParts {
            kind: head.kind,
            height: head.height,
            round: head.round,
            payload: envelope.payload().clone(),
        };
        let message = Message::from_parts(parts).map_err(|_| Dropped::Undecodable)?;
        let sender = head.sender;
        if let Message::Body(body) = message {
            let candidate = self.candidate(&body)?;
            return Ok((
                sender,
                Input::Body {
                    from: sender,
                    candidate,
                },
            ));
        }
        self.check_inside(sender, &message)?;
        let signature = IdentitySignature::from_bytes(*envelope.signature());
        let message = SignedMessage {
            sender,
            message,
            signature,
        };
        Ok((sender, Input::Received(message)))
    }

    fn identity(&self, id: OperatorId) -> Result<XOnlyPublicKey, Dropped> {
        let operator = self.federation.operator(id).ok_or(Dropped::UnknownSender)?;
        Ok(operator.identity)
    }

    /// The height worked on, the one before (a laggard's, to be helped) and the one after count.
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
            Message::BlockSignature(signature) => {
                let rules = self.federation.rules();
                let position = self
                    .federation
                    .script_position(sender)
                    .ok_or(Dropped::UnknownSender)?;
                let parsed = ecdsa::Signature::from_compact(&signature.signature.to_bytes())
                    .map_err(|_| Dropped::BadSignature)?;
                rules
                    .verify_signature(signature.hash, position, &parsed)
                    .map_err(|_| Dropped::BadSignature)
            }
            Message::Proposal(_)
            | Message::Vote(_)
            | Message::BodyRequest(_)
            | Message::Body(_) => Ok(()),
        }
    }

    /// Checks every vote in a certificate as if it had come by itself.
    fn check_certificate(&self, certificate: &Certificate) -> Result<(), Dropped> {
        if certificate.votes.len() < self.federation.threshold() {
            return Err(Dropped::BadSignature);
        }
        let parts = Message::Vote(certificate.vote()).to_parts();
        for (voter, signature) in &certificate.votes {
            let identity = self.identity(*voter)?;
            envelope_of(&self.federation, *voter, &parts)
                .verify(&signature.to_bytes(), &identity)
                .map_err(|_| Dropped::BadSignature)?;
        }
        Ok(())
    }

    /// The block in a body, if it is an unsigned one of this chain.
    fn candidate(&self, body: &Body) -> Result<Candidate, Dropped> {
        let candidate =
            decode_candidate(&self.federation, body.bytes.clone()).map_err(|_| Dropped::BadBody)?;
        if candidate.hash != body.hash || candidate.height != body.height {
            return Err(Dropped::BadBody);
        }
        Ok(candidate)
    }
}

/// The envelope in which an operator says something.
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

/// An unsigned block of this chain from its bytes: dialect, challenge, no signatures, and
/// transactions as the header commits to them.
pub(crate) fn decode_candidate(federation: &Federation, bytes: Bytes) -> Result<Candidate, String> {
    let rules = federation.rules();
    let block = Block::decode(rules.dialect(), bytes).map_err(|error| error.to_string())?;
    rules
        .check_challenge(block.header())
        .map_err(|error| error.to_string())?;
    if !block.is_unsigned() {
        return Err("the block has signatures already".to_owned());
    }
    block
        .check_commitments()
        .map_err(|error| error.to_string())?;
    Ok(Candidate {
        hash: block.block_hash(),
        previous: block.header().previous(),
        height: block.height(),
        time: UnixTime::from_secs(block.header().time().into()),
        bytes: block.as_bytes().clone(),
    })
}
