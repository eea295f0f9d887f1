//! The status as a table for people.

use core::{fmt::Write, time::Duration};

use federation_chain::UnixTime;
use federation_classic::TurnState;
use federation_ocean_rpc::Amount;
use federation_operator::{
    Clock, SystemClock,
    status::{BlockReport, CountersReport, EvidenceReport, GuardReport, StatusReport},
};

use super::{
    findings::Findings,
    view::{Process, StatusView},
};
use crate::files::OperatorFiles;

/// Formats the table.
pub(super) fn of(
    files: &OperatorFiles,
    view: &StatusView,
    findings: &Findings,
    with_evidence: bool,
) -> String {
    let federation = &files.config.federation;
    let mut lines = vec![format!(
        "operator    {} of federation {}, {} of {}",
        files.operator.name,
        federation.id(),
        federation.threshold(),
        federation.size()
    )];
    lines.push(format!("state       {}", findings.level().as_str()));
    for finding in &findings.0 {
        lines.push(format!(
            "{:<12}{}: {}",
            finding.level.as_str(),
            finding.about,
            finding.what
        ));
        if !finding.help.is_empty() {
            lines.push(format!("{:<12}help: {}", "", finding.help));
        }
    }
    lines.push(format!("daemon      {}", daemon(view)));
    if let Some(halt) = &view.halt {
        lines.push(format!(
            "halted      {}, at height {}: {}",
            ago(halt.at),
            halt.height,
            halt.text
        ));
    }
    match (&view.daemon, &view.store) {
        (Some(report), _) if view.process == Process::Runs => running(report, &mut lines),
        (_, Some(store)) => {
            let number = |of: Option<u32>| of.map_or_else(|| "none".to_owned(), |n| n.to_string());
            lines.push(format!(
                "height      {} was last, in round {}; {} is final",
                number(store.height),
                store.round.unwrap_or_default(),
                number(store.highest_final)
            ));
            lines.push(standing(store.observing).to_owned());
        }
        (_, None) if view.process == Process::NeverRan && view.faults.is_empty() => {
            lines.push("store       does not exist yet".to_owned());
        }
        _ => {}
    }
    lines.push(format!("guard       {}", guard(view.guard.as_ref())));
    if let Some(last) = view.classic.as_ref().and_then(TurnState::last) {
        lines.push(format!(
            "classic     last signed {} {}",
            last.height, last.hash
        ));
    }
    lines.push(format!("evidence    {}", evidence(view, with_evidence)));
    if let Some(report) = &view.daemon {
        for alarm in &report.alarms {
            // Earlier versions wrote no codes.
            let code = if alarm.code.is_empty() {
                String::new()
            } else {
                format!("{} ", alarm.code)
            };
            lines.push(format!(
                "alarm       {code}{}: {}",
                ago(alarm.at),
                alarm.text
            ));
        }
        if view.process == Process::Runs {
            peers(report, &mut lines);
            counters(&report.counters, &mut lines);
        }
    }
    if with_evidence {
        for piece in &view.evidence {
            lines.extend(piece_of_evidence(piece));
        }
    }
    lines.join("\n")
}

fn daemon(view: &StatusView) -> String {
    let report = view.daemon.as_ref();
    let written = report.map(|report| ago(report.written)).unwrap_or_default();
    let process = report.map(|report| report.process).unwrap_or_default();
    match view.process {
        Process::Runs => format!("running, process {process}, status from {written}"),
        Process::Hangs => format!("process {process} hangs: last status {written}"),
        Process::Silent => "a process has the store, but has not written its status yet".to_owned(),
        Process::WithoutStore => "running with another store than this one".to_owned(),
        Process::Gone if report.is_some() => {
            format!("not running; last status {written}")
        }
        Process::Gone | Process::NeverRan => "not running".to_owned(),
        Process::Unseen => "unknown".to_owned(),
    }
}

fn running(report: &StatusReport, lines: &mut Vec<String>) {
    lines.push(format!(
        "height      {}, round {} led by {}: {}",
        report.height, report.round, report.leader, report.phase
    ));
    lines.push(standing(report.observing).to_owned());
    lines.push(match &report.tip {
        Some(tip) => format!("last block  {} {}, {}", tip.height, tip.hash, made(tip)),
        None => "last block  unknown".to_owned(),
    });
    lines.push(format!("node        {}", report.node));
    if let Some(messenger) = &report.messenger {
        let what = match messenger.kind.as_str() {
            "kafka" => "brokers connected",
            _ => "links up",
        };
        lines.push(format!(
            "messenger   {}, {} of {} {what}",
            messenger.kind, messenger.up, messenger.of
        ));
    }
    for asset in &report.reissuance {
        let due = asset.due.map_or_else(
            || "nothing is due".to_owned(),
            |due| format!("due since height {due}"),
        );
        lines.push(format!(
            "reissuance  {}: {} in circulation, {due}",
            asset.asset,
            Amount::from_sat(asset.circulation)
        ));
    }
}

