//! An operator's status as seen from outside its daemon: its files, and whether a process has them open.

mod mismatch;
mod process;

use std::{borrow::Cow, io::ErrorKind, path::Path};

use federation_block_signing::Record;
use federation_chain::UnixTime;
use federation_classic::{GuardFile, TurnState};
use federation_cli::with_causes;
use federation_operator::{
    Clock, GuardDatabase, Halt, Store, StoreError, SystemClock,
    status::{EvidenceReport, GuardReport, StatusError, StatusReport, read_status},
};
use federation_signer::GuardStanding;
use serde::Serialize;

pub(super) use self::process::Process;
use self::{mismatch::mismatch, process::process};
use crate::{files::OperatorFiles, hints};

/// An older report, in milliseconds, is not from a working daemon, which writes one every ten seconds.
pub(super) const STALE_MILLIS: u64 = 30_000;

/// The status of an operator.
#[derive(Debug, Serialize)]
pub(super) struct StatusView {
    /// Whether a daemon is running.
    pub(super) running: bool,
    /// The state of the daemon's process.
    pub(super) process: Process,
    /// The age of the daemon's report, in milliseconds.
    pub(super) age: Option<u64>,
    /// The last report of the daemon, running or not.
    pub(super) daemon: Option<StatusReport>,
    /// The contents of the store, if no daemon has it open.
    pub(super) store: Option<StoreReport>,
    /// The halt that ended the operator and keeps it from starting, if no daemon has the store open.
    pub(super) halt: Option<HaltReport>,
    /// What the block key has signed.
    pub(super) guard: Option<GuardReport>,
    /// Faults of the store, guard or status file.
    pub(super) faults: Vec<Fault>,
    /// What the classic protocol signed last, if it ran and no daemon has the store open.
    pub(super) classic: Option<TurnState>,
    /// The evidence.
    pub(super) evidence: Vec<EvidenceReport>,
}

/// A fault of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// `store`, `guard`, `status`, `classic` or `access`.
    pub(super) about: &'static str,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) help: Cow<'static, str>,
}

/// A halt, which keeps an operator from starting until it is cleared.
#[derive(Debug, Serialize)]
pub(super) struct HaltReport {
    /// `twin`, `old-store` or `two-decisions`.
    pub(super) reason: &'static str,
    /// The same in words.
    pub(super) text: String,
    /// The height that it concerns.
    pub(super) height: u32,
    /// When, in milliseconds since 1970.
    pub(super) at: u64,
    /// What to do.
    pub(super) help: &'static str,
}

impl From<Halt> for HaltReport {
    fn from(halt: Halt) -> Self {
        Self {
            reason: halt.reason.as_str(),
            text: halt.reason.to_string(),
            height: halt.height.to_u32(),
            at: halt.time.as_millis(),
            help: halt.reason.help(),
        }
    }
}

/// The contents of the store of an operator that is not running.
#[derive(Debug, Serialize)]
pub(super) struct StoreReport {
    /// The highest height known to be final.
    #[serde(rename = "final")]
    pub(super) highest_final: Option<u32>,
    /// Whether it is an observer.
    pub(super) observing: bool,
    /// The height and round that it last worked on.
    pub(super) height: Option<u32>,
    pub(super) round: Option<u32>,
}

impl StoreReport {
    fn new(records: &[Record]) -> Self {
        let mut report = Self {
            highest_final: None,
            observing: records.iter().any(Record::is_observing),
            height: records
                .iter()
                .filter_map(Record::height)
                .max()
                .map(|height| height.to_u32()),
            round: None,
        };
        for record in records {
            match record {
                Record::Final(height) => report.highest_final = Some(height.to_u32()),
                Record::Round(height, round) if Some(height.to_u32()) == report.height => {
                    report.round = Some(round.to_u32());
                }
                _ => {}
            }
        }
        report
    }
}

const RECOVER: &str = "run `federation guard repair`, which reports what is left and what to do; never restore an old copy";

impl StatusView {
    /// Reads an operator's files. Their faults are part of the status.
    pub(super) fn of(files: &OperatorFiles) -> Self {
        let folder = &files.config.store;
        let mut faults = Vec::new();
        let found = open(folder, files);
        let daemon = match &found {
            Found::Unseen(_) => None,
            _ => read_status(folder).unwrap_or_else(|error| {
                faults.push(status_fault(&error));
                None
            }),
        };
        let now = SystemClock.now();
        let age = daemon
            .as_ref()
            .map(|report| now.saturating_duration_since(UnixTime::from_millis(report.written)));
        let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let process = process(&found, daemon.as_ref(), age, files);
        let mut view = Self {
            running: matches!(
                process,
                Process::Runs | Process::Hangs | Process::Silent | Process::WithoutStore
            ),
            process,
            age,
            daemon,
            store: None,
            halt: None,
            guard: None,
            faults,
            classic: None,
            evidence: Vec::new(),
        };
        match found {
            Found::InUse => view.add_running(folder),
            Found::Missing => {
                view.add_missing(files);
                view.add_guard(files, &[]);
                view.add_classic(files);
            }
            Found::Unseen(reason) => view.faults.push(Fault {
                about: "access",
                what: format!("{} cannot be accessed: {reason}", folder.display()),
                help: "run this as the user that the daemon runs as".into(),
            }),
            Found::Bad(error) => {
                view.add_fault("store", &error);
                view.add_guard(files, &[]);
            }
            Found::Free(store) => {
                view.add_store(files, &store);
                view.add_classic(files);
            }
        }
        view
    }

