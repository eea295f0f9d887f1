//! Amounts as the nodes write them: decimal numbers with eight digits, parsed without floating
//! point.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One coin, in satoshi.
const COIN: u64 = 100_000_000;

/// An amount of an asset, in satoshi.
///
/// Serialised as the nodes do it, as a decimal number with eight digits. In a [`serde_json::Value`]
/// that becomes a binary fraction, which is exact only below 67 million coins: pass larger amounts
/// to [`NodeClient::call`](crate::NodeClient::call) as strings, which the nodes accept too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u64);

impl Amount {
    /// Creates an amount from satoshi.
    #[must_use]
    pub const fn from_sat(satoshi: u64) -> Self {
        Self(satoshi)
    }

    /// Returns the amount in satoshi.
    #[must_use]
    pub const fn to_sat(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08}", self.0 / COIN, self.0 % COIN)
    }
}

/// A string that is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount: expected a decimal number with at most eight fractional digits")]
pub struct ParseAmountError(String);

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            if whole.is_empty() || fraction.len() > 8 || !digits(whole) || !digits(fraction) {
                return None;
            }
            let fraction: u64 = format!("{fraction:0<8}").parse().ok()?;
            whole
                .parse::<u64>()
                .ok()?
                .checked_mul(COIN)?
                .checked_add(fraction)
                .map(Self)
        };
        parse().ok_or_else(|| ParseAmountError(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get()
            .trim_matches('"')
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_amount_round_trips(satoshi: u64) {
            let amount = Amount::from_sat(satoshi);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            let json = serde_json::to_string(&amount).expect("json");
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).expect("an amount"), amount);
        }

        #[test]
        fn any_string_is_an_amount_or_an_error(text: String) {
            if let Ok(amount) = text.parse::<Amount>() {
                prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            }
        }
    }

    #[test]
    fn amounts_are_exact() {
        for (text, satoshi) in [
            ("21000000.00000000", 2_100_000_000_000_000),
            ("0.1", 10_000_000),
            ("0.00000001", 1),
            ("92233720368.54775807", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(text.parse(), Ok(Amount::from_sat(satoshi)));
            let json: Amount = serde_json::from_str(text).expect("an amount");
            assert_eq!(json.to_sat(), satoshi);
        }
        assert_eq!(
            serde_json::to_string(&Amount::from_sat(1)).expect("json"),
            "0.00000001"
        );
        for bad in [
            "-1",
            "1.123456789",
            "1e3",
            "",
            ".5",
            "999999999999999999999",
        ] {
            assert!(bad.parse::<Amount>().is_err(), "{bad}");
        }
    }
}