/// Formats when a block was made, according to its header, and whose signatures it has.
fn made(tip: &BlockReport) -> String {
    let when = match tip.time {
        Some(time) => format!("made {}", ago(time)),
        None => format!("seen {}", ago(tip.seen)),
    };
    if tip.signers.is_empty() {
        return when;
    }
    format!("{when}, signed by {}", tip.signers.join(", "))
}

/// Formats the counters since the daemon's start.
fn counters(counters: &CountersReport, lines: &mut Vec<String>) {
    // Destructured, so that no counter is forgotten.
    let CountersReport {
        accepted,
        undecodable,
        foreign_federation,
        unknown_sender,
        far_height,
        too_large,
        bad_signature,
        bad_body,
        unknown_kind,
        unwanted,
        evidence,
    } = counters;
    lines.push(format!("messages    {accepted} accepted"));
    lines.push(format!(
        "dropped     {undecodable} undecodable, {unknown_kind} of unknown kind, {foreign_federation} \
         of another federation, {unknown_sender} from unknown senders"
    ));
    lines.push(format!(
        "            {far_height} of distant heights, {too_large} too large, {bad_signature} with invalid \
         signatures, {bad_body} invalid blocks"
    ));
    lines.push(format!(
        "            {unwanted} unwanted about reissuances; {} of evidence",
        pieces(*evidence)
    ));
}

const fn standing(observing: bool) -> &'static str {
    if observing {
        "standing    observing: participates after the first height that becomes final without it"
    } else {
        "standing    participating"
    }
}

fn guard(guard: Option<&GuardReport>) -> String {
    let Some(guard) = guard else {
        return "unknown".to_owned();
    };
    let mut text = match guard.highest_final {
        None if guard.signed.is_empty() => format!("{}, has signed nothing", guard.standing),
        Some(height) => format!("{}, signs above height {height}", guard.standing),
        None => guard.standing.clone(),
    };
    if let Some(last) = guard.signed.last() {
        // Writing to a string does not fail.
        let _ = write!(text, "; last signed {} {}", last.height, last.hash);
    }
    text
}

fn evidence(view: &StatusView, with_evidence: bool) -> String {
    let count = u64::try_from(view.evidence.len()).unwrap_or(u64::MAX);
    match (count, with_evidence) {
        (0, _) => "none".to_owned(),
        (count, true) => format!("{}, below", pieces(count)),
        (count, false) => format!("{} against operators, see --evidence", pieces(count)),
    }
}

/// Formats a number of pieces of evidence.
pub(super) fn pieces(count: u64) -> String {
    match count {
        1 => "1 piece".to_owned(),
        count => format!("{count} pieces"),
    }
}

fn peers(report: &StatusReport, lines: &mut Vec<String>) {
    for peer in &report.peers {
        let state = match (peer.heard, peer.height, peer.round) {
            (Some(heard), Some(height), Some(round)) => {
                format!(
                    "last message {}, height {height}, round {round}",
                    ago(heard)
                )
            }
            _ => "no message yet".to_owned(),
        };
        lines.push(format!("peer        {}: {state}", peer.operator));
    }
}

/// Formats a piece of evidence and its two messages.
fn piece_of_evidence(piece: &EvidenceReport) -> Vec<String> {
    let mut lines = vec![format!(
        "evidence {}  {} sent two messages of kind {} at height {}, round {}",
        piece.number, piece.operator, piece.kind, piece.height, piece.round
    )];
    for message in &piece.messages {
        lines.push(format!(
            "            block {}, message {}",
            message.block, message.digest
        ));
    }
    lines
}

/// Formats how long ago a time in milliseconds was.
fn ago(millis: u64) -> String {
    let age = SystemClock
        .now()
        .saturating_duration_since(UnixTime::from_millis(millis));
    format!("{} ago", span(age))
}

/// Formats a duration in words.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{} s", span.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}
