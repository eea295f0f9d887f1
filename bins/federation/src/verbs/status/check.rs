//! Assessment of an operator: one line for people, and an exit code for monitoring systems.

use std::{process::ExitCode, time::Duration};

use federation_chain::UnixTime;
use federation_cli::{CliError, out};
use federation_operator::status::StatusReport;
use serde_json::json;

use super::{
    findings::{Findings, Level},
    table::{pieces, span},
    view::{Process, StatusView},
};
use crate::files::OperatorFiles;

/// How long an alarm counts after it was raised.
const ALARM_MILLIS: u64 = 60 * 60 * 1000;

/// How long, in addition to three intervals, another operator may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// The facts about the federation that the assessment needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) threshold: usize,
    pub(super) interval: Duration,
    /// The height up to which the classic protocol makes the blocks.
    pub(super) classic_until: Option<u32>,
    pub(super) now: UnixTime,
}

impl Facts {
    pub(super) fn new(files: &OperatorFiles, now: UnixTime) -> Self {
        Self {
            threshold: files.config.federation.threshold(),
            interval: files.config.federation.interval(),
            classic_until: files.config.classic_until.map(|height| height.to_u32()),
            now,
        }
    }

    fn ago(&self, millis: u64) -> String {
        format!(
            "{} ago",
            span(
                self.now
                    .saturating_duration_since(UnixTime::from_millis(millis))
            )
        )
    }
}

/// Assesses an operator's status.
pub(super) fn assess(view: &StatusView, facts: &Facts) -> Findings {
    let mut findings = Findings::default();
    if let Some(halt) = &view.halt {
        findings.add(
            Level::Critical,
            "halt",
            format!("halted at height {}: {}", halt.height, halt.text),
            halt.help,
        );
    }
    process(view, facts, &mut findings);
    for fault in &view.faults {
        let level = match fault.about {
            "status" => Level::Warning,
            "access" => Level::Unknown,
            _ => Level::Critical,
        };
        findings.add(level, fault.about, &fault.what, fault.help.clone());
    }
    if view.process == Process::Runs
        && let Some(report) = &view.daemon
    {
        running(report, facts, &mut findings);
    }
    findings
        .0
        .sort_by_key(|finding| core::cmp::Reverse(finding.level.weight()));
    findings
}

fn process(view: &StatusView, facts: &Facts, findings: &mut Findings) {
    let age = |report: &StatusReport| facts.ago(report.written);
    let last = view.daemon.as_ref().map(age);
    match view.process {
        // The faults say why.
        Process::Runs | Process::Unseen => {}
        Process::Hangs => findings.add(
            Level::Critical,
            "daemon",
            format!(
                "the daemon hangs: last status {}",
                last.unwrap_or_default()
            ),
            "check its log and its disk, and restart it",
        ),
        Process::Silent => match facts.classic_until {
            Some(until) => findings.add(
                Level::Unknown,
                "daemon",
                format!("the daemon runs the classic protocol up to height {until}, which has no status here"),
                "see its log",
            ),
            None => findings.add(
                Level::Critical,
                "daemon",
                "a process has the store, but has not written its status yet: a daemon waiting for its \
                 node, or a `guard` verb",
                "see the daemon's log: is its node up?",
            ),
        },
        Process::WithoutStore => findings.add(
            Level::Critical,
            "daemon",
            "the daemon is running with another store than this one: its store was removed or replaced",
            "stop the daemon, and do not restore an old store: run `federation guard repair`",
        ),
        Process::Gone => findings.add(
            Level::Critical,
            "daemon",
            match last {
                Some(last) => format!("the daemon is not running; last status {last}"),
                None => "the daemon is not running".to_owned(),
            },
            "see the end of its log for why it stopped, and start it",
        ),
        Process::NeverRan => findings.add(
            Level::Critical,
            "daemon",
            "the daemon is not running, and has never run with this store",
            "start it: `federation run`",
        ),
    }
}

fn running(report: &StatusReport, facts: &Facts, findings: &mut Findings) {
    if let Some(why) = report.node.strip_prefix("down: ") {
        findings.add(
            Level::Critical,
            "node",
            format!("node unreachable: {why}"),
            "start it, and check [node] in operator.toml",
        );
    } else if let Some(what) = report.node.strip_prefix("waits: ") {
        findings.add(
            Level::Warning,
            "node",
            format!("the node is not up to date: {what}"),
            "let it catch up, for which it needs peers",
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
                span(facts.now.saturating_duration_since(since)),
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
            "observing, not voting or signing",
            "it participates after the first height that becomes final without it",
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
                "{} reissues {} differently: {}",
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
                "{} of evidence against operators since the daemon started",
                pieces(report.counters.evidence)
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
        let mut what =
            "no Kafka broker connected: operators do not receive each other's messages".to_owned();
        for fault in &messenger.faults {
            what = format!("{what}; {fault}");
        }
        findings.add(
            Level::Critical,
            "messenger",
            what,
            "check the brokers, and [kafka] in operator.toml; `federation preflight --running` tests the connection",
        );
        return;
    }
    for fault in &messenger.faults {
        findings.add(Level::Warning, "messenger", fault, "");
    }
}

/// Reports operators from which no messages arrive. Right after the start that is normal.
fn peers(report: &StatusReport, facts: &Facts, findings: &mut Findings) {
    let patience = facts.interval * 3 + PATIENCE;
    let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    // Measured by the daemon's report, which may be some seconds old.
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
            format!(", {} of {} links up", links.up, links.of)
        });
        findings.add(
            Level::Critical,
            "peers",
            format!(
                "no messages from other operators{links}: {}",
                names.join(", ")
            ),
            "check the network, firewalls, `listen` and the endpoints in federation.toml",
        );
    } else {
        findings.add(
            Level::Warning,
            "peers",
            format!("no messages from {}", names.join(", ")),
            "",
        );
    }
}

/// Prints one line, and returns the exit code for a monitoring system.
pub(super) fn print_check(
    view: &StatusView,
    facts: &Facts,
    as_json: bool,
) -> Result<ExitCode, CliError> {
    let findings = assess(view, facts);
    let level = findings.level();
    let text = match level {
        Level::Good => good(view, facts),
        _ => findings.line(),
    };
    print(level, &text, &findings, as_json)
}

/// Prints the answer of `--check` when the configuration cannot be loaded.
pub(super) fn unreadable_config(error: &CliError, as_json: bool) -> Result<ExitCode, CliError> {
    let mut findings = Findings::default();
    findings.add(Level::Unknown, "settings", error.what(), error.help());
    print(Level::Unknown, error.what(), &findings, as_json)
}

fn print(
    level: Level,
    text: &str,
    findings: &Findings,
    as_json: bool,
) -> Result<ExitCode, CliError> {
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

fn good(view: &StatusView, facts: &Facts) -> String {
    let Some(report) = &view.daemon else {
        return "running".to_owned();
    };
    let block = report.tip.as_ref().map_or_else(String::new, |tip| {
        let made = tip.time.unwrap_or(tip.seen);
        format!(", last block {} {}", tip.height, facts.ago(made))
    });
    let heard = report.peers.iter().filter(|peer| peer.heard.is_some());
    format!(
        "{} is at height {}{block}, messages from {} of {} others",
        report.operator,
        report.height,
        heard.count(),
        report.peers.len()
    )
}

#[cfg(test)]
mod tests;
