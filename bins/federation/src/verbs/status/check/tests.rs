//! Which states are good, a warning, critical or unknown.

use federation_operator::status::{
    AlarmReport, AssetReport, BlockReport, CountersReport, DifferenceReport, MessengerReport,
    PeerReport, StandstillReport, TroubleReport,
};

use super::{
    super::view::{Fault, HaltReport},
    *,
};

/// Now, in milliseconds since 1970.
const NOW: u64 = 1_700_000_000_000;
const MINUTE: u64 = 60_000;

fn facts() -> Facts {
    Facts {
        threshold: 2,
        interval: Duration::from_secs(60),
        classic_until: None,
        now: UnixTime::from_millis(NOW),
    }
}

fn peer(name: &str, heard: Option<u64>) -> PeerReport {
    PeerReport {
        operator: name.to_owned(),
        heard,
        height: heard.map(|_| 8),
        round: heard.map(|_| 0),
    }
}

/// A daemon that has been running well for an hour.
fn healthy() -> StatusView {
    let report = StatusReport {
        format: StatusReport::FORMAT,
        written: NOW - 1_000,
        started: NOW - 60 * MINUTE,
        process: 7,
        federation: "f".to_owned(),
        operator: "alice".to_owned(),
        height: 8,
        round: 0,
        leader: "bob".to_owned(),
        phase: "waits for the next height".to_owned(),
        observing: false,
        tip: Some(BlockReport {
            height: 7,
            hash: "00".to_owned(),
            seen: NOW - 1_000,
            time: Some(NOW - 45_000),
            signers: vec!["alice".to_owned(), "bob".to_owned()],
        }),
        node: "up".to_owned(),
        standstill: None,
        messenger: Some(MessengerReport {
            kind: "zmq".to_owned(),
            connected: true,
            up: 4,
            of: 4,
            faults: Vec::new(),
        }),
        reissuance: Vec::new(),
        differences: Vec::new(),
        peers: vec![
            peer("bob", Some(NOW - 2_000)),
            peer("carol", Some(NOW - 2_000)),
        ],
        troubles: Vec::new(),
        alarms: Vec::new(),
        evidence: 0,
        guard: None,
        counters: CountersReport::default(),
    };
    StatusView {
        running: true,
        process: Process::Runs,
        age: Some(1_000),
        daemon: Some(report),
        store: None,
        halt: None,
        guard: None,
        faults: Vec::new(),
        classic: None,
        evidence: Vec::new(),
    }
}

fn with(change: impl FnOnce(&mut StatusReport)) -> StatusView {
    let mut view = healthy();
    change(view.daemon.as_mut().expect("it exists"));
    view
}

fn stopped(process: Process) -> StatusView {
    StatusView {
        process,
        running: false,
        ..healthy()
    }
}

/// The level of a state, and the line of its findings.
fn judged(view: &StatusView) -> (Level, String) {
    let findings = assess(view, &facts());
    (findings.level(), findings.line())
}

#[test]
fn a_healthy_operator_is_good_and_its_block_is_dated_by_its_header() {
    let view = healthy();
    assert_eq!(judged(&view), (Level::Good, String::new()));
    assert_eq!(
        good(&view, &facts()),
        "alice is at height 8, last block 7 45 s ago, messages from 2 of 2 others"
    );
}

