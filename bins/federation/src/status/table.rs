//! The status for people.

use core::fmt::Write;

use federation_chain::UnixTime;
use federation_classic::TurnState;
use federation_operator::{
    Clock, SystemClock,
    status::{EvidenceReport, GuardReport, StatusReport},
};

use super::Shown;
use crate::guard::Place;

/// A report that is older is not of a daemon that works: it writes every ten seconds.
const STALE_MILLIS: u64 = 30_000;

/// The whole table.
pub(super) fn of(place: &Place, shown: &Shown, with_evidence: bool) -> String {
    let federation = &place.config.federation;
    let mut lines = vec![format!(
        "operator    {} of federation {}, {} of {}",
        place.operator.name,
        federation.id(),
        federation.threshold(),
        federation.size()
    )];
    lines.push(format!("daemon      {}", daemon(place, shown)));
    if let Some(halt) = &shown.halt {
        lines.push(format!(
            "halted      {}, at height {}: {}",
            ago(halt.at),
            halt.height,
            halt.text
        ));
        lines.push(format!("            {}", halt.help));
    }
    match (&shown.daemon, &shown.store) {
        (Some(report), _) if shown.running => running(report, &mut lines),
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
        (_, None) if !shown.running => lines.push("store       not there yet".to_owned()),
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
            lines.push(format!("alarm       {}: {}", ago(alarm.at), alarm.text));
        }
        if shown.running {
            peers(report, &mut lines);
        }
    }
    if with_evidence {
        for piece in &shown.evidence {
            lines.extend(piece_of_evidence(piece));
        }
    }
    lines.join("\n")
}

fn daemon(place: &Place, shown: &Shown) -> String {
    match (shown.running, shown.age) {
        (true, Some(age)) if age <= STALE_MILLIS => match &shown.daemon {
            Some(report) => format!(
                "runs, process {}, told this {}",
                report.process,
                ago(report.written)
            ),
            None => "runs".to_owned(),
        },
        (true, _) => {
            let classic = place
                .config
                .classic_until
                .map_or_else(String::new, |until| {
                    format!(", runs the classic protocol up to height {until}")
                });
            format!(
                "runs, and has told nothing for a while: it waits for its node{classic}, or hangs; see its log"
            )
        }
        (false, Some(_)) => shown.daemon.as_ref().map_or_else(String::new, |report| {
            format!(
                "does not run; the last one told something {}",
                ago(report.written)
            )
        }),
        (false, None) => "does not run".to_owned(),
    }
}

fn running(report: &StatusReport, lines: &mut Vec<String>) {
    lines.push(format!(
        "height      {}, round {} led by {}: {}",
        report.height, report.round, report.leader, report.phase
    ));
    lines.push(standing(report.observing).to_owned());
    lines.push(match &report.tip {
        Some(tip) => format!("last block  {} {}, {}", tip.height, tip.hash, ago(tip.seen)),
        None => "last block  unknown".to_owned(),
    });
    lines.push(format!("node        {}", report.node));
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
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{}.{} s ago", seconds, age.subsec_millis() / 100),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
