//! The proof that a member has signed conflicting messages, which anybody can verify offline.

use secp256k1::XOnlyPublicKey;
use serde::{Deserialize, Serialize};

use crate::{
    Body, Digest, MAX_MESSAGE, Message, MessageError,
    message::{Raw, to_json},
};

/// The version of the format.
const VERSION: u32 = 1;

/// The maximum length of evidence, in bytes: three messages, with further indentation.
pub const MAX_EVIDENCE: usize = 4 * MAX_MESSAGE;

/// The error for invalid evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The text is too long.
    #[error("evidence of {0} bytes is too long: the maximum is {MAX_EVIDENCE}")]
    TooLong(usize),
    /// The text does not have the format of evidence.
    #[error("malformed evidence: {0}")]
    Format(String),
    /// The format is of another version of the program.
    #[error(
        "evidence format version {0} is not supported: this program supports version {VERSION}"
    )]
    Version(u32),
    /// A message is invalid.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The messages do not contradict each other.
    #[error("the evidence proves nothing: {0}")]
    Nothing(&'static str),
}

/// Two messages of one kind with different content, both signed by one member in one ceremony. Every
/// value of this type has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The ceremony's proposal, which lists the members.
    opening: Message,
    member: String,
    messages: [Message; 2],
}

#[derive(Serialize)]
struct Text<'a> {
    version: u32,
    proposal: &'a Message,
    messages: &'a [Message; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    version: u32,
    proposal: Raw,
    messages: [Raw; 2],
}

impl Evidence {
    /// Creates evidence from two contradictory messages and the proposal of their ceremony.
    ///
    /// # Errors
    /// If the messages do not contradict each other, or are not by one member of this ceremony.
    pub fn new(opening: Message, messages: [Message; 2]) -> Result<Self, EvidenceError> {
        let nothing = |why| Err(EvidenceError::Nothing(why));
        let Body::Proposal(proposal) = opening.body() else {
            return nothing("it has no proposal, which lists the members");
        };
        let [one, other] = &messages;
        if [one, other]
            .iter()
            .any(|message| message.ceremony() != opening.ceremony())
        {
            return nothing("a message is of another ceremony");
        }
        if one.sender() != other.sender() {
            return nothing("the messages have different senders");
        }
        if one.body().kind() != other.body().kind() {
            return nothing("the messages are of different kinds");
        }
        if one.body().has_same_content(other.body()) {
            return nothing("the messages have the same content");
        }
        let mut members = proposal.members.iter();
        let Some(member) = members.find(|member| member.identity == *one.sender()) else {
            return nothing("the sender is not a member");
        };
        let member = member.name.clone();
        let mut messages = messages;
        // So that the text does not depend on which message came first.
        messages.sort_by_key(Message::to_text);
        Ok(Self {
            opening,
            member,
            messages,
        })
    }

    /// Parses evidence and verifies all of it: both signatures, the member, the contradiction.
    ///
    /// # Errors
    /// If it is invalid.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        if text.len() > MAX_EVIDENCE {
            return Err(EvidenceError::TooLong(text.len()));
        }
        let raw: RawText =
            serde_json::from_str(text).map_err(|error| EvidenceError::Format(error.to_string()))?;
        if raw.version != VERSION {
            return Err(EvidenceError::Version(raw.version));
        }
        let [one, other] = raw.messages;
        Self::new(
            raw.proposal.try_into()?,
            [one.try_into()?, other.try_into()?],
        )
    }

    /// The evidence as text: JSON, ending in a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(&Text {
            version: VERSION,
            proposal: &self.opening,
            messages: &self.messages,
        })
    }

    /// The name of the member that signed both messages.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.member
    }

    /// The member's identity, with which both messages are signed.
    #[must_use]
    pub const fn identity(&self) -> &XOnlyPublicKey {
        self.messages[0].sender()
    }

    /// The ceremony that the messages belong to.
    #[must_use]
    pub const fn ceremony(&self) -> Digest {
        self.opening.ceremony()
    }

    /// The ceremony's proposal.
    #[must_use]
    pub const fn proposal(&self) -> &Message {
        &self.opening
    }

    /// The kind of the messages: `join` or `approval`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.messages[0].body().kind()
    }

    /// The two contradictory messages.
    #[must_use]
    pub const fn messages(&self) -> &[Message; 2] {
        &self.messages
    }
}

impl Serialize for Evidence {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Text {
            version: VERSION,
            proposal: &self.opening,
            messages: &self.messages,
        }
        .serialize(serializer)
    }
}
