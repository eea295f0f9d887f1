//! A yearly rate, as an exact decimal number.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The maximum number of decimal places.
const MAX_DIGITS: u32 = 12;

/// The amount issued per year relative to the circulation: `0.05` is 5 %.
///
/// Exact: above 0 and at most 10, with at most twelve decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    /// In units of 10^-12.
    trillionths: u64,
}

/// A string that is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a yearly rate: expected a decimal number above 0 and at most 10, with at most twelve decimal places, such as `0.05` for 5 %"
)]
pub struct ParseRateError(String);

impl Rate {
    /// The rate one, in the internal unit.
    pub(crate) const ONE: u64 = 10u64.pow(MAX_DIGITS);
    const MOST: u64 = 10 * Self::ONE;

    /// Returns the rate in units of 10^-12.
    pub(crate) const fn trillionths(self) -> u64 {
        self.trillionths
    }
}

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let error = || ParseRateError(text.chars().take(40).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 2) || !digits(part, MAX_DIGITS as usize) {
            return Err(error());
        }
        let whole: u64 = whole.parse().map_err(|_| error())?;
        let part: u64 = format!("{part:0<12}").parse().map_err(|_| error())?;
        let trillionths = whole * Self::ONE + part;
        if (1..=Self::MOST).contains(&trillionths) {
            Ok(Self { trillionths })
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.trillionths / Self::ONE, self.trillionths % Self::ONE);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:012}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_rates_are_refused() {
        for text in [
            "",
            "0",
            "0.0",
            "-0.1",
            "+1",
            ".5",
            "1.",
            "10.000000000001",
            "11",
            "100",
            "1e-3",
            "0.0000000000001",
            "0,5",
            "1.0.0",
            "NaN",
            " 1",
            "０.５",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_rate_round_trips(trillionths in 1..=Rate::MOST) {
            let rate = Rate { trillionths };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_string_panics(text in ".{0,40}") {
            let _ = text.parse::<Rate>();
        }
    }
}
