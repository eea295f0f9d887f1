//! The amount of a reissuance.
//!
//! With `S` satoshi in circulation, it is `floor(S x ((1 + rate)^(elapsed / year) - 1))` satoshi,
//! computed exactly: logarithm and exponential are evaluated once rounded down and once rounded up,
//! by a library that rounds each correctly, and with increasing precision until both give the same
//! integer. If the true value is an integer itself, which no precision can prove, powers of
//! integers decide.

use dashu_float::{
    FBig,
    round::{ErrorBounds, mode},
};
use dashu_int::{IBig, UBig};
use serde::{Deserialize, Serialize};

use crate::{
    Rate, Schedule,
    schedule::{Point, YEAR_MS},
};

/// The precision, in bits, of the first attempt: enough for all amounts except about one in 2^100.
const FIRST_BITS: usize = 192;
/// The precision, in bits, of the last attempt.
const MOST_BITS: usize = 1 << 15;

/// The longest time supported, in milliseconds: ten thousand years.
const LONGEST_MS: u64 = 10_000 * YEAR_MS;

/// Why an amount cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AmountError {
    /// The amount exceeds the range of an amount.
    #[error(
        "the amount for {circulation} satoshi in circulation exceeds the largest possible amount"
    )]
    TooLarge {
        /// The circulation, in satoshi.
        circulation: u64,
    },
    /// The time is longer than ten thousand years.
    #[error("{0} milliseconds are more than ten thousand years")]
    TooLong(u64),
}

/// A frozen amount (Ocean): it accrues growth while frozen, which is issued once it can be spent
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The amount, in satoshi.
    pub value: u64,
    /// The height of the block that froze it.
    pub start: u32,
    /// The height of the block that spent it, other than by burning; `None` while it is frozen.
    pub end: Option<u32>,
}

/// Returns the amount to issue at a point of a schedule, given the circulation, both in satoshi.
///
/// # Errors
/// If it exceeds the range of an amount.
pub fn scheduled_amount(schedule: &Schedule, circulation: u64) -> Result<u64, AmountError> {
    growth(schedule.rate(), circulation, schedule.period_ms())
}

/// Returns the amount to issue at a point for frozen amounts that became spendable since the
/// previous point: each grows by the number of whole periods from its freezing to the point, and is
/// rounded down.
///
/// Amounts that became spendable at or before the previous point, or after this one, add nothing.
///
/// # Errors
/// If it exceeds the range of an amount.
pub fn amount_for_unfrozen<'f>(
    schedule: &Schedule,
    point: Point,
    frozen: impl IntoIterator<Item = &'f Frozen>,
) -> Result<u64, AmountError> {
    let height = point.height().to_u32();
    let before = height.saturating_sub(schedule.period());
    let mut sum = 0u64;
    for entry in frozen {
        let Some(end) = entry.end else { continue };
        if end <= before || end > height || entry.start > height {
            continue;
        }
        let periods = u64::from((height - entry.start) / schedule.period());
        let elapsed = periods.saturating_mul(schedule.period_ms());
        let amount = growth(schedule.rate(), entry.value, elapsed)?;
        sum = sum.checked_add(amount).ok_or(AmountError::TooLarge {
            circulation: entry.value,
        })?;
    }
    Ok(sum)
}

/// Returns the growth of an amount over a time, rounded down.
fn growth(rate: Rate, amount: u64, elapsed_ms: u64) -> Result<u64, AmountError> {
    if elapsed_ms > LONGEST_MS {
        return Err(AmountError::TooLong(elapsed_ms));
    }
    if amount == 0 || elapsed_ms == 0 {
        return Ok(0);
    }
    let too_large = AmountError::TooLarge {
        circulation: amount,
    };
    let mut bits = FIRST_BITS;
    let whole = loop {
        let low = bound::<mode::Down>(rate, amount, elapsed_ms, bits);
        let high = bound::<mode::Up>(rate, amount, elapsed_ms, bits);
        if low == high {
            break low;
        }
        if let Some(exact) = by_powers(rate, amount, elapsed_ms, &high) {
            break if exact { high } else { high - 1 };
        }
        if bits >= MOST_BITS {
            // Unreachable in practice: the value would be within 2^-30000 of an integer without
            // being one.
            break low;
        }
        bits *= 2;
    };
    u64::try_from(whole).map_err(|_| too_large)
}

