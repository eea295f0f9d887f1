//! Counts of what a simulation exercised: a run that never met a fault, or never had a reason to
//! check a rule, shows nothing about it.

use core::fmt;

/// A kind of fault that happened, or a rule that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exercise {
    /// A message was lost.
    Loss,
    /// All messages of one kind between two operators were lost for a while.
    Deafness,
    /// A message overtook one that was sent to the same operator before.
    Reordering,
    /// A message arrived twice.
    Duplicate,
    /// An old message arrived again.
    Replay,
    /// A message did not cross a partition.
    Partition,
    /// A frame had to wait because the uplink was busy with a body.
    BusyUplink,
    /// The oldest frame was dropped because the queue to one operator was full.
    FullQueue,
    /// A body was sent to one operator that had asked for it.
    BodyOnRequest,
    /// The block signatures of all were passed on to somebody who missed them.
    SignaturesPassedOn,
    /// Nodes refused a block from the moment at which it had a proof of lock.
    ValidityFlip,
    /// Such a block was refused in the calm as well, as nothing depended on it.
    RefusedInCalm,
    /// A leader whose node refuses the proven block asked for a fresh one.
    FreshBlock,
    /// A height took more rounds than the window holds.
    LongHeight,
    /// Checked: a height leaves a constant number of records in a store.
    StoreChecked,
    /// A liar asked for a block again and again.
    GreedyRequest,
    /// A partition came to an end.
    Healing,
    /// An operator crashed.
    Crash,
    /// An operator crashed before what its machine asked for was stored.
    CrashBeforeStore,
    /// An operator crashed after it was stored, before all else was done that it asked for.
    CrashAfterStore,
    /// A store failed.
    StoreFailure,
    /// A guard's store failed, which ended the operator.
    GuardFailure,
    /// An operator lost its memory.
    LostMemory,
    /// An operator lost its node with its memory.
    LostNode,
    /// An observer heard again what settled an old height.
    OldDecision,
    /// A node came back without its last blocks.
    Rollback,
    /// An operator that was started twice heard the other one, and ended for good.
    TwinHeard,
    /// A clock was set wrong.
    WrongClock,
    /// A node did not answer.
    NodeFailure,
    /// A node answered after more than 300 ms.
    SlowNode,
    /// A liar voted as it liked.
    LyingVote,
    /// A liar voted many rounds ahead.
    VoteFarAhead,
    /// A liar proposed as it liked.
    LyingProposal,
    /// A liar proposed a block and told nobody what is in it.
    WithheldBody,
    /// A liar signed a block as it liked.
    LyingSignature,
    /// A liar sent a spoiled body.
    SpoiledBody,
    /// A liar pieced a certificate together.
    PiecedCertificate,
    /// A liar pieced a round certificate together.
    PiecedRoundCertificate,
    /// Checked: nobody signs twice, or what is not decided, and no two blocks can be complete.
    SignatureChecked,
    /// Checked: all decisions at a height are the same.
    DecisionChecked,
    /// Checked: nodes accept what was decided only.
    AcceptanceChecked,
    /// Checked: who is accused did lie.
    AccusationChecked,
    /// An operator entered a later round because it was shown that the one before is over.
    RoundCertificateFollowed,
    /// An observer took part again.
    TookPart,
    /// Checked: blocks come again once the storm is over.
    ProgressChecked,
}

impl Exercise {
    /// All of them.
    pub const ALL: [Self; 45] = [
        Self::Loss,
        Self::Deafness,
        Self::Reordering,
        Self::Duplicate,
        Self::Replay,
        Self::Partition,
        Self::BusyUplink,
        Self::FullQueue,
        Self::BodyOnRequest,
        Self::SignaturesPassedOn,
        Self::ValidityFlip,
        Self::RefusedInCalm,
        Self::FreshBlock,
        Self::LongHeight,
        Self::StoreChecked,
        Self::GreedyRequest,
        Self::Healing,
        Self::Crash,
        Self::CrashBeforeStore,
        Self::CrashAfterStore,
        Self::StoreFailure,
        Self::GuardFailure,
        Self::LostMemory,
        Self::LostNode,
        Self::OldDecision,
        Self::Rollback,
        Self::TwinHeard,
        Self::WrongClock,
        Self::NodeFailure,
        Self::SlowNode,
        Self::LyingVote,
        Self::VoteFarAhead,
        Self::LyingProposal,
        Self::WithheldBody,
        Self::LyingSignature,
        Self::SpoiledBody,
        Self::PiecedCertificate,
        Self::PiecedRoundCertificate,
        Self::SignatureChecked,
        Self::DecisionChecked,
        Self::AcceptanceChecked,
        Self::AccusationChecked,
        Self::RoundCertificateFollowed,
        Self::TookPart,
        Self::ProgressChecked,
    ];
}

/// How often each happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exercised([u64; Exercise::ALL.len()]);

impl Default for Exercised {
    fn default() -> Self {
        Self([0; Exercise::ALL.len()])
    }
}

impl Exercised {
    pub(super) const fn count(&mut self, what: Exercise) {
        self.0[what as usize] += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// How often this happened.
    #[must_use]
    pub const fn of(&self, what: Exercise) -> u64 {
        self.0[what as usize]
    }

    /// What never happened.
    pub fn never(&self) -> impl Iterator<Item = Exercise> {
        Exercise::ALL.into_iter().filter(|what| self.of(*what) == 0)
    }
}

impl fmt::Display for Exercised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, what) in Exercise::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{what:?} {}", self.of(what))?;
        }
        Ok(())
    }
}
