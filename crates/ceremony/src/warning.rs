//! What a consortium may want otherwise, and may have so.

use crate::Proposal;

/// Something about a proposal that is allowed and that people should know before they join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// M = N.
    #[error(
        "all {0} must sign each block, so one that is absent stops the chain: with a lower threshold, above {half}, others could be absent", half = .0 / 2
    )]
    AllMustSign(usize),
    /// N = 1.
    #[error("one party alone signs the blocks: this is no federation, and nobody checks it")]
    Alone,
}

/// What there is to know about a proposal before one joins.
#[must_use]
pub fn warnings(proposal: &Proposal) -> Vec<Warning> {
    let n = proposal.members.len();
    match n {
        0 => Vec::new(),
        1 => vec![Warning::Alone],
        _ if usize::from(proposal.threshold) == n => vec![Warning::AllMustSign(n)],
        _ => Vec::new(),
    }
}
