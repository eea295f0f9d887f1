//! What a consortium may want otherwise, and may have so.

use crate::Proposal;

/// Something that is allowed, and that people should know before they agree to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// Nothing says where fees go.
    #[error(
        "anyone can take the fees: neither the proposal nor con_mandatorycoinbase says where they go"
    )]
    FeesForAnyone,
    /// Two parties at one address.
    #[error(
        "`{first}` and `{second}` both give {address}: one of them is not reached there, unless that is meant"
    )]
    SameAddress {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// The address.
        address: String,
    },
}

/// What there is to know about a proposal before one joins.
#[must_use]
pub fn warnings(proposal: &Proposal) -> Vec<Warning> {
    let n = proposal.members.len();
    let mut found = match n {
        0 => Vec::new(),
        1 => vec![Warning::Alone],
        _ if usize::from(proposal.threshold) == n => vec![Warning::AllMustSign(n)],
        _ => Vec::new(),
    };
    let mut lines = proposal.configuration.lines();
    let is_set = lines.any(|line| line.starts_with("con_mandatorycoinbase="));
    if proposal.fees.is_none() && !is_set {
        found.push(Warning::FeesForAnyone);
    }
    found
}
