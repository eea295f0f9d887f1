//! Faults that tests inject into the machine, to show that the simulation would detect them.

/// One deliberate fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Prevotes every proposal, even against the lock.
    NoLock,
    /// Forgets the lock at a restart.
    ForgetLock,
    /// Takes M - 1 votes for a quorum.
    SmallQuorum,
    /// Stops observing at any settled height, however old its block.
    TrustOldHeights,
    /// Goes to a later round when 2M - N others vote there, as earlier versions did.
    FollowMinority,
    /// Does not retransmit the certificate of the previous round.
    WithholdRoundCertificates,
    /// Proposes a proven block again that its node rejects, without being locked on it.
    InsistOnRefused,
    /// Replies to every body request, however frequent.
    AlwaysReply,
    /// Requests a body that is already under way, after a moment and at each retransmission.
    Impatient,
    /// Never prunes the records of earlier rounds.
    NeverPrune,
    /// Helps a laggard with nothing but its own block signature.
    HelpWithOwnSignatureOnly,
    /// Signs the block when precommitting it.
    SignAtPrecommit,
}
