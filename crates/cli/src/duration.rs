//! Durations at the command line: one grammar, that of the `humantime` crate, as in the files.

use core::time::Duration;

/// Parses a duration such as `250ms`, `2s`, `1h 30m` or `2days`, in whole milliseconds. A number
/// without a unit is in seconds.
///
/// # Errors
/// What is wrong with the text, and examples of durations.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse(text, Duration::from_secs)
}

/// Parses a duration as [`duration`] does, but a number without a unit is in milliseconds.
///
/// # Errors
/// What is wrong with the text, and examples of durations.
pub fn duration_or_millis(text: &str) -> Result<Duration, String> {
    parse(text, Duration::from_millis)
}

fn parse(text: &str, without_unit: impl Fn(u64) -> Duration) -> Result<Duration, String> {
    if let Ok(number) = text.parse() {
        return Ok(without_unit(number));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration.subsec_nanos() % 1_000_000 == 0 => Ok(duration),
        Ok(_) => Err(format!("`{text}` is not a whole number of milliseconds")),
        Err(error) => Err(format!(
            "`{text}` is not a duration: {error}; write for example 250ms, 2s or 1h 30m"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_may_be_sums() {
        for (text, millis) in [
            ("250ms", 250),
            ("2s", 2_000),
            ("2sec", 2_000),
            ("1m", 60_000),
            ("3min", 180_000),
            ("2h", 7_200_000),
            ("1h 30m", 5_400_000),
            ("2 days", 172_800_000),
            ("1.5s", 1_500),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(duration_or_millis(text), duration(text), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_has_the_unit_of_its_option() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(duration_or_millis("10000"), Ok(Duration::from_secs(10)));
    }

    #[test]
    fn other_texts_are_refused_with_an_example() {
        for text in ["fast", "", "2 parsecs", "-1s", "99999999999999999999s"] {
            let error = duration(text).expect_err(text);
            assert!(
                error.starts_with(&format!("`{text}` is not a duration")),
                "{error}"
            );
            assert!(error.contains("250ms"), "{error}");
        }
        let error = duration("1500us").expect_err("a fraction of a millisecond");
        assert!(error.contains("whole number of milliseconds"), "{error}");
    }
}
