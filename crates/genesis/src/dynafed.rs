//! When dynamic federations (dynafed) start on a chain.

use crate::{InvalidSettings, Settings};

/// When dynafed starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynafedStart {
    /// With block 1.
    Always,
    /// Not unless the settings change.
    Never,
    /// When block makers signal for it: from some block on, the format changes.
    Signalled {
        /// The time from which signals count, in seconds since 1970; 0 is from the start.
        from: i64,
    },
}

impl DynafedStart {
    const ALWAYS: i64 = -1;
    const NEVER: i64 = -2;

    /// Reads the settings: the first `evbparams=dynafed:START:END:PERIOD:THRESHOLD` if it has a
    /// start, otherwise the last `vbparams=dynafed:START:END`, otherwise always.
    ///
    /// # Errors
    /// If a value is malformed, with which the node would not start.
    pub fn of(settings: &Settings) -> Result<Self, InvalidSettings> {
        let mut start = Self::ALWAYS;
        for text in settings.list("vbparams") {
            let (name, begin) =
                parse_vb(text).ok_or_else(|| InvalidSettings::Vbparams(text.clone()))?;
            if name == DYNAFED {
                start = begin;
            }
        }
        let mut named = false;
        for text in settings.list("evbparams") {
            let (name, begin) =
                parse_evb(text).ok_or_else(|| InvalidSettings::Evbparams(text.clone()))?;
            // The node takes the first of several, with or without a start.
            if name == DYNAFED && !core::mem::replace(&mut named, true) {
                start = begin.unwrap_or(start);
            }
        }
        Ok(match start {
            Self::ALWAYS => Self::Always,
            Self::NEVER => Self::Never,
            from => Self::Signalled { from },
        })
    }
}

const DYNAFED: &str = "dynafed";

/// The deployments that can be activated.
const DEPLOYMENTS: [&str; 4] = ["testdummy", "taproot", DYNAFED, "simplicity"];

/// Returns name and start of one value of `evbparams`, in which each number may be omitted.
fn parse_evb(text: &str) -> Option<(&str, Option<i64>)> {
    let parts: Vec<_> = text.split(':').collect();
    let [name, numbers @ ..] = parts.as_slice() else {
        return None;
    };
    if numbers.len() != 4 || !DEPLOYMENTS.contains(name) {
        return None;
    }
    let parsed: Vec<Option<i64>> = numbers
        .iter()
        .map(|number| match *number {
            "" => Some(None),
            number => number.parse().ok().map(Some),
        })
        .collect::<Option<_>>()?;
    Some((name, parsed[0]))
}

/// Returns name and start of one value of `vbparams`, `NAME:START:END[:HEIGHT]`.
fn parse_vb(text: &str) -> Option<(&str, i64)> {
    let parts: Vec<_> = text.split(':').collect();
    let [name, start, end, height @ ..] = parts.as_slice() else {
        return None;
    };
    let height_is_valid = match height {
        [] => true,
        [height] => height.parse::<i32>().is_ok(),
        _ => false,
    };
    let start = start.parse().ok()?;
    let is_valid = height_is_valid && end.parse::<i64>().is_ok() && DEPLOYMENTS.contains(name);
    is_valid.then_some((name, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeKind;

    fn start(lines: &str) -> Result<DynafedStart, InvalidSettings> {
        let text = format!("chain=home\n{lines}");
        DynafedStart::of(&Settings::parse(NodeKind::Elements, &text).expect("a file"))
    }

    #[test]
    fn the_first_evbparams_overrides_the_last_vbparams() {
        use DynafedStart::{Always, Never, Signalled};
        for (lines, expected) in [
            ("", Always),
            ("evbparams=dynafed:-2:::", Never),
            ("evbparams=dynafed::::\nevbparams=dynafed:-2:::", Always),
            ("evbparams=taproot:-2:::", Always),
            ("vbparams=dynafed:-1:5\nvbparams=dynafed:-2:5:7", Never),
            ("vbparams=dynafed:-2:5\nevbparams=dynafed:::5:", Never),
            (
                "vbparams=dynafed:-2:5\nevbparams=dynafed:0:::",
                Signalled { from: 0 },
            ),
        ] {
            assert_eq!(start(lines), Ok(expected), "{lines}");
        }
    }

    #[test]
    fn values_that_a_node_does_not_start_with_are_refused() {
        for wrong in [
            "dynafed",
            "dynafed:-1",
            "dynafed:x:5",
            "other:1:2",
            "dynafed:1:2:3:4",
        ] {
            let error = start(&format!("vbparams={wrong}"));
            assert_eq!(error, Err(InvalidSettings::Vbparams(wrong.to_owned())));
        }
    }
}
