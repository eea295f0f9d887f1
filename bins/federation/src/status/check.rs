//! How an operator is, for people in one line and for monitors as an exit code.

use std::{process::ExitCode, time::Duration};

use federation_chain::UnixTime;
use federation_cli::{CliError, out};
use federation_operator::status::StatusReport;
use serde_json::json;

use super::{
    findings::{Findings, Level},
    look::{Process, Shown},
    table::span,
};
use crate::guard::Place;

/// For how long after it was raised an alarm counts.
const ALARM_MILLIS: u64 = 60 * 60 * 1000;

/// Besides three intervals, how long another operator may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a roster says that matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) threshold: usize,
    pub(super) interval: Duration,
    /// The height up to which the older protocol makes the blocks.
    pub(super) classic_until: Option<u32>,
    pub(super) now: UnixTime,
}

impl Facts {
    pub(super) fn new(place: &Place, now: UnixTime) -> Self {
        Self {
            threshold: place.config.federation.threshold(),
            interval: place.config.federation.interval(),
            classic_until: place.config.classic_until.map(|height| height.to_u32()),
            now,
        }
    }

    fn ago(&self, millis: u64) -> String {
        format!(
            "{} ago",
            span(self.now.since(UnixTime::from_millis(millis)))
        )
    }
}

/// Judges what is shown.
pub(super) fn assess(shown: &Shown, facts: &Facts) -> Findings {
    let mut findings = Findings::default();
    if let Some(halt) = &shown.halt {
        findings.add(
            Level::Critical,
            "halt",
            format!("halted at height {}: {}", halt.height, halt.text),
            halt.help,
        );
    }
    process(shown, facts, &mut findings);
    for fault in &shown.faults {
        let level = match fault.about {
            "status" => Level::Warning,
            "access" => Level::Unknown,
            _ => Level::Critical,
        };
        findings.add(level, fault.about, &fault.what, fault.help.clone());
    }
    if shown.process == Process::Runs
        && let Some(report) = &shown.daemon
    {
        running(report, facts, &mut findings);
    }
    findings
        .0
        .sort_by_key(|finding| core::cmp::Reverse(finding.level.weight()));
    findings
}

fn process(shown: &Shown, facts: &Facts, findings: &mut Findings) {
    let told = |report: &StatusReport| facts.ago(report.written);
    let last = shown.daemon.as_ref().map(told);
    match shown.process {
        // A fault says why.
        Process::Runs | Process::Unseen => {}
        Process::Hangs => findings.add(
            Level::Critical,
            "daemon",
            format!(
                "the daemon hangs: it has told nothing since {}",
                last.unwrap_or_default()
            ),
            "look at its log and its disk, and start it again",
        ),
        Process::Silent => match facts.classic_until {
            Some(until) => findings.add(
                Level::Unknown,
                "daemon",
                format!("the daemon runs the classic protocol up to height {until}, and tells nothing of it here"),
                "see its log",
            ),
            None => findings.add(
                Level::Critical,
                "daemon",
                "a process has the store and has told nothing yet: a daemon that waits for its node, \
                 or one of the `guard` verbs",
                "see the daemon's log: is its node up?",
            ),
        },
        Process::WithoutStore => findings.add(
            Level::Critical,
            "daemon",
            "the daemon runs, and the store here is not the one that it has: it was removed or \
             replaced",
            "stop the daemon, and put nothing old in its place: see `federation guard repair`",
        ),
        Process::Gone => findings.add(
            Level::Critical,
            "daemon",
            match last {
                Some(last) => format!("the daemon does not run; it told something last {last}"),
                None => "the daemon does not run".to_owned(),
            },
            "start it; the end of its log says why it stopped",
        ),
        Process::NeverRan => findings.add(
            Level::Critical,
            "daemon",
            "the daemon does not run, and never did with this store",
            "start it: `federation run`",
        ),
    }
}

fn running(report: &StatusReport, facts: &Facts, findings: &mut Findings) {
    if let Some(why) = report.node.strip_prefix("down: ") {
        findings.add(
            Level::Critical,
            "node",
            format!("the node does not answer: {why}"),
            "start it, and check [node] in operator.toml",
        );
    } else if let Some(what) = report.node.strip_prefix("waits: ") {
        findings.add(
            Level::Warning,
            "node",
            format!("the node is not where the chain is: {what}"),
            "let it catch up; it needs peers for that",
        );
    }
    if let Some(standstill) = &report.standstill {
        let since = UnixTime::from_millis(standstill.since);
        let height = standstill.height.map_or_else(String::new, |height| {
            format!(" at height {height} round {}", standstill.round)
        });
        findings.add(
            Level::Critical,
            "standstill",
            format!(
                "{} for {}{height}: {}",
                standstill.what,
                span(facts.now.since(since)),
                standstill.reason
            ),
            "`federation help when-the-chain-stands-still`",
        );
    }
    messenger(report, findings);
    peers(report, facts, findings);
    if report.observing {
        findings.add(
            Level::Warning,
            "observing",
            "it only observes",
            "it takes part from the height after the first that is settled without it",
        );
    }
    for trouble in &report.troubles {
        findings.add(
            Level::Warning,
            "trouble",
            format!("{} (since {})", trouble.text, facts.ago(trouble.since)),
            "`federation help what-an-operator-does-not-do`",
        );
    }
    for asset in &report.reissuance {
        if let Some(problem) = &asset.problem {
            findings.add(
                Level::Warning,
                "reissuance",
                format!("{} is not reissued: {problem}", asset.asset),
                "`federation help reissuance`",
            );
        }
    }
    for difference in &report.differences {
        findings.add(
            Level::Warning,
            "reissuance",
            format!(
                "{} reissues {} otherwise: {}",
                difference.operator, difference.asset, difference.how
            ),
            "compare [[reissuance]] in federation.toml, and `federation reissuance plan`",
        );
    }
    for alarm in &report.alarms {
        if facts.now.as_millis().saturating_sub(alarm.at) <= ALARM_MILLIS {
            findings.add(
                Level::Warning,
                "alarm",
                format!("alarm {}: {}", facts.ago(alarm.at), alarm.text),
                "",
            );
        }
    }
    if report.counters.evidence > 0 {
        findings.add(
            Level::Warning,
            "evidence",
            format!(
                "an operator lied: {} pieces of evidence since the daemon started",
                report.counters.evidence
            ),
            "see `federation status --evidence`",
        );
    }
}

