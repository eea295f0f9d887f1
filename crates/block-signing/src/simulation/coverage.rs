//! Coverage of a simulation: a run that never met a fault, or never had a reason to check a rule,
//! shows nothing about it.

use core::fmt;

/// A kind of fault that can happen, or a rule that can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoveragePoint {
    /// A message was lost.
    Loss,
    /// All messages of one kind between two operators were lost for a while.
    KindLoss,
    /// A message overtook an earlier one to the same operator.
    Reordering,
    /// A message arrived twice.
    Duplicate,
    /// An old message arrived again.
    Replay,
    /// A message was blocked by a partition.
    Partition,
    /// A frame waited because the uplink was busy with a body.
    BusyUplink,
    /// The oldest frame was dropped because the queue to an operator was full.
    FullQueue,
    /// A body was sent to an operator that had requested it.
    BodyOnRequest,
    /// Block signatures of all signers were passed on to an operator that missed them.
    SignaturesPassedOn,
    /// Nodes started to reject a block once it had a proof of lock.
    ValidityFlip,
    /// Such a block stayed rejected in the quiescent phase, as nothing depended on it.
    RefusedWhileQuiescent,
    /// A leader whose node rejects the proven block asked for a fresh one.
    FreshBlock,
    /// A height took more rounds than the window holds.
    LongHeight,
    /// Checked: a height leaves a constant number of records in a store.
    StoreChecked,
    /// A liar requested a block again and again.
    RepeatedRequest,
    /// A partition ended.
    PartitionHealed,
    /// An operator crashed.
    Crash,
    /// An operator crashed before its machine's records were stored.
    CrashBeforeStore,
    /// An operator crashed after the records were stored, but before the other outputs were
    /// handled.
    CrashAfterStore,
    /// A store failed.
    StoreFailure,
    /// A guard's store failed, which stopped the operator.
    GuardFailure,
    /// An operator lost its store.
    LostStore,
    /// An operator lost its node together with its store.
    LostNode,
    /// An observer received the old decision of a past height.
    OldDecision,
    /// A node came back without its last blocks.
    Rollback,
    /// An operator that runs twice received its duplicate's message, and stopped for good.
    DuplicateDetected,
    /// A clock was set wrong.
    WrongClock,
    /// A node did not answer.
    NodeFailure,
    /// A node answered after more than 300 ms.
    SlowNode,
    /// A liar voted arbitrarily.
    LyingVote,
    /// A liar voted many rounds ahead.
    VoteFarAhead,
    /// A liar proposed arbitrarily.
    LyingProposal,
    /// A liar proposed a block and withheld its body.
    WithheldBody,
    /// A liar signed a block arbitrarily.
    LyingSignature,
    /// A liar sent a spoiled body.
    SpoiledBody,
    /// A liar assembled a certificate.
    AssembledCertificate,
    /// A liar assembled a round certificate.
    AssembledRoundCertificate,
    /// Checked: no operator signs twice or signs an undecided block, and no two blocks can be
    /// complete.
    SignatureChecked,
    /// Checked: all decisions at a height are the same.
    DecisionChecked,
    /// Checked: nodes accept only decided blocks.
    AcceptanceChecked,
    /// Checked: only liars are accused.
    AccusationChecked,
    /// An operator entered a later round on a round certificate.
    RoundCertificateFollowed,
    /// An observer participated again.
    ObserverRejoined,
    /// Checked: blocks are made again after the faults end.
    ProgressChecked,
}

impl CoveragePoint {
    /// Every point.
    pub const ALL: [Self; 45] = [
        Self::Loss,
        Self::KindLoss,
        Self::Reordering,
        Self::Duplicate,
        Self::Replay,
        Self::Partition,
        Self::BusyUplink,
        Self::FullQueue,
        Self::BodyOnRequest,
        Self::SignaturesPassedOn,
        Self::ValidityFlip,
        Self::RefusedWhileQuiescent,
        Self::FreshBlock,
        Self::LongHeight,
        Self::StoreChecked,
        Self::RepeatedRequest,
        Self::PartitionHealed,
        Self::Crash,
        Self::CrashBeforeStore,
        Self::CrashAfterStore,
        Self::StoreFailure,
        Self::GuardFailure,
        Self::LostStore,
        Self::LostNode,
        Self::OldDecision,
        Self::Rollback,
        Self::DuplicateDetected,
        Self::WrongClock,
        Self::NodeFailure,
        Self::SlowNode,
        Self::LyingVote,
        Self::VoteFarAhead,
        Self::LyingProposal,
        Self::WithheldBody,
        Self::LyingSignature,
        Self::SpoiledBody,
        Self::AssembledCertificate,
        Self::AssembledRoundCertificate,
        Self::SignatureChecked,
        Self::DecisionChecked,
        Self::AcceptanceChecked,
        Self::AccusationChecked,
        Self::RoundCertificateFollowed,
        Self::ObserverRejoined,
        Self::ProgressChecked,
    ];
}

/// How often each point was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage([u64; CoveragePoint::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; CoveragePoint::ALL.len()])
    }
}

impl Coverage {
    pub(super) const fn cover(&mut self, what: CoveragePoint) {
        self.0[what as usize] += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// Returns how often this point was reached.
    #[must_use]
    pub const fn of(&self, what: CoveragePoint) -> u64 {
        self.0[what as usize]
    }

    /// Returns the points that were never reached.
    pub fn uncovered(&self) -> impl Iterator<Item = CoveragePoint> {
        CoveragePoint::ALL
            .into_iter()
            .filter(|what| self.of(*what) == 0)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, what) in CoveragePoint::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{what:?} {}", self.of(what))?;
        }
        Ok(())
    }
}
