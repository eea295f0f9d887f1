//! Faults that tests put into the machine, to show that the simulation would catch them.

/// One deliberate fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Prevote whatever is proposed, also against the lock.
    NoLock,
    /// Forget the lock when restarting.
    ForgetLock,
    /// Take M - 1 votes for a quorum.
    SmallQuorum,
    /// Take any settled height for the end of the observing, however old its block.
    TrustOldHeights,
    /// Go to a later round when 2M - N others speak there, as earlier versions did.
    FollowFew,
    /// Do not repeat what ended the round before.
    KeepRoundCertificates,
    /// Propose a proven block again that the own node refuses, without being locked on it.
    InsistOnRefused,
    /// Send a body to whoever asks, however often.
    AnswerAlways,
    /// Ask for a body that is under way, after a moment and at each beat.
    Impatient,
    /// Forget nothing of the rounds of a height.
    KeepRounds,
    /// Help a laggard with the own block signature alone.
    HelpAlone,
    /// Sign the block when precommitting it.
    SignAtPrecommit,
}
