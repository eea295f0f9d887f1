//! What can be seen of an operator without its daemon's help: its files, and whether a process has
//! them.

mod parted;
mod process;

use std::{borrow::Cow, io::ErrorKind, path::Path};

use federation_block_signing::Record;
use federation_chain::UnixTime;
use federation_classic::{GuardFile, TurnState};
use federation_operator::{
    Clock, Halt, HeldGuardStore, Store, StoreError, SystemClock,
    status::{EvidenceReport, GuardReport, StatusError, StatusReport, read_status},
};
use federation_signer::GuardStanding;
use serde::Serialize;

pub(super) use self::process::Process;
use self::{parted::parted, process::process};
use crate::{cures, guard::Place, run::with_causes};

/// A report that is older, in milliseconds, is not of a daemon that works: it writes every ten
/// seconds.
pub(super) const STALE_MILLIS: u64 = 30_000;

/// All that can be told.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    /// Whether a daemon has the store.
    pub(super) running: bool,
    /// How it is with the daemon.
    pub(super) process: Process,
    /// How old the daemon's report is, in milliseconds.
    pub(super) age: Option<u64>,
    /// What the daemon told last, be it the one that runs or one that ran.
    pub(super) daemon: Option<StatusReport>,
    /// What the store holds, if no daemon has it.
    pub(super) store: Option<StoreReport>,
    /// What ended the operator and keeps it from starting, if no daemon has the store.
    pub(super) halt: Option<HaltReport>,
    /// What the block key has signed.
    pub(super) guard: Option<GuardReport>,
    /// What is wrong with store, guard or status file.
    pub(super) faults: Vec<Fault>,
    /// What the older protocol has signed last, if it ran and no daemon has the store.
    pub(super) classic: Option<TurnState>,
    /// The evidence.
    pub(super) evidence: Vec<EvidenceReport>,
}

/// Something that is wrong with the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// `store`, `guard`, `status`, `classic` or `access`.
    pub(super) about: &'static str,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) help: Cow<'static, str>,
}

/// What keeps an operator from starting until a person clears it.
#[derive(Debug, Serialize)]
pub(super) struct HaltReport {
    /// `twin`, `old-store` or `two-decisions`.
    pub(super) reason: &'static str,
    /// The same in words.
    pub(super) text: String,
    /// The height that it was about.
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

/// What the store of an operator that does not run holds.
#[derive(Debug, Serialize)]
pub(super) struct StoreReport {
    /// The highest height that it knows to be final.
    #[serde(rename = "final")]
    pub(super) highest_final: Option<u32>,
    /// Whether it will only watch.
    pub(super) observing: bool,
    /// The height that it worked on last, and the round.
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

const RECOVER: &str = "if it was lost, `federation guard repair` says what is left and what to do; never copy an old one back";

impl Shown {
    /// Looks at an operator's files. What is wrong with them is part of what is shown.
    pub(super) fn of(place: &Place) -> Self {
        let folder = &place.config.store;
        let mut faults = Vec::new();
        let found = open(folder, place);
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
            .map(|report| now.since(UnixTime::from_millis(report.written)));
        let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let process = process(&found, daemon.as_ref(), age, place);
        let mut shown = Self {
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
            Found::InUse => shown.add_running(folder),
            Found::Missing => {
                shown.add_missing(place);
                shown.add_guard(place, &[]);
                shown.add_classic(place);
            }
            Found::Unseen(reason) => shown.faults.push(Fault {
                about: "access",
                what: format!("{} cannot be looked at: {reason}", folder.display()),
                help: "ask as the user that the daemon runs as".into(),
            }),
            Found::Bad(error) => {
                shown.add_fault("store", &error);
                shown.add_guard(place, &[]);
            }
            Found::Free(store) => {
                shown.add_store(place, &store);
                shown.add_classic(place);
            }
        }
        shown
    }

    fn add_running(&mut self, folder: &Path) {
        self.guard = self.daemon.as_ref().and_then(|report| report.guard.clone());
        match EvidenceReport::read(folder) {
            Ok(evidence) => self.evidence = evidence,
            Err(error) => self.faults.push(status_fault(&error)),
        }
    }

    fn add_store(&mut self, place: &Place, store: &Store) {
        match store.records() {
            Ok(records) => {
                self.store = Some(StoreReport::new(&records));
                self.add_guard(place, &records);
            }
            Err(error) => self.add_fault("store", &error),
        }
        match store.evidence() {
            Ok(evidence) => {
                let federation = &place.config.federation;
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

    /// The store is not there: it was never made, or it was lost.
    fn add_missing(&mut self, place: &Place) {
        let folder = &place.config.store;
        let left = [
            (
                HeldGuardStore::is_there(folder).unwrap_or(false),
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
                "{} is lost, while the daemon that has it runs",
                file.display()
            )
        } else {
            format!(
                "{} is lost; {} beside it is still there",
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

    fn add_guard(&mut self, place: &Place, records: &[Record]) {
        let held = match place.open_existing().and_then(|store| store.held()) {
            Ok(held) => held,
            Err(StoreError::Missing { path }) => {
                if self.store.is_some() && !records.is_empty() {
                    self.faults.push(Fault {
                        about: "guard",
                        what: format!("{} is lost; the store beside it is there", path.display()),
                        help: RECOVER.into(),
                    });
                }
                return;
            }
            // A daemon that runs on with a store that was removed has its guard as well.
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
                what: "the guard holds a copy, since which the key may have signed more".to_owned(),
                help: "`federation guard repair` finds out from which height on it may sign".into(),
            }),
        }
        if let Some(what) = parted(records, &held) {
            self.faults.push(Fault {
                about: "guard",
                what,
                help: "put the newest of both in place, from one machine and one time; if it is gone, \
                       `federation guard repair`".into(),
            });
        }
    }

    /// What the older protocol remembers, if it has run.
    fn add_classic(&mut self, place: &Place) {
        let folder = &place.config.store;
        if !folder.join("classic.guard").exists() {
            return;
        }
        let me = usize::from(place.config.me.to_u8());
        match GuardFile::open(folder, place.pin.genesis, me) {
            Ok(file) => self.classic = Some(file.state()),
            Err(error) => self.faults.push(Fault {
                about: "classic",
                what: with_causes(&error),
                help: cures::of_classic_guard(&error).into(),
            }),
        }
    }

    fn add_fault(&mut self, about: &'static str, error: &StoreError) {
        self.faults.push(Fault {
            about,
            what: with_causes(error),
            help: cures::of_store(error).into(),
        });
    }
}

/// The store, if it can be had.
enum Found {
    Free(Box<Store>),
    InUse,
    Missing,
    /// It may be there: the system does not let us see.
    Unseen(std::io::Error),
    Bad(StoreError),
}

fn open(folder: &Path, place: &Place) -> Found {
    match std::fs::File::open(Store::path(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Missing,
        Err(error) => return Found::Unseen(error),
        Ok(_) => {}
    }
    match Store::open(folder, place.config.federation.id(), place.config.me) {
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
