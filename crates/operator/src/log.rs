//! The operator's log: one line a round, and one for each change of something.

use std::{collections::BTreeMap, time::Duration};

use federation_block_signing::{Event, RoundOutcome, RoundReport};
use federation_chain::BlockHash;
use federation_roster::{Federation, OperatorId};

/// Writes one event of the protocol.
pub(crate) fn event(federation: &Federation, event: &Event) {
    match event {
        Event::RoundEnded(report) => round(federation, report),
        Event::HeightFinished(report) => tracing::info!(
            height = %report.height,
            hash = %report.hash,
            signers = names(federation, report.signers.iter()),
            submitted_ms = report.until_submitted.map(millis),
            finished_ms = report.until_finished.map(millis),
            "block"
        ),
        Event::Refused {
            height,
            round,
            hash,
            reason,
        } => tracing::warn!(%height, %round, %hash, ?reason, "proposal refused"),
        Event::TakingPart { from } => tracing::info!(height = %from, "takes part again"),
        Event::Alarm(alarm) => tracing::error!(?alarm, "alarm"),
        other => tracing::debug!(?other, "protocol"),
    }
}

fn round(federation: &Federation, report: &RoundReport) {
    let outcome = match report.outcome {
        RoundOutcome::Decided(hash) => format!("decided {hash}"),
        RoundOutcome::NotDecided => "not decided".to_owned(),
        RoundOutcome::Left => "left".to_owned(),
    };
    tracing::info!(
        height = %report.height,
        round = %report.round,
        leader = federation.name(report.leader),
        prevotes = votes(federation, &report.prevotes),
        precommits = votes(federation, &report.precommits),
        prevote_ms = report.until_prevote.map(millis),
        precommit_ms = report.until_precommit.map(millis),
        end_ms = millis(report.until_end),
        outcome,
        "round"
    );
}

/// Who voted for a block, and behind a dash who for none.
fn votes(federation: &Federation, votes: &BTreeMap<OperatorId, Option<BlockHash>>) -> String {
    let of = |some: bool| {
        let voters = votes.iter().filter(|(_, value)| value.is_some() == some);
        names(federation, voters.map(|(id, _)| id))
    };
    let nil = of(false);
    if nil.is_empty() {
        of(true)
    } else {
        format!("{} - {nil}", of(true))
    }
}

fn names<'a>(federation: &Federation, ids: impl Iterator<Item = &'a OperatorId>) -> String {
    ids.map(|id| federation.name(*id))
        .collect::<Vec<_>>()
        .join(",")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
