//! Evidence: two signed messages of one operator, of which an honest operator sends at most one.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use federation_block_signing::{Evidence, Message, MessageParts, SignedMessage};
use federation_chain::BlockHeight;
use federation_roster::{
    Envelope, EnvelopeError, EnvelopeHead, Federation, FederationId, OperatorId, Round,
    UnsignedEnvelope,
};
use hex_conservative::{DisplayHex, FromHex};
use redb::{Database, ReadableTable, TableDefinition};

use super::{
    StoreError,
    records::{seal, unseal},
    transaction::{Failure, read, table, write},
};

const EVIDENCE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("evidence");

/// The maximum number of pieces of evidence per operator: more add nothing, and must not crowd out
/// evidence against others.
const MAX_EACH: usize = 50;

/// Stored evidence: both messages as they were signed, so that anyone with the federation's roster can
/// check them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvidence {
    number: u64,
    first: Envelope,
    second: Envelope,
}

/// Why two messages are not evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// One of them is from another federation.
    #[error("a message is from federation {found}, not {expected}")]
    Federation {
        /// The message's federation.
        found: FederationId,
        /// The expected federation.
        expected: FederationId,
    },
    /// The sender is not in the roster.
    #[error("operator {0} is not in the roster")]
    UnknownSender(OperatorId),
    /// A signature is invalid.
    #[error(transparent)]
    Signature(#[from] EnvelopeError),
    /// An honest operator may send both.
    #[error("the two messages do not contradict each other")]
    NoContradiction,
}

impl StoredEvidence {
    /// Creates evidence from two envelopes without checking it.
    #[must_use]
    pub const fn new(number: u64, first: Envelope, second: Envelope) -> Self {
        Self {
            number,
            first,
            second,
        }
    }

    /// Returns its number in the store, counted from 0.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the sender of both messages.
    #[must_use]
    pub const fn culprit(&self) -> OperatorId {
        self.first.head().sender
    }

    /// Returns the height of both messages.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        self.first.head().height
    }

    /// Returns the round of both messages; 0 for block signatures, which have no round.
    #[must_use]
    pub const fn round(&self) -> Round {
        self.first.head().round
    }

    /// Returns the kind of both messages: `proposal`, `prevote`, `precommit` or `block signature`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.first.head().kind {
            1 => "proposal",
            3 => "prevote",
            4 => "precommit",
            7 => "block signature",
            _ => "message",
        }
    }

    /// Returns both messages as they were signed, in the order in which they were received.
    #[must_use]
    pub const fn messages(&self) -> [&Envelope; 2] {
        [&self.first, &self.second]
    }

    /// Checks that one operator of this federation signed both messages, and that they contradict
    /// each other.
    ///
    /// # Errors
    /// If the evidence does not hold, the reason.
    pub fn check(&self, federation: &Federation) -> Result<(), EvidenceError> {
        let culprit = self.culprit();
        let entry = federation
            .member(culprit)
            .ok_or(EvidenceError::UnknownSender(culprit))?;
        for envelope in self.messages() {
            let head = envelope.head();
            if head.federation != federation.id() {
                return Err(EvidenceError::Federation {
                    found: head.federation,
                    expected: federation.id(),
                });
            }
            envelope.verify(&entry.identity)?;
        }
        if self.first.head() == self.second.head() && contradict(&self.first, &self.second) {
            Ok(())
        } else {
            Err(EvidenceError::NoContradiction)
        }
    }
}

/// Decodes an envelope's message, if it is valid.
pub(crate) fn message_of(envelope: &Envelope) -> Option<Message> {
    let head = envelope.head();
    Message::from_parts(MessageParts {
        kind: head.kind,
        height: head.height,
        round: head.round,
        payload: envelope.payload().clone(),
    })
    .ok()
}

/// Returns whether an honest operator sends at most one of two messages with equal heads.
fn contradict(first: &Envelope, second: &Envelope) -> bool {
    match (message_of(first), message_of(second)) {
        (Some(Message::Proposal(a)), Some(Message::Proposal(b))) => a != b,
        (Some(Message::Vote(a)), Some(Message::Vote(b))) => a.value != b.value,
        // Two signatures of the same block do not contradict each other.
        (Some(Message::BlockSignature(a)), Some(Message::BlockSignature(b))) => a.hash != b.hash,
        _ => false,
    }
}