/// Returns the integer part of the growth, with every step rounded in one direction.
fn bound<R: ErrorBounds>(rate: Rate, amount: u64, elapsed_ms: u64, bits: usize) -> IBig {
    let number = |value: u64| FBig::<R, 2>::from(value).with_precision(bits).value();
    let factor = number(Rate::ONE + rate.trillionths()) / number(Rate::ONE);
    let years = number(elapsed_ms) / number(YEAR_MS);
    let grown = (factor.ln() * years).exp_m1() * number(amount);
    grown.floor().to_int().value()
}

/// Returns whether the growth is at least the integer `n`, computed with integers only: `(n + S)^q
/// x B^p <= S^q x A^p` for the factor `A / B` and the time `p / q` years. `None` if the powers
/// would be too large; in that case `q` is above 64, and since `A` is below 2^64, the factor has no
/// rational `q`th root and the growth is not an integer.
fn by_powers(rate: Rate, amount: u64, elapsed_ms: u64, n: &IBig) -> Option<bool> {
    let (p, q) = reduced(elapsed_ms, YEAR_MS);
    if q > 64 || p > 20_000 {
        return None;
    }
    let (a, b) = reduced(Rate::ONE + rate.trillionths(), Rate::ONE);
    let (p, q) = (usize::try_from(p).ok()?, usize::try_from(q).ok()?);
    let total = UBig::try_from(n + IBig::from(amount)).ok()?;
    let left = total.pow(q) * UBig::from(b).pow(p);
    let right = UBig::from(amount).pow(q) * UBig::from(a).pow(p);
    Some(left <= right)
}