#[test]
fn each_state_has_its_level_and_its_text() {
    let standstill = StandstillReport {
        since: NOW - 2 * MINUTE,
        height: Some(8),
        round: 3,
        needed: 3,
        heard: vec!["alice".to_owned()],
        absent: vec!["bob".to_owned(), "carol".to_owned()],
        behind: Vec::new(),
        silent: Vec::new(),
        what: "the chain stands still".to_owned(),
        reason: "heard 1 of the 2 that must sign; absent: bob, carol".to_owned(),
    };
    let fault = |about| Fault {
        about,
        what: format!("{about} is lost"),
        help: "".into(),
    };
    let halted = StatusView {
        halt: Some(HaltReport {
            reason: "twin",
            text: "another daemon spoke".to_owned(),
            height: 7,
            at: NOW,
            help: "stop both",
        }),
        ..stopped(Process::Gone)
    };
    let table: [(StatusView, Level, &str); 22] = [
        (
            stopped(Process::Gone),
            Level::Critical,
            "not running; last status 1.0 s ago",
        ),
        (stopped(Process::NeverRan), Level::Critical, "has never run"),
        (stopped(Process::Hangs), Level::Critical, "hangs"),
        (
            stopped(Process::Silent),
            Level::Critical,
            "waiting for its node",
        ),
        (
            stopped(Process::WithoutStore),
            Level::Critical,
            "removed or replaced",
        ),
        (
            halted,
            Level::Critical,
            "halted at height 7: another daemon spoke",
        ),
        (
            StatusView {
                faults: vec![fault("store")],
                ..healthy()
            },
            Level::Critical,
            "store is lost",
        ),
        (
            StatusView {
                faults: vec![fault("guard")],
                ..healthy()
            },
            Level::Critical,
            "guard is lost",
        ),
        (
            StatusView {
                faults: vec![fault("status")],
                ..healthy()
            },
            Level::Warning,
            "status is lost",
        ),
        (
            with(|report| report.node = "down: connection refused".to_owned()),
            Level::Critical,
            "node unreachable: connection refused",
        ),
        (
            with(|report| report.node = "waits: it is in its initial download".to_owned()),
            Level::Warning,
            "initial download",
        ),
        (
            with(|report| report.standstill = Some(standstill)),
            Level::Critical,
            "the chain stands still for 2 min 0 s at height 8 round 3: heard 1 of the 2 that must \
             sign; absent: bob, carol",
        ),
        (
            with(|report| report.peers[0].heard = None),
            Level::Warning,
            "no messages from bob (never)",
        ),
        (
            with(|report| report.peers[1].heard = Some(NOW - 4 * MINUTE)),
            Level::Warning,
            "no messages from carol (4 min 0 s ago)",
        ),
        (
            with(|report| {
                for peer in &mut report.peers {
                    peer.heard = None;
                }
                report.messenger.as_mut().expect("it exists").up = 0;
            }),
            Level::Critical,
            "no messages from other operators, 0 of 4 links up: bob (never), carol (never)",
        ),
        (
            with(|report| {
                report.messenger = Some(MessengerReport {
                    kind: "kafka".to_owned(),
                    connected: false,
                    up: 0,
                    of: 3,
                    faults: vec!["broker kafka1:9092: connection refused".to_owned()],
                });
            }),
            Level::Critical,
            "no Kafka broker connected: operators do not receive each other's messages; broker \
             kafka1:9092: connection refused",
        ),
        (
            with(|report| report.observing = true),
            Level::Warning,
            "observing",
        ),
        (
            with(|report| {
                report.reissuance = vec![AssetReport {
                    asset: "05f2".to_owned(),
                    circulation: 0,
                    due: None,
                    problem: Some("it is not issued".to_owned()),
                }];
            }),
            Level::Warning,
            "05f2 is not reissued: it is not issued",
        ),
        (
            with(|report| {
                report.differences = vec![DifferenceReport {
                    operator: "bob".to_owned(),
                    asset: "05f2".to_owned(),
                    how: "amount is 5 here and 6 there".to_owned(),
                }];
            }),
            Level::Warning,
            "bob reissues 05f2 differently: amount is 5 here and 6 there",
        ),
        (
            with(|report| {
                report.troubles = vec![TroubleReport {
                    since: NOW - 2 * MINUTE,
                    code: "FD004".to_owned(),
                    blocks: Some(3),
                    text: "has signed no block for 3 blocks: the PIN is locked".to_owned(),
                }];
            }),
            Level::Warning,
            "the PIN is locked (since 2 min 0 s ago)",
        ),
        (
            with(|report| {
                report.alarms = vec![AlarmReport {
                    at: NOW - MINUTE,
                    code: "FN004".to_owned(),
                    text: "the node refuses a block".to_owned(),
                }];
            }),
            Level::Warning,
            "alarm 1 min 0 s ago: the node refuses a block",
        ),
        (
            with(|report| report.counters.evidence = 2),
            Level::Warning,
            "2 pieces of evidence against operators",
        ),
    ];
    for (view, level, words) in table {
        let (found, line) = judged(&view);
        assert_eq!(found, level, "{line}");
        assert!(line.contains(words), "`{words}` is missing in: {line}");
        let findings = assess(&view, &facts());
        assert!(
            findings
                .0
                .windows(2)
                .all(|two| two[0].level.weight() >= two[1].level.weight()),
            "worst first: {findings:?}"
        );
    }
}

#[test]
fn past_alarms_and_a_recent_start_are_not_warnings() {
    let old = with(|report| {
        report.alarms = vec![AlarmReport {
            at: NOW - ALARM_MILLIS - 1,
            code: "FN004".to_owned(),
            text: "of yesterday".to_owned(),
        }];
    });
    assert_eq!(judged(&old).0, Level::Good);
    let begun = with(|report| {
        report.started = NOW - 5_000;
        for peer in &mut report.peers {
            peer.heard = None;
        }
    });
    assert_eq!(judged(&begun).0, Level::Good);
    // The last status of a stopped daemon does not describe the present.
    let gone = StatusView {
        process: Process::Gone,
        ..with(|report| report.node = "down: refused".to_owned())
    };
    assert!(!judged(&gone).1.contains("refused"));
}

#[test]
fn the_classic_protocol_has_no_status_here() {
    let facts = Facts {
        classic_until: Some(100),
        ..facts()
    };
    let findings = assess(&stopped(Process::Silent), &facts);
    assert_eq!(findings.level(), Level::Unknown);
    assert!(
        findings
            .line()
            .contains("classic protocol up to height 100")
    );
}

#[test]
fn the_exit_codes_are_those_that_monitoring_systems_expect() {
    let codes = [Level::Good, Level::Warning, Level::Critical, Level::Unknown];
    assert_eq!(codes.map(Level::code), [0, 1, 2, 3]);
    // None is the exit code of a halted `federation run`.
    assert!(codes.iter().all(|level| level.code() != 78));
}
