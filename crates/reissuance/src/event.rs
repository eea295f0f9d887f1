//! What a ledger tells of a block, and of which outputs it keeps no more than a number.

use elements::{AssetId, Txid};

use crate::{AmountError, Point, Uncountable};

/// Something that a block says of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerEvent {
    /// The asset was issued.
    Issued {
        /// How much, in satoshi.
        amount: u64,
        /// The reissuance token.
        token: AssetId,
    },
    /// A point was reached, and this is to be made for it.
    Due {
        /// The point.
        point: Point,
        /// What was in circulation, in satoshi.
        circulation: u64,
        /// What is to be made, in satoshi.
        amount: u64,
    },
    /// What was to be made for a point was made, or something else instead of it.
    Paid {
        /// The point.
        point: Point,
        /// What was to be made, in satoshi.
        scheduled: u64,
        /// What was made, in satoshi.
        amount: u64,
        /// Whether all of it went to the destination, and the tokens back to their script.
        in_order: bool,
        /// The transaction.
        txid: Txid,
    },
    /// More was made that no point asked for.
    Unscheduled {
        /// What was made, in satoshi.
        amount: u64,
        /// The transaction.
        txid: Txid,
    },
    /// From now on nobody can count what is in circulation.
    Uncountable(Uncountable),
    /// What is to be made cannot be computed.
    NoAmount {
        /// The point.
        point: Point,
        /// Why.
        error: AmountError,
    },
    /// There are more outputs of a kind than are kept. It is told of the first one that is not, and
    /// whenever there are ten times as many.
    PassedOver {
        /// What they are.
        what: Listed,
        /// How many are kept.
        most: usize,
        /// How many were not, so far.
        total: u64,
    },
}

/// The kinds of unspent outputs of which a ledger keeps a fixed number, since anyone can make some.
///
/// An output that was not kept is not looked at again, even when others are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listed {
    /// Reissuance tokens that the script holds: the oldest 256 are kept.
    Tokens,
    /// Reissuance tokens on Elements that are not blinded: the oldest 16 are kept, to be named.
    UnblindedTokens,
    /// Coins for fees that the script holds: the largest 256 are kept, of equal ones the oldest.
    Coins,
    /// Frozen outputs of the asset on Ocean: the largest 4096 are kept, of equal ones the oldest. One
    /// that is not counts as in circulation.
    Frozen,
}

impl Listed {
    pub(crate) const ALL: [Self; 4] = [
        Self::Tokens,
        Self::UnblindedTokens,
        Self::Coins,
        Self::Frozen,
    ];
}

impl core::fmt::Display for Listed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Tokens => "outputs with reissuance tokens",
            Self::UnblindedTokens => "outputs with reissuance tokens that are not blinded",
            Self::Coins => "outputs with coins for fees",
            Self::Frozen => "frozen outputs",
        })
    }
}
