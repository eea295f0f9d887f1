//! When a chain's dynamic federations begin.

use crate::{Settings, Unfit};

/// When dynafed begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynafedStart {
    /// With block 1.
    Always,
    /// Not as long as the settings stay.
    Never,
    /// When miners' signals, or this time in seconds since 1970, say so: some block changes the
    /// form of all that follow.
    Signalled {
        /// From when on signals count; 0 is from the start.
        from: i64,
    },
}

impl DynafedStart {
    const ALWAYS: i64 = -1;
    const NEVER: i64 = -2;

    /// What the settings say: the first `evbparams=dynafed:START:END:PERIOD:THRESHOLD` with a start,
    /// else the last `vbparams=dynafed:START:END`, else always.
    ///
    /// # Errors
    /// If the node does not start with one of the values.
    pub fn of(settings: &Settings) -> Result<Self, Unfit> {
        let mut start = Self::ALWAYS;
        for text in settings.list("vbparams") {
            let (name, begin) = parse_vb(text).ok_or_else(|| Unfit::Vbparams(text.clone()))?;
            if name == DYNAFED {
                start = begin;
            }
        }
        let mut named = false;
        for text in settings.list("evbparams") {
            let (name, begin) = parse_evb(text).ok_or_else(|| Unfit::Evbparams(text.clone()))?;
            // Of several the node takes the first, with a start or without.
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

/// What can be activated.
const DEPLOYMENTS: [&str; 4] = ["testdummy", "taproot", DYNAFED, "simplicity"];

/// Name and start of one value of `evbparams`, of which each number may be left out.
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

/// Name and start of one value of `vbparams`, `NAME:START:END[:HEIGHT]`.
fn parse_vb(text: &str) -> Option<(&str, i64)> {
    let parts: Vec<_> = text.split(':').collect();
    let [name, start, end, height @ ..] = parts.as_slice() else {
        return None;
    };
    let height_is_right = match height {
        [] => true,
        [height] => height.parse::<i32>().is_ok(),
        _ => false,
    };
    let start = start.parse().ok()?;
    let right = height_is_right && end.parse::<i64>().is_ok() && DEPLOYMENTS.contains(name);
    right.then_some((name, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeKind;

    fn start(lines: &str) -> Result<DynafedStart, Unfit> {
        let text = format!("chain=home\n{lines}");
        DynafedStart::of(&Settings::parse(NodeKind::Elements, &text).expect("a file"))
    }

    #[test]
    fn the_first_of_evbparams_goes_before_the_last_of_vbparams() {
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
    fn values_with_which_a_node_does_not_start_are_refused() {
        for wrong in [
            "dynafed",
            "dynafed:-1",
            "dynafed:x:5",
            "other:1:2",
            "dynafed:1:2:3:4",
        ] {
            let error = start(&format!("vbparams={wrong}"));
            assert_eq!(error, Err(Unfit::Vbparams(wrong.to_owned())));
        }
    }
}
