//! The status for people.

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
    look::{Process, Shown},
};
use crate::guard::Place;

/// The whole table.
pub(super) fn of(place: &Place, shown: &Shown, findings: &Findings, with_evidence: bool) -> String {
    let federation = &place.config.federation;
    let mut lines = vec![format!(
        "operator    {} of federation {}, {} of {}",
        place.operator.name,
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
    lines.push(format!("daemon      {}", daemon(shown)));
    if let Some(halt) = &shown.halt {
        lines.push(format!(
            "halted      {}, at height {}: {}",
            ago(halt.at),
            halt.height,
            halt.text
        ));
    }
    match (&shown.daemon, &shown.store) {
        (Some(report), _) if shown.process == Process::Runs => running(report, &mut lines),
        (_, Some(store)) => {
            let number = |of: Option<u32>| of.map_or_else(|| "none".to_owned(), |n| n.to_string());
            lines.push(format!(
                "height      {} worked on last, round {}; {} is final",
                number(store.height),
                store.round.unwrap_or_default(),
                number(store.highest_final)
            ));
            lines.push(standing(store.observing).to_owned());
        }
        (_, None) if shown.process == Process::NeverRan && shown.faults.is_empty() => {
            lines.push("store       not there yet".to_owned());
        }
        _ => {}
    }
    lines.push(format!("guard       {}", guard(shown.guard.as_ref())));
    if let Some(last) = shown.classic.as_ref().and_then(TurnState::last) {
        lines.push(format!(
            "classic     last signed {} {}",
            last.height, last.hash
        ));
    }
    lines.push(format!("evidence    {}", evidence(shown, with_evidence)));
    if let Some(report) = &shown.daemon {
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
        if shown.process == Process::Runs {
            peers(report, &mut lines);
            counters(&report.counters, &mut lines);
        }
    }
    if with_evidence {
        for piece in &shown.evidence {
            lines.extend(piece_of_evidence(piece));
        }
    }
    lines.join("\n")
}

fn daemon(shown: &Shown) -> String {
    let report = shown.daemon.as_ref();
    let told = report.map(|report| ago(report.written)).unwrap_or_default();
    let process = report.map(|report| report.process).unwrap_or_default();
    match shown.process {
        Process::Runs => format!("runs, process {process}, told this {told}"),
        Process::Hangs => format!("process {process} is there, and has told nothing since {told}"),
        Process::Silent => "a process has the store, and has told nothing yet".to_owned(),
        Process::WithoutStore => "runs, and has another store than the one here".to_owned(),
        Process::Gone if report.is_some() => {
            format!("does not run; the last one told something {told}")
        }
        Process::Gone | Process::NeverRan => "does not run".to_owned(),
        Process::Unseen => "not known".to_owned(),
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
            || "nothing is owed".to_owned(),
            |due| format!("owed for height {due}"),
        );
        lines.push(format!(
            "reissuance  {}: {} in circulation, {due}",
            asset.asset,
            Amount::from_sat(asset.circulation)
        ));
    }
}

/// When a block was made, by its header, and whose signatures it has.
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

/// All that was counted since the daemon started.
fn counters(counters: &CountersReport, lines: &mut Vec<String>) {
    // Taken apart, so that none is forgotten.
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
         of another federation, {unknown_sender} of unknown senders"
    ));
    lines.push(format!(
        "            {far_height} of far heights, {too_large} too large, {bad_signature} with bad \
         signatures, {bad_body} bad blocks"
    ));
    lines.push(format!(
        "            {unwanted} unwanted about reissuances; {evidence} lies"
    ));
}

const fn standing(observing: bool) -> &'static str {
    if observing {
        "standing    observes: it takes part from the height after the first that is settled without it"
    } else {
        "standing    takes part"
    }
}

fn guard(guard: Option<&GuardReport>) -> String {
    let Some(guard) = guard else {
        return "not known".to_owned();
    };
    let mut text = match guard.highest_final {
        None if guard.signed.is_empty() => format!("{}, has signed nothing", guard.standing),
        Some(height) => format!("{}, signs above {height}", guard.standing),
        None => guard.standing.clone(),
    };
    if let Some(last) = guard.signed.last() {
        // Writing to a string does not fail.
        let _ = write!(text, "; last signed {} {}", last.height, last.hash);
    }
    text
}

fn evidence(shown: &Shown, with_evidence: bool) -> String {
    match (shown.evidence.len(), with_evidence) {
        (0, _) => "none".to_owned(),
        (count, true) => format!("{count} pieces, below"),
        (count, false) => format!("{count} pieces that operators lied: --evidence shows them"),
    }
}

fn peers(report: &StatusReport, lines: &mut Vec<String>) {
    for peer in &report.peers {
        let said = match (peer.heard, peer.height, peer.round) {
            (Some(heard), Some(height), Some(round)) => {
                format!("heard {}, height {height}, round {round}", ago(heard))
            }
            _ => "not heard yet".to_owned(),
        };
        lines.push(format!("peer        {}: {said}", peer.operator));
    }
}

/// Who, where and what, and what both messages were about.
fn piece_of_evidence(piece: &EvidenceReport) -> Vec<String> {
    let mut lines = vec![format!(
        "evidence {}  {} sent two of kind {} at height {}, round {}",
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

/// How long ago a time in milliseconds was, in words.
fn ago(millis: u64) -> String {
    let age = SystemClock.now().since(UnixTime::from_millis(millis));
    format!("{} ago", span(age))
}

/// A span of time in words.
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
