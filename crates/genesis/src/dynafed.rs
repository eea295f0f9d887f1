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

    /// What `evbparams` says: `dynafed:START:END:PERIOD:THRESHOLD`, the first that names dynafed.
    ///
    /// # Errors
    /// If the node does not start with one of its values.
    pub fn of(settings: &Settings) -> Result<Self, Unfit> {
        let mut start = None;
        for text in settings.list("evbparams") {
            let (name, begin) = parse(text).ok_or_else(|| Unfit::Evbparams(text.clone()))?;
            if name == "dynafed" && start.is_none() {
                start = Some(begin.unwrap_or(Self::ALWAYS));
            }
        }
        Ok(match start.unwrap_or(Self::ALWAYS) {
            Self::ALWAYS => Self::Always,
            Self::NEVER => Self::Never,
            from => Self::Signalled { from },
        })
    }
}

/// Name and start of one value.
fn parse(text: &str) -> Option<(&str, Option<i64>)> {
    const DEPLOYMENTS: [&str; 4] = ["testdummy", "taproot", "dynafed", "simplicity"];
    let parts: Vec<_> = text.split(':').collect();
    let [name, numbers @ ..] = parts.as_slice() else {
        return None;
    };
    if numbers.len() != 4 || !DEPLOYMENTS.contains(name) {
        return None;
    }
    let mut parsed = Vec::new();
    for number in numbers {
        parsed.push(if number.is_empty() {
            None
        } else {
            Some(number.parse::<i64>().ok()?)
        });
    }
    Some((name, parsed[0]))
}
