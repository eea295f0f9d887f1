//! A standstill of the chain and what one operator knows about its cause, as data and in words.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::{Federation, OperatorId, Round};
use serde::Serialize;

/// A height that has lacked its block for too long, as one operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Standstill {
    /// The height that lacks its block; none while the node's tip is unknown.
    pub height: Option<BlockHeight>,
    /// The round that this operator is in.
    pub round: Round,
    /// The time in the last block's header; the time of this operator's start if there is no block.
    pub since: UnixTime,
    /// How many operators must sign: M.
    pub needed: usize,
    /// The operators that take part at this height, including this one unless it observes.
    pub heard: BTreeSet<OperatorId>,
    /// The operators that are heard at lower heights, and those heights: their nodes are behind.
    pub behind: BTreeMap<OperatorId, BlockHeight>,
    /// The operators that are not heard and, as far as is known, not connected.
    pub absent: BTreeSet<OperatorId>,
    /// The operators that are connected but silent: they observe, wait for their nodes, or hang.
    pub silent: BTreeSet<OperatorId>,
    /// The cause, as far as it is known.
    pub cause: StandstillCause,
}

/// The cause of a standstill, as far as one operator can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StandstillCause {
    /// This operator's node does not answer, for this reason.
    NodeDown(String),
    /// This operator's node is below a height that is known to be final.
    NodeBelowFinal,
    /// Others are heard at greater heights: this operator's node does not get their blocks.
    NodeBehind(BTreeMap<OperatorId, BlockHeight>),
    /// Fewer operators take part than must sign.
    TooFew,
    /// Fewer operators take part than must sign, and this one only observes.
    Observing {
        /// Whether too few would take part even if all absent operators came back, assuming that
        /// all silent ones observe.
        nobody_decides: bool,
    },
    /// Enough are heard, but some have not voted in this round; with the round in which each was
    /// heard.
    NotVoted(BTreeMap<OperatorId, Round>),
    /// Enough have voted, but these for no block.
    Refused(BTreeSet<OperatorId>),
    /// Enough have voted, but for different blocks.
    Divided,
    /// A block is decided, but no signature for it was received from these.
    NotSigned(BTreeSet<OperatorId>),
    /// A block is decided and signed by all who are heard, but this operator's node does not have
    /// it.
    NotTaken,
}

impl Standstill {
    /// Describes the standstill at this time.
    #[must_use]
    pub fn describe(&self, federation: &Federation, now: UnixTime) -> String {
        let place = match self.height {
            Some(height) if height == BlockHeight::new(1) && self.round == Round::FIRST => {
                "before its first block".to_owned()
            }
            Some(height) => format!("at height {height} round {}", self.round),
            None => "at an unknown height".to_owned(),
        };
        format!(
            "{} for {} {place}: {}",
            self.what(),
            format_duration(now.saturating_duration_since(self.since)),
            self.reason(federation)
        )
    }

    /// Returns what stands still: the chain, or only this operator's node while the chain may go
    /// on.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self.cause {
            StandstillCause::NodeDown(_)
            | StandstillCause::NodeBelowFinal
            | StandstillCause::NodeBehind(_) => "this operator's node has no new block",
            _ => "the chain stands still",
        }
    }

    /// Describes the cause and who is missing.
    #[must_use]
    pub fn reason(&self, federation: &Federation) -> String {
        let names = |ids: &BTreeSet<OperatorId>| names(federation, ids.iter());
        let places = |heights: &BTreeMap<OperatorId, BlockHeight>| {
            let places = heights.iter();
            let places = places.map(|(id, height)| format!("{} at {height}", federation.name(*id)));
            places.collect::<Vec<_>>().join(", ")
        };
        let mut parts = Vec::new();
        match &self.cause {
            StandstillCause::NodeDown(why) => {
                return format!("this operator's node does not answer: {why}");
            }
            StandstillCause::NodeBelowFinal => {
                return "this operator's node is below a height that is known to be final, and must catch up \
                        first"
                    .to_owned();
            }
            StandstillCause::NodeBehind(ahead) => {
                return format!(
                    "others are heard at greater heights ({}): this operator's node does not get their \
                     blocks, check its peers",
                    places(ahead)
                );
            }
            StandstillCause::Observing { .. } => {
                parts.push("this operator only observes".to_owned());
            }
            _ => {}
        }
        parts.push(format!(
            "heard {} of the {} that must sign",
            self.heard.len(),
            self.needed
        ));
        if !self.absent.is_empty() {
            parts.push(format!("absent: {}", names(&self.absent)));
        }
        if !self.behind.is_empty() {
            parts.push(format!("their nodes are behind: {}", places(&self.behind)));
        }
        if !self.silent.is_empty() {
            parts.push(format!(
                "connected but silent, so they observe or wait for their nodes: {}",
                names(&self.silent)
            ));
        }
        match &self.cause {
            StandstillCause::Observing {
                nobody_decides: true,
            } => parts.push(
                "unless the silent operators only wait for their nodes (ask them: `federation status`), so \
                 many observe that nobody is left to decide. Bring back operators whose stores are intact; \
                 if there are none, stop all daemons, raise `epoch` in everybody's \
                 federation.toml to the same number, and run `federation guard repair --new-roster \
                 --no-other-daemon` for each whose guard is intact (M of them are enough); if fewer are \
                 intact, agree on the last block and run `federation guard repair --agreed-tip HASH \
                 --no-other-daemon`"
                    .to_owned(),
            ),
            StandstillCause::NotVoted(missing) => {
                let missing: Vec<_> = missing
                    .iter()
                    .map(|(id, round)| format!("{} (heard in round {round})", federation.name(*id)))
                    .collect();
                parts.push(format!("not voted in this round: {}", missing.join(", ")));
            }
            StandstillCause::Refused(by) => parts.push(format!(
                "voted for no block: {}; their logs say why (`proposal refused`), or they did not \
                 get the block",
                names(by)
            )),
            StandstillCause::Divided => parts.push("their votes are for different blocks".to_owned()),
            StandstillCause::NotSigned(missing) => parts.push(format!(
                "a block is decided; no signature for it from: {}",
                names(missing)
            )),
            StandstillCause::NotTaken => parts.push(
                "a block is decided and signed, but this operator's node does not have it: see the alarms"
                    .to_owned(),
            ),
            _ => {}
        }
        parts.join("; ")
    }
}

fn names<'a>(federation: &Federation, ids: impl Iterator<Item = &'a OperatorId>) -> String {
    ids.map(|id| federation.name(*id))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Formats a span of time in its two largest units.
pub(crate) fn format_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |count: u64, unit: &str, rest: u64, smaller: &str| match rest {
        0 => format!("{count} {unit}"),
        rest => format!("{count} {unit} {rest} {smaller}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_show_their_two_largest_units() {
        let said = |seconds| format_duration(Duration::from_secs(seconds));
        assert_eq!(said(59), "59 s");
        assert_eq!(said(120), "2 min");
        assert_eq!(said(125), "2 min 5 s");
        assert_eq!(said(3 * 3600 + 59), "3 h");
        assert_eq!(said(90_000), "1 d 1 h");
    }
}