/// Reduces a fraction to lowest terms.
const fn reduced(numerator: u64, denominator: u64) -> (u64, u64) {
    let (mut a, mut b) = (numerator, denominator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (numerator / a, denominator / a)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use federation_chain::BlockHeight;
    use proptest::prelude::*;

    use super::*;

    const COIN: u64 = 100_000_000;

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    fn schedule(text: &str, period: u32, interval: u64) -> Schedule {
        let interval = Duration::from_secs(interval);
        Schedule::new(rate(text), period, interval, BlockHeight::GENESIS).expect("a schedule")
    }

    #[test]
    fn the_growth_of_a_year_is_the_rate() {
        assert_eq!(growth(rate("0.1"), 1000 * COIN, YEAR_MS), Ok(100 * COIN));
        assert_eq!(
            growth(rate("0.1"), 1000 * COIN, 2 * YEAR_MS),
            Ok(210 * COIN)
        );
        // 0.333... of three satoshi is less than one satoshi.
        assert_eq!(growth(rate("0.333333333333"), 3, YEAR_MS), Ok(0));
        assert_eq!(growth(rate("0.333333333334"), 3, YEAR_MS), Ok(1));
    }

    #[test]
    fn a_rational_root_gives_the_exact_amount() {
        // The square root of 1.21 is 1.1.
        assert_eq!(growth(rate("0.21"), 1000, YEAR_MS / 2), Ok(100));
        assert_eq!(growth(rate("0.21"), 999, YEAR_MS / 2), Ok(99));
    }

    /// One day at 5 % per year, computed by hand with 50 digits: 21e14 x (1.05^(1/365) - 1) =
    /// 280729295938.22...
    #[test]
    fn a_known_amount_is_reproduced() {
        let daily = schedule("0.05", 1440, 60);
        let circulation = 21_000_000 * COIN;
        assert_eq!(scheduled_amount(&daily, circulation), Ok(280_729_295_938));
    }

    #[test]
    fn amounts_agree_with_another_programs_at_150_digits() {
        let mut count = 0;
        for line in include_str!("exact.tsv")
            .lines()
            .filter(|line| !line.starts_with('#'))
        {
            let fields: Vec<&str> = line.split('\t').collect();
            let [rate, period, interval, circulation, expected] = fields[..] else {
                panic!("five fields: {line}");
            };
            let number = |text: &str| text.parse::<u64>().expect("a number");
            let schedule = Schedule::new(
                rate.parse().expect("a rate"),
                period.parse().expect("a number"),
                Duration::from_millis(number(interval)),
                BlockHeight::GENESIS,
            );
            let amount = scheduled_amount(&schedule.expect("a schedule"), number(circulation));
            assert_eq!(amount, Ok(number(expected)), "{line}");
            count += 1;
        }
        assert!(count > 300);
    }

    #[test]
    fn an_amount_out_of_range_is_an_error() {
        let rate = rate("10");
        assert!(growth(rate, u64::MAX, YEAR_MS).is_err());
        assert!(growth(rate, 1, 10_000 * YEAR_MS).is_err());
        assert_eq!(
            growth(rate, 1, u64::MAX),
            Err(AmountError::TooLong(u64::MAX))
        );
    }

    #[test]
    fn an_amount_unfrozen_since_the_last_point_grows_for_the_time_it_was_frozen() {
        // A period is half a year.
        let schedule = schedule("0.21", 365, 12 * 60 * 60);
        let point = schedule.point_at(BlockHeight::new(1460)).expect("a point");
        let entry = |start, end| Frozen {
            value: 1000,
            start,
            end,
        };
        let amount = |entry: Frozen| amount_for_unfrozen(&schedule, point, [&entry]);
        assert_eq!(amount(entry(730, Some(1200))), Ok(210), "two whole periods");
        assert_eq!(amount(entry(731, Some(1200))), Ok(100), "one whole period");
        assert_eq!(amount(entry(1096, Some(1200))), Ok(0), "less than one");
        assert_eq!(amount(entry(730, None)), Ok(0), "still frozen");
        assert_eq!(
            amount(entry(730, Some(1095))),
            Ok(0),
            "paid at the previous point"
        );
        assert_eq!(
            amount(entry(730, Some(1461))),
            Ok(0),
            "due at the next point"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Checked against powers of integers, which need no rounding.
        #[test]
        fn the_growth_is_the_integer_part_of_the_exact_value(
            trillionths in 1..=10 * Rate::ONE, amount in 1..=21_000_000 * COIN, part in 1..=60u64, times in 1..=30u64,
        ) {
            let decimal = format!("{}.{:012}", trillionths / Rate::ONE, trillionths % Rate::ONE);
            let rate = rate(&decimal);
            let elapsed = YEAR_MS / part * times;
            prop_assume!(YEAR_MS.is_multiple_of(part));
            let Ok(grown) = growth(rate, amount, elapsed) else {
                return Ok(());
            };
            let at_least = |n: u64| by_powers(rate, amount, elapsed, &IBig::from(n));
            prop_assert_eq!(at_least(grown), Some(true));
            prop_assert_eq!(at_least(grown + 1), Some(false));
        }

        #[test]
        fn more_circulation_or_time_never_gives_less(
            amount in 0..=21_000_000 * COIN, more in 0..1000u64, ms in 1..YEAR_MS, longer in 0..YEAR_MS,
        ) {
            let rate = rate("0.07");
            let base = growth(rate, amount, ms).expect("small");
            prop_assert!(growth(rate, amount + more, ms).expect("small") >= base);
            prop_assert!(growth(rate, amount, ms + longer).expect("small") >= base);
        }

        /// Each point loses less than one satoshi by rounding, and its later growth.
        #[test]
        fn the_sum_of_many_points_is_the_closed_form_less_a_grown_satoshi_each(
            amount in 1..=21_000_000 * COIN, points in 1..200u64, thousandths in 1..10_000u32, period in 1..9000u32,
        ) {
            // In hours, with up to a year from one point to the next.
            let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
            let schedule = schedule(&text, period, 3600);
            let mut total = amount;
            for _ in 0..points {
                let Some(more) = scheduled_amount(&schedule, total).ok().and_then(|amount| total.checked_add(amount)) else {
                    return Ok(());
                };
                total = more;
            }
            let Ok(grown) = growth(schedule.rate(), amount, points * schedule.period_ms()) else {
                return Ok(());
            };
            let Some(closed) = amount.checked_add(grown) else { return Ok(()) };
            prop_assert!(total <= closed);
            let years = schedule.period_ms() as f64 / YEAR_MS as f64;
            let ln = (f64::from(thousandths) / 1000.0).ln_1p() * years;
            // A satoshi per point, and its later growth.
            let bound = (ln * points as f64).exp_m1() / ln.exp_m1();
            prop_assert!((closed - total) as f64 <= bound * (1.0 + 1e-9), "{} of {bound}", closed - total);
        }
    }
}
