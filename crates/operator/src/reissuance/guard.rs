//! Prevents two payments for one point: a transaction is recorded durably before its signature
//! leaves, and another one for the same point is signed only if at most one of all of them can be
//! confirmed.

use elements::{OutPoint, Txid};
use serde::{Deserialize, Serialize};

/// A transaction that was signed for a point, or is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signed {
    /// Its id, which does not cover signatures.
    pub(crate) txid: Txid,
    /// The output with the reissuance tokens that it spends.
    pub(crate) token: OutPoint,
}

/// Why a transaction is not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "transaction {txid} was signed for the same point and can still be confirmed: it spends the tokens in {token}"
)]
pub(crate) struct PaysTwice {
    /// The transaction that was signed.
    txid: Txid,
    /// The tokens that it spends.
    token: OutPoint,
}

/// The transactions that were signed for one asset and point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignedForPoint(Vec<Signed>);

impl SignedForPoint {
    /// Adds a transaction if that is safe: each earlier one must spend the same tokens, so that at
    /// most one of them can be confirmed, or tokens that another transaction has already spent.
    ///
    /// `is_gone` tells whether an output existed and was spent in a block. It must return false for
    /// an output that was never seen, because a later block may still contain it.
    pub(crate) fn with(
        mut self,
        asked: Signed,
        is_gone: impl Fn(OutPoint) -> bool,
    ) -> Result<Self, PaysTwice> {
        if self.0.contains(&asked) {
            return Ok(self);
        }
        match self
            .0
            .iter()
            .find(|signed| signed.token != asked.token && !is_gone(signed.token))
        {
            Some(Signed { txid, token }) => Err(PaysTwice {
                txid: *txid,
                token: *token,
            }),
            None => {
                // Of several that spend the same tokens one record is enough; with other people's
                // coins for the fee there can be any number of them.
                self.0.retain(|signed| signed.token != asked.token);
                self.0.push(asked);
                Ok(self)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(txid: u8, token: u8) -> Signed {
        Signed {
            txid: Txid::from_byte_array([txid; 32]),
            token: OutPoint::new(Txid::from_byte_array([token; 32]), 0),
        }
    }

    const fn nothing(_: OutPoint) -> bool {
        false
    }

    #[test]
    fn the_same_transaction_may_be_signed_again() {
        let once = SignedForPoint::default().with(signed(1, 1), nothing);
        let twice = once
            .clone()
            .and_then(|once| once.with(signed(1, 1), nothing));
        assert_eq!(once, twice);
    }

    #[test]
    fn two_transactions_that_spend_the_same_tokens_may_be_signed() {
        let both = SignedForPoint::default()
            .with(signed(1, 1), nothing)
            .and_then(|one| one.with(signed(2, 1), nothing));
        assert!(both.is_ok());
    }

    #[test]
    fn transactions_that_spend_the_same_tokens_take_one_record() {
        let mut record = SignedForPoint::default();
        for txid in 0..200 {
            record = record.with(signed(txid, 1), nothing).expect("the same");
        }
        assert_eq!(record.0, [signed(199, 1)]);
        assert!(record.with(signed(1, 2), nothing).is_err());
    }

    #[test]
    fn other_tokens_may_be_spent_only_when_the_first_are_gone() {
        let one = SignedForPoint::default()
            .with(signed(1, 1), nothing)
            .expect("the first");
        assert!(one.clone().with(signed(2, 2), nothing).is_err());
        let first = signed(1, 1).token;
        let both = one
            .with(signed(2, 2), |outpoint| outpoint == first)
            .expect("the first can no longer be confirmed");
        let third = both
            .clone()
            .with(signed(3, 3), |outpoint| outpoint == first);
        assert!(third.is_err(), "the second still can");
    }
}
