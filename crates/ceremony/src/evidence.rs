//! The proof that a member has said two things, which anybody can check offline.

use secp256k1::XOnlyPublicKey;
use serde::{Deserialize, Serialize};

use crate::{
    Body, Digest, MAX_MESSAGE, Message, MessageError,
    message::{Raw, to_json},
};

/// The version of the format.
const VERSION: u32 = 1;

/// No evidence is longer, in bytes: three messages, indented once more.
pub const MAX_EVIDENCE: usize = 4 * MAX_MESSAGE;

/// A text that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Too long.
    #[error("{0} bytes are no evidence: the longest has {MAX_EVIDENCE}")]
    TooLong(usize),
    /// Not the format.
    #[error("it is no evidence: {0}")]
    Format(String),
    /// From another version of the program.
    #[error("it is of version {0}, this program knows version {VERSION}")]
    Version(u32),
    /// A message that is not its sender's.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Not what it takes to accuse somebody.
    #[error("it proves nothing: {0}")]
    Nothing(&'static str),
}

/// Two messages of one kind that one member has signed in one ceremony, and that say different
/// things. There is no value of this type that does not prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The ceremony's proposal, which says who the member is.
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
    /// The proof that two messages of the ceremony that a proposal begins contradict each other.
    ///
    /// # Errors
    /// If they do not, are not of one member, or not of this ceremony.
    pub fn new(opening: Message, messages: [Message; 2]) -> Result<Self, EvidenceError> {
        let nothing = |why| Err(EvidenceError::Nothing(why));
        let Body::Proposal(proposal) = opening.body() else {
            return nothing("it has no proposal, which says who the members are");
        };
        let [one, other] = &messages;
        if [one, other]
            .iter()
            .any(|message| message.ceremony() != opening.ceremony())
        {
            return nothing("a message is of another ceremony");
        }
        if one.sender() != other.sender() {
            return nothing("the messages are of two senders");
        }
        if one.body().kind() != other.body().kind() {
            return nothing("the messages are of two kinds");
        }
        if one.body().says_the_same(other.body()) {
            return nothing("the messages say the same");
        }
        let mut members = proposal.members.iter();
        let Some(member) = members.find(|member| member.identity == *one.sender()) else {
            return nothing("the sender is no member");
        };
        let member = member.name.clone();
        let mut messages = messages;
        // The same proof has the same text, whichever message came first.
        messages.sort_by_key(Message::to_text);
        Ok(Self {
            opening,
            member,
            messages,
        })
    }

    /// Reads evidence and checks all of it: both signatures, the member, the contradiction.
    ///
    /// # Errors
    /// If it proves nothing.
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

    /// The evidence as text: JSON, one line feed at the end.
    #[must_use]
    pub fn to_text(&self) -> String {
        to_json(&Text {
            version: VERSION,
            proposal: &self.opening,
            messages: &self.messages,
        })
    }

    /// Who said two things.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.member
    }

    /// The culprit's key, with which both messages are signed.
    #[must_use]
    pub const fn identity(&self) -> &XOnlyPublicKey {
        self.messages[0].sender()
    }

    /// The ceremony in which it said them.
    #[must_use]
    pub const fn ceremony(&self) -> Digest {
        self.opening.ceremony()
    }

    /// The ceremony's proposal.
    #[must_use]
    pub const fn proposal(&self) -> &Message {
        &self.opening
    }

    /// What kind of message they are: `join` or `approval`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.messages[0].body().kind()
    }

    /// What it said, both signed by it.
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
