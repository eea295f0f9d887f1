//! Warnings about proposals that are allowed but may not be intended.

use crate::Proposal;

/// A warning that the parties should read before they approve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// M = N.
    #[error(
        "all {0} must sign each block, so a single absence stops the chain: a lower threshold, above {half}, would tolerate absences", half = .0 / 2
    )]
    AllMustSign(usize),
    /// N = 1.
    #[error(
        "a single party signs all blocks: this is not a federation, and nobody checks the signer"
    )]
    Alone,
    /// No destination is set for fees.
    #[error(
        "anyone can take the fees: neither the proposal nor con_mandatorycoinbase sets a destination"
    )]
    FeesForAnyone,
    /// Two parties give the same address.
    #[error(
        "`{first}` and `{second}` both give the address {address}: check that this is intended"
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

/// Returns the warnings about a proposal, to read before joining.
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