    fn add_running(&mut self, folder: &Path) {
        self.guard = self.daemon.as_ref().and_then(|report| report.guard.clone());
        match EvidenceReport::read(folder) {
            Ok(evidence) => self.evidence = evidence,
            Err(error) => self.faults.push(status_fault(&error)),
        }
    }

    fn add_store(&mut self, files: &OperatorFiles, store: &Store) {
        match store.records() {
            Ok(records) => {
                self.store = Some(StoreReport::new(&records));
                self.add_guard(files, &records);
            }
            Err(error) => self.add_fault("store", &error),
        }
        match store.evidence() {
            Ok(evidence) => {
                let federation = &files.config.federation;
                let reports = evidence
                    .iter()
                    .map(|stored| EvidenceReport::new(stored, federation));
                self.evidence = reports.collect();
            }
            Err(error) => self.add_fault("store", &error),
        }
        match store.halt() {
            Ok(halt) => self.halt = halt.map(HaltReport::from),
            Err(error) => self.add_fault("store", &error),
        }
    }

    /// Reports a missing store as lost, unless it was never created.
    fn add_missing(&mut self, files: &OperatorFiles) {
        let folder = &files.config.store;
        let left = [
            (
                GuardDatabase::is_there(folder).unwrap_or(false),
                "guard.redb",
            ),
            (self.daemon.is_some(), "status.json"),
        ];
        let left: Vec<_> = left
            .iter()
            .filter(|(is_there, _)| *is_there)
            .map(|(_, name)| *name)
            .collect();
        if left.is_empty() && self.process != Process::WithoutStore {
            return;
        }
        let file = Store::path(folder);
        let what = if left.is_empty() {
            format!(
                "{} is lost, while the daemon that uses it is running",
                file.display()
            )
        } else {
            format!(
                "{} is lost, but {} next to it still exists",
                file.display(),
                left.join(" and ")
            )
        };
        self.faults.push(Fault {
            about: "store",
            what,
            help: RECOVER.into(),
        });
    }

    fn add_guard(&mut self, files: &OperatorFiles, records: &[Record]) {
        let held = match files.open_existing().and_then(|store| store.held()) {
            Ok(held) => held,
            Err(StoreError::Missing { path }) => {
                if self.store.is_some() && !records.is_empty() {
                    self.faults.push(Fault {
                        about: "guard",
                        what: format!(
                            "{} is lost, but the store next to it exists",
                            path.display()
                        ),
                        help: RECOVER.into(),
                    });
                }
                return;
            }
            // A daemon that continues with a removed store also has its guard open.
            Err(StoreError::InUse { .. }) => return,
            Err(error) => return self.add_fault("guard", &error),
        };
        self.guard = Some(GuardReport::new(held.standing, &held.state));
        match held.standing {
            GuardStanding::Active => {}
            GuardStanding::MovedAway => self.faults.push(Fault {
                about: "guard",
                what:
                    "the guard was moved away by `guard export`: the key signs on another machine"
                        .to_owned(),
                help:
                    "start the operator there; to bring it back, export the guard there and import \
                       it here"
                        .into(),
            }),
            GuardStanding::Unproven => self.faults.push(Fault {
                about: "guard",
                what: "the guard holds a copy: the key may have signed more since it was made"
                    .to_owned(),
                help: "run `federation guard repair` to find out from which height on it may sign"
                    .into(),
            }),
        }
        if let Some(what) = mismatch(records, &held) {
            self.faults.push(Fault {
                about: "guard",
                what,
                help: "restore the newest of both, from one machine and one moment; if they are gone, run \
                       `federation guard repair`".into(),
            });
        }
    }

    /// Reads the classic protocol's guard file, if it has run.
    fn add_classic(&mut self, files: &OperatorFiles) {
        let folder = &files.config.store;
        if !folder.join("classic.guard").exists() {
            return;
        }
        let me = usize::from(files.config.me.to_u8());
        match GuardFile::open(folder, files.pin.genesis, me) {
            Ok(file) => self.classic = Some(file.state()),
            Err(error) => self.faults.push(Fault {
                about: "classic",
                what: with_causes(&error),
                help: hints::for_classic_guard(&error).into(),
            }),
        }
    }

    fn add_fault(&mut self, about: &'static str, error: &StoreError) {
        self.faults.push(Fault {
            about,
            what: with_causes(error),
            help: hints::for_store(error).into(),
        });
    }
}

/// The store, as found.
enum Found {
    Free(Box<Store>),
    InUse,
    Missing,
    /// The system denies access, so it may exist.
    Unseen(std::io::Error),
    Bad(StoreError),
}

fn open(folder: &Path, files: &OperatorFiles) -> Found {
    match std::fs::File::open(Store::path(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Missing,
        Err(error) => return Found::Unseen(error),
        Ok(_) => {}
    }
    match Store::open(folder, files.config.federation.id(), files.config.me) {
        Ok(store) => Found::Free(Box::new(store)),
        Err(StoreError::InUse { .. }) => Found::InUse,
        Err(error) => Found::Bad(error),
    }
}

fn status_fault(error: &StatusError) -> Fault {
    Fault {
        about: "status",
        what: error.to_string(),
        help: "check the folder's owner and mode".into(),
    }
}
