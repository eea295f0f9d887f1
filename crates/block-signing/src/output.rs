//! What the machine asks of its driver.

use std::collections::BTreeMap;

use federation_chain::BlockHeight;
use federation_roster::{OperatorId, Round};

use crate::{Candidate, CompactSignature, Event, Message, Record, SignedMessage};

/// Everything a driver must do. Exhaustive on purpose: a new output breaks every driver at
/// compile time.
///
/// Of the outputs waiting after a call of [`handle`](crate::Machine::handle) all
/// [`Persist`](Self::Persist) come first. They must be durable before any other output of the
/// same batch or a later one is acted on (rule R25).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Store this durably. If that fails, feed [`StoreFailed`](crate::Input::StoreFailed).
    Persist(Record),
    /// Records of heights below this one may be deleted; when is up to the driver.
    Forget {
        /// The lowest height whose records must stay.
        below: BlockHeight,
    },
    /// Records under these [keys](Record::key) may be deleted, with the records of this batch or
    /// after them, and before those of any later batch, which may hold the same keys again.
    ForgetRecords {
        /// Their keys.
        keys: Vec<Vec<u8>>,
    },
    /// Sign this with the identity key and send it to all. Feed everything but a body back as
    /// [`Received`](crate::Input::Received) from this operator: own votes count like any other.
    Send(Message),
    /// Sign this with the identity key and send it to one operator, or to all where the network
    /// knows no other way. Only bodies go to one, so nothing is fed back.
    SendTo {
        /// Who asked for it.
        to: OperatorId,
        /// The message.
        message: Message,
    },
    /// Ask the node for a fresh block; answer [`Template`](crate::Input::Template) or
    /// [`TemplateFailed`](crate::Input::TemplateFailed).
    RequestTemplate {
        /// The height that the block is for.
        height: BlockHeight,
        /// The round in which it will be proposed.
        round: Round,
    },
    /// Let the node and the policy judge this block; answer [`Tested`](crate::Input::Tested).
    ///
    /// A later one supersedes those that still wait: one at a time is enough, and what waits is
    /// answered with [`Unavailable`](crate::Verdict::Unavailable) when the next one comes.
    TestBlock {
        /// The block.
        candidate: Candidate,
    },
    /// Sign this decided block through the guard; answer [`Signed`](crate::Input::Signed),
    /// [`SignRefused`](crate::Input::SignRefused) or, in any case after a while,
    /// [`SignUnavailable`](crate::Input::SignUnavailable): the machine does not ask a second time while
    /// it waits.
    SignBlock {
        /// The block.
        candidate: Candidate,
    },
    /// Put M of these signatures into the block and give it to the node; answer
    /// [`Submitted`](crate::Input::Submitted), and feed the new [`Tip`](crate::Input::Tip).
    Submit {
        /// The block.
        candidate: Candidate,
        /// At least M signatures.
        signatures: BTreeMap<OperatorId, CompactSignature>,
    },
    /// An operator signed two things that exclude each other. Keep and show.
    Evidence(Box<Evidence>),
    /// Something worth a log line or a metric.
    Event(Event),
}

/// Two signed messages of one operator of which an honest operator sends at most one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The one that came first.
    pub first: SignedMessage,
    /// The one that contradicts it.
    pub second: SignedMessage,
}
