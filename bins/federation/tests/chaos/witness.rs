//! Receives all messages of the operators, and records who sent what.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use federation_block_signing::{Message, MessageParts, VoteKind};
use federation_chain::{BlockHash, BlockHeight};
use federation_messenger::Messenger;
use federation_messenger_zmq::ZmqMessenger;
use federation_roster::{Envelope, Federation, OperatorId, Round};

/// The received messages, each once per sender.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) frames: u64,
    pub(crate) signatures: BTreeMap<(BlockHeight, OperatorId), BlockHash>,
    votes: BTreeMap<(BlockHeight, Round, bool, OperatorId), Option<BlockHash>>,
    /// The highest height with a vote.
    pub(crate) voted: BTreeMap<OperatorId, BlockHeight>,
    /// Pairs of messages that contradict each other.
    pub(crate) contradictions: Vec<String>,
}

impl Heard {
    fn record(&mut self, sender: OperatorId, message: &Message) {
        self.frames += 1;
        match message {
            Message::BlockSignature(signed) => {
                let known = self
                    .signatures
                    .entry((signed.height, sender))
                    .or_insert(signed.hash);
                if *known != signed.hash {
                    self.contradictions.push(format!(
                        "operator {sender} signed {known} and {} at height {}",
                        signed.hash, signed.height
                    ));
                }
            }
            Message::Vote(vote) => {
                let is_prevote = vote.kind == VoteKind::Prevote;
                let place = (vote.height, vote.round, is_prevote, sender);
                let known = self.votes.entry(place).or_insert(vote.value);
                if *known != vote.value {
                    self.contradictions.push(format!(
                        "operator {sender} voted for {known:?} and {vote:?}"
                    ));
                }
                let voted = self.voted.entry(sender).or_insert(vote.height);
                *voted = (*voted).max(vote.height);
            }
            _ => {}
        }
    }
}

/// Receives messages for as long as the messenger lives.
pub(crate) fn listen(messenger: ZmqMessenger, federation: Federation) -> Arc<Mutex<Heard>> {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let written = heard.clone();
    tokio::spawn(async move {
        while let Ok(frame) = messenger.recv().await {
            if let Some((sender, message)) = read(&federation, &frame) {
                written
                    .lock()
                    .expect("not poisoned")
                    .record(sender, &message);
            }
        }
    });
    heard
}

/// Decodes a message, if its signature is valid.
fn read(federation: &Federation, frame: &Bytes) -> Option<(OperatorId, Message)> {
    let envelope = Envelope::decode(frame).ok()?;
    let head = envelope.head();
    let identity = federation.member(head.sender)?.identity;
    envelope.verify(&identity).ok()?;
    let parts = MessageParts {
        kind: head.kind,
        height: head.height,
        round: head.round,
        payload: envelope.payload().clone(),
    };
    Some((head.sender, Message::from_parts(parts).ok()?))
}
