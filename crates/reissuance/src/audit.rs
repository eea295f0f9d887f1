//! What an audit counts as a difference from the schedule.
//!
//! A difference is a reissuance that was not made as scheduled (another amount, another destination,
//! or tokens that did not go back), one that no point asked for, a circulation or an amount that can no
//! longer be computed, and a payment that is still due after more than a period.

use federation_chain::BlockHeight;

use crate::{Due, LedgerEvent, Schedule};

impl LedgerEvent {
    /// Whether an audit counts the event as a difference from the schedule.
    #[must_use]
    pub const fn is_difference(&self) -> bool {
        match self {
            Self::Paid {
                scheduled,
                amount,
                in_order,
                ..
            } => *scheduled != *amount || !*in_order,
            Self::Unscheduled { .. } | Self::Uncountable(_) | Self::NoAmount { .. } => true,
            // That some outputs are not tracked does not change what was made.
            Self::Issued { .. } | Self::Due { .. } | Self::Untracked { .. } => false,
        }
    }
}

impl Due {
    /// Returns how many blocks ago the payment became due, at this tip.
    #[must_use]
    pub const fn age(&self, tip: BlockHeight) -> u32 {
        tip.to_u32().saturating_sub(self.point.height().to_u32())
    }

    /// Whether an audit counts the payment, still due at this tip, as a difference: it is due for more
    /// than a period, so that the next payment is due as well.
    #[must_use]
    pub const fn is_overdue(&self, schedule: &Schedule, tip: BlockHeight) -> bool {
        self.age(tip) > schedule.period()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use elements::{AssetId, Txid};

    use super::*;
    use crate::{AmountError, OutputKind, Point, Uncountable};

    const PERIOD: u32 = 10;

    fn schedule() -> Schedule {
        let rate = "0.05".parse().expect("a rate");
        let interval = Duration::from_secs(60);
        Schedule::new(rate, PERIOD, interval, BlockHeight::GENESIS).expect("a schedule")
    }

    fn point() -> Point {
        let point = schedule().point_at(BlockHeight::new(2 * PERIOD));
        point.expect("a point")
    }

    fn txid() -> Txid {
        Txid::from_byte_array([1; 32])
    }

    fn paid(scheduled: u64, amount: u64, in_order: bool) -> LedgerEvent {
        LedgerEvent::Paid {
            point: point(),
            scheduled,
            amount,
            in_order,
            txid: txid(),
        }
    }

    #[test]
    fn a_payment_differs_if_its_amount_or_its_destination_does() {
        assert!(!paid(5, 5, true).is_difference());
        for other in [paid(5, 4, true), paid(5, 6, true), paid(5, 5, false)] {
            assert!(other.is_difference(), "{other:?}");
        }
    }

    #[test]
    fn unscheduled_reissuances_and_what_cannot_be_computed_are_differences() {
        let (amount, txid) = (5, txid());
        let error = AmountError::TooLong(1);
        let point = point();
        for event in [
            LedgerEvent::Unscheduled { amount, txid },
            LedgerEvent::Uncountable(Uncountable::Range(txid)),
            LedgerEvent::NoAmount { point, error },
        ] {
            assert!(event.is_difference(), "{event:?}");
        }
    }

    #[test]
    fn issuances_points_and_untracked_outputs_are_not_differences() {
        for event in [
            LedgerEvent::Issued {
                amount: 5,
                token: AssetId::from_byte_array([2; 32]),
            },
            LedgerEvent::Due {
                point: point(),
                circulation: 100,
                amount: 5,
            },
            LedgerEvent::Untracked {
                kind: OutputKind::Coins,
                limit: 256,
                total: 1,
            },
        ] {
            assert!(!event.is_difference(), "{event:?}");
        }
    }

    #[test]
    fn a_payment_is_overdue_after_more_than_a_period() {
        let due = Due {
            point: point(),
            circulation: 100,
            amount: 5,
        };
        let tip = |after: u32| BlockHeight::new(2 * PERIOD + after);
        assert_eq!(due.age(tip(3)), 3);
        assert!(!due.is_overdue(&schedule(), tip(0)));
        assert!(!due.is_overdue(&schedule(), tip(PERIOD)));
        assert!(due.is_overdue(&schedule(), tip(PERIOD + 1)));
        // A tip below the point, as of a node that was reset.
        assert_eq!(due.age(BlockHeight::GENESIS), 0);
    }
}
