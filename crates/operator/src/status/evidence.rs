//! Evidence as JSON, with both messages as they were signed: whoever has the federation's roster
//! can check it.

use bytes::Bytes;
use federation_block_signing::Message;
use federation_roster::{Envelope, EnvelopeError, Federation};
use hex_conservative::{DisplayHex, FromHex};
use serde::{Deserialize, Serialize};

use super::file::{self, EVIDENCE, StatusError};
use crate::{EvidenceError, StoredEvidence, store::message_of};

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct EvidenceReport {
    /// Its number in the store.
    pub number: u64,
    /// Who said both.
    pub operator: String,
    /// The height that both are about.
    pub height: u32,
    /// The round that both are about; 0 for block signatures, which know none.
    pub round: u32,
    /// `proposal`, `prevote`, `precommit` or `block signature`.
    pub kind: String,
    /// Both messages.
    pub messages: [MessageReport; 2],
}

/// A signed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct MessageReport {
    /// The block that it is about, or `nil`.
    pub block: String,
    /// The 32 bytes that were signed, in hex.
    pub digest: String,
    /// The BIP 340 signature by the operator's identity key, in hex.
    pub signature: String,
    /// The whole envelope as it was sent, in hex; its form is that of `federation-roster`.
    pub envelope: String,
}

/// Why a report is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadEvidenceError {
    /// A message is not in hexadecimal.
    #[error("an envelope is not in hexadecimal")]
    Hex,
    /// A message is no envelope.
    #[error("a message is no envelope")]
    Envelope(#[from] EnvelopeError),
    /// The messages prove nothing.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl EvidenceReport {
    /// Evidence of an operator of this federation.
    #[must_use]
    pub fn new(evidence: &StoredEvidence, federation: &Federation) -> Self {
        Self {
            number: evidence.number(),
            operator: federation.name(evidence.culprit()),
            height: evidence.height().to_u32(),
            round: evidence.round().to_u32(),
            kind: evidence.kind().to_owned(),
            messages: evidence.messages().map(MessageReport::new),
        }
    }

    /// The evidence behind the report, checked: that one operator of this federation signed both
    /// messages and that they contradict each other. Nothing but the envelopes is believed.
    ///
    /// # Errors
    /// What is not so.
    pub fn check(&self, federation: &Federation) -> Result<StoredEvidence, ReadEvidenceError> {
        let [first, second] = &self.messages;
        let envelope = |report: &MessageReport| {
            let bytes = Vec::from_hex(&report.envelope).map_err(|_| ReadEvidenceError::Hex)?;
            Ok::<_, ReadEvidenceError>(Envelope::decode(&Bytes::from(bytes))?)
        };
        let evidence = StoredEvidence::new(self.number, envelope(first)?, envelope(second)?);
        evidence.check(federation)?;
        Ok(evidence)
    }

    /// What the daemon of a store has written of its evidence; empty if there is none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(folder: &std::path::Path) -> Result<Vec<Self>, StatusError> {
        Ok(file::read(folder, EVIDENCE)?.unwrap_or_default())
    }
}

impl MessageReport {
    fn new(envelope: &Envelope) -> Self {
        let block = match message_of(envelope) {
            Some(Message::Proposal(proposal)) => Some(proposal.hash),
            Some(Message::Vote(vote)) => vote.value,
            Some(Message::BlockSignature(signature)) => Some(signature.hash),
            _ => None,
        };
        Self {
            block: block.map_or_else(|| "nil".to_owned(), |hash| hash.to_string()),
            digest: envelope.signing_digest().to_lower_hex_string(),
            signature: envelope.signature().to_lower_hex_string(),
            envelope: envelope.encode().to_lower_hex_string(),
        }
    }
}
