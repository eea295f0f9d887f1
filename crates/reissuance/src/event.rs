//! Events of a block, and the kinds of outputs of which a ledger tracks a limited number.

use elements::{AssetId, Txid};
use serde::Serialize;

use crate::{AmountError, Point, Uncountable};

/// An event in a block that concerns an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LedgerEvent {
    /// The asset was issued.
    Issued {
        /// The amount, in satoshi.
        amount: u64,
        /// The reissuance token.
        token: AssetId,
    },
    /// A point was reached, and this reissuance is due.
    Due {
        /// The point.
        point: Point,
        /// The circulation, in satoshi.
        circulation: u64,
        /// The amount to issue, in satoshi.
        amount: u64,
    },
    /// The reissuance for a point was made, correctly or not.
    Paid {
        /// The point.
        point: Point,
        /// The amount due, in satoshi.
        scheduled: u64,
        /// The amount issued, in satoshi.
        amount: u64,
        /// Whether all of it went to the destination, and the tokens back to their script.
        in_order: bool,
        /// The transaction.
        txid: Txid,
    },
    /// A reissuance that no point asked for.
    Unscheduled {
        /// The amount issued, in satoshi.
        amount: u64,
        /// The transaction.
        txid: Txid,
    },
    /// From now on the circulation cannot be determined.
    Uncountable(Uncountable),
    /// The amount due cannot be computed.
    NoAmount {
        /// The point.
        point: Point,
        /// The reason.
        error: AmountError,
    },
    /// There are more outputs of a kind than are tracked. Reported for the first one and for each
    /// further power of ten.
    Untracked {
        /// Their kind.
        kind: OutputKind,
        /// The number tracked.
        limit: usize,
        /// The number not tracked so far.
        total: u64,
    },
}

/// The kinds of unspent outputs of which a ledger tracks a limited number, since anyone can create
/// them.
///
/// An output that is not tracked is never considered again, even after others are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputKind {
    /// Reissuance tokens held by the script: the oldest 256.
    Tokens,
    /// Reissuance tokens on Elements that are not blinded: the oldest 16, for reports.
    UnblindedTokens,
    /// Coins for fees held by the script: the largest 256, of equal ones the oldest.
    Coins,
    /// Frozen outputs of the asset on Ocean: the largest 4096, of equal ones the oldest. Others
    /// count as in circulation.
    Frozen,
}

impl OutputKind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Tokens,
        Self::UnblindedTokens,
        Self::Coins,
        Self::Frozen,
    ];
}

impl core::fmt::Display for OutputKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Tokens => "outputs with reissuance tokens",
            Self::UnblindedTokens => "outputs with unblinded reissuance tokens",
            Self::Coins => "outputs with coins for fees",
            Self::Frozen => "frozen outputs",
        })
    }
}