/// Reads the evidence of a store that is in use by its operator in this process.
#[derive(Debug, Clone)]
pub struct EvidenceStore {
    pub(super) database: Arc<Database>,
    pub(super) path: PathBuf,
    pub(super) federation: FederationId,
}

impl EvidenceStore {
    /// Returns the stored evidence, oldest first.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self) -> Result<Vec<StoredEvidence>, StoreError> {
        let failed = |error| StoreError::read(&self.path, &error);
        read(&self.database, failed, |transaction| {
            let mut evidence = Vec::new();
            let Some(table) = table(transaction, EVIDENCE)? else {
                return Ok(evidence);
            };
            for entry in table.iter()? {
                let (number, sealed) = entry?;
                let stored = unseal(sealed.value())
                    .and_then(|text| core::str::from_utf8(text).ok())
                    .and_then(|text| from_text(number.value(), text, self.federation))
                    .ok_or_else(|| {
                        Failure::Content(StoreError::Altered {
                            path: self.path.clone(),
                        })
                    })?;
                evidence.push(stored);
            }
            Ok(evidence)
        })
    }

    /// Stores evidence, unless it is known or the operator has [`MAX_EACH`] already. Returns whether
    /// it was stored.
    pub(super) fn keep(&self, evidence: &Evidence) -> Result<bool, StoreError> {
        let culprit = evidence.first.sender;
        let text = format!(
            "{}\n{}",
            line_of(&evidence.first),
            line_of(&evidence.second)
        );
        let mut count = 0;
        let known = self.read()?;
        for stored in &known {
            let [first, second] = stored.messages().map(line);
            if format!("{first}\n{second}") == text {
                return Ok(false);
            }
            count += usize::from(stored.culprit() == culprit);
        }
        if count >= MAX_EACH {
            return Ok(false);
        }
        let next = known.last().map_or(0, |last| last.number + 1);
        let failed = |error| StoreError::write(&self.path, &error);
        write(&self.database, failed, |transaction| {
            let mut table = transaction.open_table(EVIDENCE)?;
            table.insert(next, &*seal(text.as_bytes()))?;
            Ok(true)
        })
    }
}

/// Returns a line with everything needed to verify the signature again.
fn line_of(message: &SignedMessage) -> String {
    let parts = message.message.to_parts();
    let head = EnvelopeHead {
        federation: FederationId::from_bytes([0; 32]),
        sender: message.sender,
        kind: parts.kind,
        height: parts.height,
        round: parts.round,
    };
    let unsigned = UnsignedEnvelope {
        head,
        payload: parts.payload,
    };
    line(&unsigned.with_signature(message.signature.to_bytes()))
}

fn line(envelope: &Envelope) -> String {
    let head = envelope.head();
    format!(
        "sender {} kind {} height {} round {} payload {} signature {}",
        head.sender,
        head.kind,
        head.height,
        head.round,
        envelope.payload().as_hex(),
        envelope.signature().as_hex(),
    )
}

/// Parses two [`line`]s. The federation is the store's.
fn from_text(number: u64, text: &str, federation: FederationId) -> Option<StoredEvidence> {
    let (first, second) = text.split_once('\n')?;
    let envelope = |line: &str| {
        let mut words = line.split(' ');
        let mut after = |label: &str| words.next().filter(|word| *word == label).and(words.next());
        let head = EnvelopeHead {
            federation,
            sender: OperatorId::new(after("sender")?.parse().ok()?),
            kind: after("kind")?.parse().ok()?,
            height: BlockHeight::new(after("height")?.parse().ok()?),
            round: Round::new(after("round")?.parse().ok()?),
        };
        let payload = Bytes::from(Vec::from_hex(after("payload")?).ok()?);
        let signature = <[u8; 64]>::from_hex(after("signature")?).ok()?;
        Some(UnsignedEnvelope { head, payload }.with_signature(signature))
    };
    Some(StoredEvidence {
        number,
        first: envelope(first)?,
        second: envelope(second)?,
    })
}

#[cfg(test)]
mod tests;