fn messenger(report: &StatusReport, findings: &mut Findings) {
    let Some(messenger) = &report.messenger else {
        return;
    };
    let is_kafka = messenger.kind == "kafka";
    if is_kafka && !messenger.connected {
        let mut what = "no Kafka broker is connected: operators do not hear each other".to_owned();
        for fault in &messenger.faults {
            what = format!("{what}; {fault}");
        }
        findings.add(
            Level::Critical,
            "messenger",
            what,
            "check the brokers, and [kafka] in operator.toml; `federation preflight --running` asks them",
        );
        return;
    }
    for fault in &messenger.faults {
        findings.add(Level::Warning, "messenger", fault, "");
    }
}

/// Who is not heard. At the start nobody is, for a while.
fn peers(report: &StatusReport, facts: &Facts, findings: &mut Findings) {
    let patience = facts.interval * 3 + PATIENCE;
    let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    // By the daemon's clock: its report may be some seconds old.
    if report.written.saturating_sub(report.started) < patience {
        return;
    }
    let is_silent = |heard: Option<u64>| {
        heard.is_none_or(|heard| report.written.saturating_sub(heard) > patience)
    };
    let silent: Vec<_> = report
        .peers
        .iter()
        .filter(|peer| is_silent(peer.heard))
        .collect();
    if silent.is_empty() {
        return;
    }
    let names: Vec<_> = silent
        .iter()
        .map(|peer| match peer.heard {
            Some(heard) => format!("{} ({})", peer.operator, facts.ago(heard)),
            None => format!("{} (never)", peer.operator),
        })
        .collect();
    if silent.len() == report.peers.len() && facts.threshold > 1 {
        let links = report.messenger.as_ref().map_or_else(String::new, |links| {
            format!(", {} of {} links are up", links.up, links.of)
        });
        findings.add(
            Level::Critical,
            "peers",
            format!("nobody is heard{links}: {}", names.join(", ")),
            "check the network, firewalls, `listen` and the endpoints in federation.toml",
        );
    } else {
        findings.add(
            Level::Warning,
            "peers",
            format!("not heard: {}", names.join(", ")),
            "",
        );
    }
}

/// One line, and the exit code for a monitor.
pub(super) fn tell(shown: &Shown, facts: &Facts, as_json: bool) -> Result<ExitCode, CliError> {
    let findings = assess(shown, facts);
    let level = findings.level();
    let text = match level {
        Level::Good => good(shown, facts),
        _ => findings.line(),
    };
    say(level, &text, &findings, as_json)
}

/// What `--check` answers when it cannot look.
pub(super) fn cannot_look(error: &CliError, as_json: bool) -> Result<ExitCode, CliError> {
    let mut findings = Findings::default();
    findings.add(Level::Unknown, "settings", error.what(), error.cure());
    say(Level::Unknown, error.what(), &findings, as_json)
}

fn say(level: Level, text: &str, findings: &Findings, as_json: bool) -> Result<ExitCode, CliError> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if as_json {
        out::json(&json!({
            "state": level,
            "code": level.code(),
            "text": text,
            "findings": findings.0,
        }))?;
    } else {
        out::line(&format!("{}: {text}", level.as_str().to_uppercase()))?;
    }
    Ok(ExitCode::from(level.code()))
}

fn good(shown: &Shown, facts: &Facts) -> String {
    let Some(report) = &shown.daemon else {
        return "it runs".to_owned();
    };
    let block = report.tip.as_ref().map_or_else(String::new, |tip| {
        let made = tip.time.unwrap_or(tip.seen);
        format!(", last block {} {}", tip.height, facts.ago(made))
    });
    let heard = report.peers.iter().filter(|peer| peer.heard.is_some());
    format!(
        "{} works on height {}{block}, {} of {} others heard",
        report.operator,
        report.height,
        heard.count(),
        report.peers.len()
    )
}

#[cfg(test)]
mod tests;
