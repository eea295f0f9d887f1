//! The operator's log: one line per round, one per block, and one for each change of state.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use federation_block_signing::{Alarm, Event, HeightReport, RoundOutcome, RoundReport};
use federation_chain::{BlockHash, BlockHeight, UnixTime};
use federation_roster::{Federation, OperatorId};

use crate::{Standstill, status::format_duration, throttle::Throttle};

/// Returns the span for all log lines of an operator. It is enabled at every level, and names the
/// federation too, because operators of several federations may run in one process.
pub(crate) fn operator_span(federation: &Federation, me: OperatorId) -> tracing::Span {
    let id = federation.id().to_string();
    tracing::error_span!(
        "operator",
        operator = %federation.name(me),
        federation = id.get(..8).unwrap_or(&id),
    )
}

/// Writes the log of one operator.
#[derive(Debug)]
pub(crate) struct Log {
    federation: Arc<Federation>,
    throttle: Throttle,
    /// The node's best block, and the operators that signed it.
    tip: Mutex<Option<(BlockHash, Vec<OperatorId>)>>,
}

impl Log {
    pub(crate) fn new(federation: Arc<Federation>) -> Self {
        Self {
            federation,
            throttle: Throttle::default(),
            tip: Mutex::default(),
        }
    }

    /// Records who signed the node's best block, for that block's line.
    pub(crate) fn set_tip(&self, hash: BlockHash, signers: &[OperatorId]) {
        let mut tip = self.tip.lock().unwrap_or_else(PoisonError::into_inner);
        *tip = Some((hash, signers.to_vec()));
    }

    /// Returns who signed a block, by the signatures that the block contains. Those that were
    /// received as messages do not count: there may be more of them, or none if the block came from
    /// another node.
    fn signers(&self, report: &HeightReport) -> String {
        let tip = self.tip.lock().unwrap_or_else(PoisonError::into_inner);
        match &*tip {
            Some((hash, signers)) if *hash == report.hash => self.names(signers.iter()),
            _ => String::new(),
        }
    }

    /// Logs that the chain stands still.
    pub(crate) fn standstill(&self, standstill: &Standstill, now: UnixTime) {
        tracing::warn!(
            height = standstill.height.map(|height| height.to_u32()),
            round = standstill.round.to_u32(),
            seconds = now.saturating_duration_since(standstill.since).as_secs(),
            heard = self.names(standstill.heard.iter()),
            absent = self.names(standstill.absent.iter()),
            "{}",
            standstill.describe(&self.federation, now)
        );
    }

    /// Logs the end of a standstill.
    pub(crate) fn standstill_end(&self, height: BlockHeight, after: Duration) {
        tracing::info!(
            %height,
            seconds = after.as_secs(),
            "the chain moves again after {}",
            format_duration(after)
        );
    }

    /// Logs one event of the protocol.
    pub(crate) fn event(&self, event: &Event) {
        match event {
            Event::RoundEnded(report) => self.round(report),
            Event::HeightFinished(report) => self.block(report),
            Event::Refused {
                height,
                round,
                hash,
                reason,
            } => {
                if self.throttle.passes("refused", &format!("{hash}{reason}")) {
                    tracing::warn!(%height, %round, %hash, %reason, "proposal refused");
                }
            }
            Event::Participating { from } => {
                tracing::info!(height = %from, "operator takes part again")
            }
            Event::Alarm(alarm) => self.alarm(alarm),
            Event::HeightWaiting { height, start } => {
                tracing::debug!(%height, %start, "waiting for the height's start");
            }
            Event::HeightStarted { height, late } => {
                tracing::debug!(%height, late_ms = millis(*late), "height started");
            }
            Event::RoundStarted {
                height,
                round,
                leader,
            } => {
                let leader = self.federation.name(*leader);
                tracing::debug!(%height, %round, leader, "round started");
            }
            Event::Decided {
                height,
                round,
                hash,
            } => tracing::debug!(%height, %round, %hash, "block decided"),
        }
    }

    fn block(&self, report: &HeightReport) {
        tracing::info!(
            height = %report.height,
            hash = %report.hash,
            signers = self.signers(report),
            submitted_ms = report.until_submitted.map(millis),
            finished_ms = report.until_finished.map(millis),
            "block"
        );
    }

    fn round(&self, report: &RoundReport) {
        let outcome = match report.outcome {
            RoundOutcome::Decided(hash) => format!("decided {hash}"),
            RoundOutcome::NotDecided => "not decided".to_owned(),
            RoundOutcome::Left => "left".to_owned(),
        };
        tracing::info!(
            height = %report.height,
            round = %report.round,
            leader = self.federation.name(report.leader),
            prevotes = self.votes(&report.prevotes),
            precommits = self.votes(&report.precommits),
            prevote_ms = report.until_prevote.map(millis),
            precommit_ms = report.until_precommit.map(millis),
            end_ms = millis(report.until_end),
            outcome,
            "round"
        );
    }

    /// Returns who voted for a block and, after a dash, who voted for none.
    fn votes(&self, votes: &BTreeMap<OperatorId, Option<BlockHash>>) -> String {
        let of = |some: bool| {
            let voters = votes.iter().filter(|(_, value)| value.is_some() == some);
            self.names(voters.map(|(id, _)| id))
        };
        let nil = of(false);
        if nil.is_empty() {
            of(true)
        } else {
            format!("{} - {nil}", of(true))
        }
    }

    fn names<'a>(&self, ids: impl Iterator<Item = &'a OperatorId>) -> String {
        ids.map(|id| self.federation.name(*id))
            .collect::<Vec<_>>()
            .join(",")
    }

    fn alarm(&self, alarm: &Alarm) {
        let (code, what) = (alarm.code().as_str(), alarm.to_string());
        // By code, so that alarms of one kind do not hide those of another.
        if self.throttle.passes(code, &what) {
            tracing::error!(code, what, "alarm");
        }
    }

    /// Logs a problem with something that will be tried again by itself.
    pub(crate) fn problem(&self, what: &'static str, reason: &str) {
        if self.throttle.passes(what, reason) {
            tracing::warn!(reason, "{what}");
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
