//! A chain that stands still: what one operator knows of why, as data and in words.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use federation_chain::{BlockHeight, UnixTime};
use federation_roster::{Federation, OperatorId, Round};

/// A height that has been without its block for longer than it should, as one operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standstill {
    /// The height that has no block; none while the own node's tip is not known.
    pub height: Option<BlockHeight>,
    /// The round that this operator is in.
    pub round: Round,
    /// The time of the last block, by its header; when this operator started, if there is none.
    pub since: UnixTime,
    /// How many must sign: M.
    pub needed: usize,
    /// Who takes part at this height, this operator among them unless it observes.
    pub heard: BTreeSet<OperatorId>,
    /// Who is heard at heights below this one, and at which: their nodes are behind.
    pub behind: BTreeMap<OperatorId, BlockHeight>,
    /// Who is not heard and, as far as is known, not connected.
    pub absent: BTreeSet<OperatorId>,
    /// Who is connected and says nothing: an operator that observes, waits for its node, or hangs.
    pub silent: BTreeSet<OperatorId>,
    /// What is known of why.
    pub cause: StandstillCause,
}

/// Why a chain stands still, as far as one operator can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StandstillCause {
    /// The own node does not answer, and why.
    NodeDown(String),
    /// The own node is below a height that is known to be final.
    NodeBelowFinal,
    /// Others are heard at greater heights: the own node does not get their blocks.
    NodeBehind(BTreeMap<OperatorId, BlockHeight>),
    /// Fewer take part than must sign.
    TooFew,
    /// Fewer take part than must sign, and this operator only observes.
    Observing {
        /// Whether too few would take part even if all who are absent came back, if all who are silent
        /// observe, too.
        nobody_decides: bool,
    },
    /// Enough are heard, and some have not voted in this round; with the round where each was heard.
    NotVoted(BTreeMap<OperatorId, Round>),
    /// Enough voted, these of them for no block.
    Refused(BTreeSet<OperatorId>),
    /// Enough voted, and not for one block.
    Divided,
    /// A block is decided, and these have not been heard with their signature for it.
    NotSigned(BTreeSet<OperatorId>),
    /// A block is decided and was signed by all who are heard, and the own node does not have it.
    NotTaken,
}

impl Standstill {
    /// What it says to people, at this time.
    #[must_use]
    pub fn describe(&self, federation: &Federation, now: UnixTime) -> String {
        let place = match self.height {
            Some(height) if height == BlockHeight::new(1) && self.round == Round::FIRST => {
                "before its first block".to_owned()
            }
            Some(height) => format!("at height {height} round {}", self.round),
            None => "at a height that is not known".to_owned(),
        };
        format!(
            "{} for {} {place}: {}",
            self.what(),
            words(now.since(self.since)),
            self.reason(federation)
        )
    }

    /// Who stands still: the chain, or the own node, behind whose back the chain may go on.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self.cause {
            StandstillCause::NodeDown(_)
            | StandstillCause::NodeBelowFinal
            | StandstillCause::NodeBehind(_) => "the own node has no new block",
            _ => "the chain stands still",
        }
    }

    /// Why it stands still, in words.
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
                return format!("the own node does not answer: {why}");
            }
            StandstillCause::NodeBelowFinal => {
                return "the own node is below a height that is known to be final, and must catch up \
                        first"
                    .to_owned();
            }
            StandstillCause::NodeBehind(ahead) => {
                return format!(
                    "others are heard at greater heights ({}): the own node does not get their \
                     blocks, look at its peers",
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
                "connected and silent, so they observe, or wait for their nodes: {}",
                names(&self.silent)
            ));
        }
        match &self.cause {
            StandstillCause::Observing {
                nobody_decides: true,
            } => parts.push(
                "unless those who are silent only wait for their nodes (ask them: `federation status`), so \
                 many observe that nobody is left to decide. Bring back operators whose stores are whole; \
                 if there are none, stop all daemons, raise `epoch` in everybody's \
                 federation.toml to the same number, and do `federation guard repair --new-roster \
                 --no-other-daemon` at each whose guard is whole (M of them are enough); where fewer are \
                 whole, agree on the last block and do `federation guard repair --agreed-tip HASH \
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
                "a block is decided and signed, and the own node does not have it: see the alarms"
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

/// A span of time in words: its two greatest units.
pub(crate) fn words(span: Duration) -> String {
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
    fn spans_of_time_have_their_two_greatest_units() {
        let said = |seconds| words(Duration::from_secs(seconds));
        assert_eq!(said(59), "59 s");
        assert_eq!(said(120), "2 min");
        assert_eq!(said(125), "2 min 5 s");
        assert_eq!(said(3 * 3600 + 59), "3 h");
        assert_eq!(said(90_000), "1 d 1 h");
    }
}
