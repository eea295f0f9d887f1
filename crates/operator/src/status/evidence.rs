//! Evidence as JSON, with both messages as they were signed, so that anybody with the federation's
//! roster can verify it.

use bytes::Bytes;
use federation_block_signing::Message;
use federation_roster::{Envelope, EnvelopeError, Federation};
use hex_conservative::{DisplayHex, FromHex};
use serde::{Deserialize, Serialize};

use super::file::{self, EVIDENCE, StatusError};
use crate::{EvidenceError, StoredEvidence, store::message_of};

/// A piece of evidence: two contradicting messages of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct EvidenceReport {
    /// Its number in the store.
    pub number: u64,
    /// The operator that signed both messages.
    pub operator: String,
    /// The height of both messages.
    pub height: u32,
    /// The round of both messages; 0 for block signatures, which have no round.
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
    /// The hash of the block that the message is about, or `nil`.
    pub block: String,
    /// The 32 bytes that were signed, in hex.
    pub digest: String,
    /// The BIP 340 signature by the operator's identity key, in hex.
    pub signature: String,
    /// The whole envelope as it was sent, in hex, in the format of `federation-roster`.
    pub envelope: String,
}

/// Why a report does not prove anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadEvidenceError {
    /// An envelope is not hexadecimal.
    #[error("an envelope is not hexadecimal")]
    Hex,
    /// An envelope is malformed.
    #[error("an envelope is malformed")]
    Envelope(#[from] EnvelopeError),
    /// The messages do not contradict each other, or are not signed by the operator.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl EvidenceReport {
    /// Describes evidence against an operator of this federation.
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

    /// Returns the evidence in the report after checking that one operator of this federation
    /// signed both messages and that they contradict each other. Only the envelopes are believed.
    ///
    /// # Errors
    /// The check that failed.
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

    /// Reads the evidence that the daemon of a store has written; empty if there is none.
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
