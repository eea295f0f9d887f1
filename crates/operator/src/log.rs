//! The operator's log: one line a round, one a block, and one for each change of something.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use federation_block_signing::{Alarm, Event, HeightReport, RoundOutcome, RoundReport};
use federation_chain::BlockHash;
use federation_roster::{Federation, OperatorId};

use crate::{status::alarm_text, throttle::Throttle};

/// Writes the log of one operator.
#[derive(Debug)]
pub(crate) struct Log {
    federation: Arc<Federation>,
    throttle: Throttle,
}

impl Log {
    pub(crate) fn new(federation: Arc<Federation>) -> Self {
        Self {
            federation,
            throttle: Throttle::default(),
        }
    }

    /// Writes one event of the protocol.
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
                if self
                    .throttle
                    .passes("refused", &format!("{hash}{reason:?}"))
                {
                    tracing::warn!(%height, %round, %hash, ?reason, "proposal refused");
                }
            }
            Event::TakingPart { from } => tracing::info!(height = %from, "takes part again"),
            Event::Alarm(alarm) => self.alarm(alarm),
            other => tracing::debug!(?other, "protocol"),
        }
    }

    fn block(&self, report: &HeightReport) {
        tracing::info!(
            height = %report.height,
            hash = %report.hash,
            signers = self.names(report.signers.iter()),
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

    /// Who voted for a block, and behind a dash who for none.
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
        if self.throttle.passes(kind_of(alarm), &format!("{alarm:?}")) {
            tracing::error!(?alarm, what = alarm_text(alarm), "alarm");
        }
    }

    /// Says that something does not work that is tried again by itself.
    pub(crate) fn complaint(&self, what: &'static str, reason: &str) {
        if self.throttle.passes(what, reason) {
            tracing::warn!(reason, "{what}");
        }
    }
}

/// One kind of alarm must not hide another.
const fn kind_of(alarm: &Alarm) -> &'static str {
    match alarm {
        Alarm::OwnMessageFromElsewhere { .. } => "own message from elsewhere",
        Alarm::NodeBehind { .. } => "node behind",
        Alarm::TipReplaced { .. } => "tip replaced",
        Alarm::OtherThanDecided { .. } => "other than decided",
        Alarm::DecidedAgainstVerdict { .. } => "decided against verdict",
        Alarm::TwoDecisions { .. } => "two decisions",
        Alarm::SignRefused { .. } => "sign refused",
        Alarm::SubmitRejected { .. } => "submit rejected",
        Alarm::UnfitTemplate { .. } => "unfit template",
        Alarm::ForeignTemplate { .. } => "foreign template",
        Alarm::ParametersProposed { .. } => "parameters proposed",
        Alarm::NoAnswer { .. } => "no answer",
        Alarm::Missed { .. } => "missed",
        Alarm::EvidenceNotKept { .. } => "evidence not kept",
        Alarm::Halted => "halted",
        _ => "alarm",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
