//! Outputs: what the machine asks of its driver.

use std::collections::BTreeMap;

use federation_chain::BlockHeight;
use federation_roster::{OperatorId, Round};

use crate::{Candidate, CompactSignature, Event, Message, Record, SignedMessage};

/// Everything a driver must do. Deliberately exhaustive: a new output breaks every driver at
/// compile time.
///
/// Among the outputs pending after a call of [`handle`](crate::Machine::handle), all
/// [`Persist`](Self::Persist) come first. They must be durable before any other output of the same
/// batch or a later one is acted on (rule R25).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Store this durably. If that fails, report [`StoreFailed`](crate::Input::StoreFailed).
    Persist(Record),
    /// Records of heights below this one may be deleted, whenever the driver likes.
    Forget {
        /// The lowest height whose records must be kept.
        below: BlockHeight,
    },
    /// Records under these [keys](Record::key) may be deleted, with the records of this batch or
    /// after them, and before those of any later batch, which may hold the same keys again.
    ForgetRecords {
        /// Their keys.
        keys: Vec<Vec<u8>>,
    },
    /// Sign this with the identity key and broadcast it. Return everything but a body as
    /// [`Received`](crate::Input::Received) from this operator: its own votes count like any other.
    Send(Message),
    /// Sign this with the identity key and send it to one operator, or broadcast it if the network
    /// cannot do that. Only bodies are sent this way, so nothing is returned.
    SendTo {
        /// The operator that requested it.
        to: OperatorId,
        /// The message.
        message: Message,
    },
    /// Ask the node for a fresh block; answered by [`Template`](crate::Input::Template) or
    /// [`TemplateFailed`](crate::Input::TemplateFailed).
    RequestTemplate {
        /// The height that the block is for.
        height: BlockHeight,
        /// The round in which it will be proposed.
        round: Round,
    },
    /// Let the node and the policy judge this block; answered by [`Tested`](crate::Input::Tested).
    ///
    /// A later request supersedes those still waiting: one test at a time is enough, and a waiting
    /// one is answered with [`Unavailable`](crate::Verdict::Unavailable) when the next one comes.
    TestBlock {
        /// The block.
        candidate: Candidate,
    },
    /// Sign this decided block through the guard; answered by [`Signed`](crate::Input::Signed),
    /// [`SignRefused`](crate::Input::SignRefused) or, in any case after a while,
    /// [`SignUnavailable`](crate::Input::SignUnavailable): the machine does not ask again while it
    /// waits.
    SignBlock {
        /// The block.
        candidate: Candidate,
    },
    /// Put M of these signatures into the block and submit it to the node; answered by
    /// [`Submitted`](crate::Input::Submitted), and then the new [`Tip`](crate::Input::Tip).
    Submit {
        /// The block.
        candidate: Candidate,
        /// At least M signatures.
        signatures: BTreeMap<OperatorId, CompactSignature>,
    },
    /// An operator signed two messages that exclude each other. Store and report it.
    Evidence(Box<Evidence>),
    /// Something worth a log line or a metric.
    Event(Event),
}

/// Two signed messages by one operator, of which an honest operator sends at most one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The message that was received first.
    pub first: SignedMessage,
    /// The message that conflicts with it.
    pub second: SignedMessage,
}
