//! Deserialised values are checked like constructed ones, and the encoding does not change.

use core::{fmt::Debug, time::Duration};

use federation_chain::BlockHeight;
use federation_reissuance::{Opening, Rate, Schedule};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Reads a value from JSON and from postcard.
fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(
    value: &Value,
    stored: &impl Serialize,
) -> Option<T> {
    let from_json = serde_json::from_value::<T>(value.clone()).ok();
    let bytes = postcard::to_stdvec(stored).expect("encoded");
    let from_bytes = postcard::from_bytes::<T>(&bytes).ok();
    assert_eq!(from_json, from_bytes, "{value}");
    if let Some(read) = &from_json {
        assert_eq!(serde_json::to_value(read).ok().as_ref(), Some(value));
        assert_eq!(postcard::to_stdvec(read).ok(), Some(bytes), "{value}");
    }
    from_json
}

#[test]
fn an_invalid_schedule_does_not_deserialise() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    for (rate, period, interval, start, is_one) in [
        ("0.05", 1440, 60_000, 7, true),
        ("10", 1, 1, 0, true),
        ("0.05", 36_500, DAY, u32::MAX, true),
        ("0.05", 0, 60_000, 0, false),
        ("0.05", 1440, 0, 0, false),
        ("0.05", 1440, DAY + 1, 0, false),
        ("0.05", 1440, u64::MAX, 0, false),
        ("0.05", 36_501, DAY, 0, false),
        ("0.05", u32::MAX, 1000, 0, false),
        ("0", 1440, 60_000, 0, false),
        ("11", 1440, 60_000, 0, false),
        ("-1", 1440, 60_000, 0, false),
    ] {
        let value =
            json!({ "rate": rate, "period": period, "interval_ms": interval, "start": start });
        let read: Option<Schedule> = read(&value, &(rate, period, interval, start));
        let made = rate.parse().ok().and_then(|rate: Rate| {
            let interval = Duration::from_millis(interval);
            Schedule::new(rate, period, interval, BlockHeight::new(start)).ok()
        });
        assert_eq!(read, made, "{value}");
        assert_eq!(read.is_some(), is_one, "{value}");
        if let Some(schedule) = read {
            // No arithmetic on it overflows.
            let _ = federation_reissuance::scheduled_amount(&schedule, u64::MAX);
            let _ = schedule.after(BlockHeight::new(u32::MAX));
        }
    }
}

#[test]
fn an_opening_with_factors_out_of_range_does_not_deserialise() {
    let order = [0xffu8; 32];
    let factor = [7u8; 32];
    let none = [0u8; 32];
    for (asset, value, is_one) in [
        (factor, factor, true),
        (none, none, true),
        (order, factor, false),
        (factor, order, false),
    ] {
        let json = json!({ "value": 5, "asset_factor": asset, "value_factor": value });
        let read: Option<Opening> = read(&json, &(5u64, asset, value));
        assert_eq!(read.is_some(), is_one, "{json}");
    }
}
