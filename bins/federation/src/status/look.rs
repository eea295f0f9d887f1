//! What can be seen of an operator without its daemon's help: its files, and whether a process has
//! them.

use std::path::Path;

use federation_block_signing::Record;
use federation_chain::UnixTime;
use federation_classic::{GuardFile, TurnState};
use federation_operator::{
    Clock, Halt, HeldGuardStore, Store, StoreError, SystemClock,
    status::{EvidenceReport, GuardReport, StatusError, StatusReport, read_status},
};
use federation_signer::{GuardStanding, HeldGuard};
use serde::Serialize;

use crate::{
    guard::{Place, key_is_in_use},
    run::with_causes,
};

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

/// How it is with the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Process {
    /// It runs, and has told of itself just now.
    Runs,
    /// A process has the store, and the process that told last is alive and has told nothing for long:
    /// it hangs.
    Hangs,
    /// A process has the store and has told nothing yet: it waits for its node, or is no daemon.
    Silent,
    /// It runs, and the store here is not the one that it has.
    WithoutStore,
    /// It ran, and does not any more.
    Gone,
    /// Nothing shows that it ever ran.
    NeverRan,
}

/// Something that is wrong with the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    /// `store`, `guard` or `status`.
    pub(super) about: &'static str,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) help: &'static str,
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
            observing: records.iter().any(Record::is_of_an_observer),
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
        let daemon = read_status(folder).unwrap_or_else(|error| {
            faults.push(status_fault(&error));
            None
        });
        let now = SystemClock.now();
        let age = daemon
            .as_ref()
            .map(|report| now.since(UnixTime::from_millis(report.written)));
        let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let found = open(folder, place);
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
            (HeldGuardStore::path(folder).exists(), "guard.redb"),
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
            help: RECOVER,
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
                        help: RECOVER,
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
                what: "the guard was moved away by `guard export`: the key signs on another machine"
                    .to_owned(),
                help: "start the operator there; to bring it back, export the guard there and import \
                       it here",
            }),
            GuardStanding::Unproven => self.faults.push(Fault {
                about: "guard",
                what: "the guard holds a copy, since which the key may have signed more".to_owned(),
                help: "`federation guard repair` finds out from which height on it may sign",
            }),
        }
        if let Some(what) = parted(records, &held) {
            self.faults.push(Fault {
                about: "guard",
                what,
                help: "put the newest of both in place, from one machine and one time; if it is gone, \
                       `federation guard repair`",
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
                help: "see docs/migration.md",
            }),
        }
    }

    fn add_fault(&mut self, about: &'static str, error: &StoreError) {
        self.faults.push(Fault {
            about,
            what: with_causes(error),
            help: "see docs/operations.md, when it does not start",
        });
    }
}

/// Whether store and guard are of one life; what shows that they are not. The guard knows every
/// block that the store says was signed, and none above what the store has worked on.
fn parted(records: &[Record], held: &HeldGuard) -> Option<String> {
    if records.is_empty() || held.standing != GuardStanding::Active {
        return None;
    }
    for record in records {
        let Record::Signature(signature) = record else {
            continue;
        };
        let (height, hash) = (signature.height, signature.hash);
        let is_forgotten = held.state.highest_final() >= Some(height);
        match held.state.signed(height) {
            Some(known) if known == hash => {}
            Some(known) => {
                return Some(format!(
                    "store and guard do not belong together: at height {height} the store says that \
                     block {hash} was signed, and the guard {known}"
                ));
            }
            None if is_forgotten => {}
            None => {
                return Some(format!(
                    "store and guard do not belong together: the store says that block {hash} at \
                     height {height} was signed, and the guard does not know of it"
                ));
            }
        }
    }
    let worked_on = records
        .iter()
        .filter_map(|record| match record {
            Record::Final(height) => Some(height.next()),
            record => record.height(),
        })
        .max();
    let signed = held.state.records().last().map(|(height, _)| height);
    match (signed, worked_on) {
        (Some(signed), Some(worked_on)) if signed > worked_on => Some(format!(
            "store and guard do not belong together: the guard has signed a block at height \
             {signed}, and the store has come to height {worked_on} only"
        )),
        _ => None,
    }
}

/// The store, if it can be had.
enum Found {
    Free(Box<Store>),
    InUse,
    Missing,
    Bad(StoreError),
}

fn open(folder: &Path, place: &Place) -> Found {
    if !Store::path(folder).exists() {
        return Found::Missing;
    }
    match Store::open(folder, place.config.federation.id(), place.config.me) {
        Ok(store) => Found::Free(Box::new(store)),
        Err(StoreError::InUse { .. }) => Found::InUse,
        Err(error) => Found::Bad(error),
    }
}

fn process(
    found: &Found,
    daemon: Option<&StatusReport>,
    age: Option<u64>,
    place: &Place,
) -> Process {
    let is_fresh = age.is_some_and(|age| age <= STALE_MILLIS);
    let is_alive = daemon.is_some_and(|report| is_alive(report.process));
    match found {
        Found::InUse if is_fresh => Process::Runs,
        Found::InUse if is_alive => Process::Hangs,
        Found::InUse => Process::Silent,
        _ if is_fresh && is_alive => Process::WithoutStore,
        Found::Missing if key_is_in_use(&place.pin.block_key) => Process::WithoutStore,
        _ if daemon.is_some() => Process::Gone,
        Found::Missing => Process::NeverRan,
        _ => Process::Gone,
    }
}

/// Whether a process of this program is known to be alive: not one that has ended and whose parent has
/// not asked yet how, and none that has the number of one that was in another container.
fn is_alive(process: u32) -> bool {
    let read = |process: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // `pid (name) state ..`, and the name may hold anything.
        let (head, rest) = stat.rsplit_once(") ")?;
        let (_, name) = head.split_once(" (")?;
        Some((name.to_owned(), rest.chars().next()?))
    };
    let (Some((name, state)), Some((own, _))) = (read(&process.to_string()), read("self")) else {
        return false;
    };
    name == own && !matches!(state, 'Z' | 'X')
}

fn status_fault(error: &StatusError) -> Fault {
    Fault {
        about: "status",
        what: error.to_string(),
        help: "check the folder's owner and mode",
    }
}

#[cfg(test)]
mod tests {
    use federation_block_signing::{BlockSignature, CompactSignature};
    use federation_chain::{BlockHash, BlockHeight};

    use super::*;

    fn signed(height: u32, hash: u8) -> Record {
        Record::Signature(BlockSignature {
            height: BlockHeight::new(height),
            hash: BlockHash::from_bytes([hash; 32]),
            signature: CompactSignature::from_bytes([1; 64]),
        })
    }

    fn last(height: u32) -> Record {
        Record::Final(BlockHeight::new(height))
    }

    /// A guard that signed these.
    fn guard(records: &[(u32, u8)], highest_final: u32) -> HeldGuard {
        let mut held = HeldGuard::default();
        for (height, hash) in records {
            let hash = BlockHash::from_bytes([*hash; 32]);
            held.state
                .record(BlockHeight::new(*height), hash)
                .expect("fresh");
        }
        held.state.raise_final(BlockHeight::new(highest_final));
        held
    }

    #[test]
    fn a_store_and_its_guard_belong_together() {
        // The last height's signature is kept, and the guard may be ahead by the write between.
        let records = [last(7), signed(7, 7), signed(8, 8)];
        assert_eq!(parted(&records, &guard(&[(7, 7), (8, 8)], 6)), None);
        assert_eq!(parted(&[last(7)], &guard(&[(7, 7), (8, 8)], 7)), None);
        // Repaired: all up to the watermark counts as signed.
        assert_eq!(parted(&records, &guard(&[], 20)), None);
        assert_eq!(parted(&[], &guard(&[(7, 7)], 6)), None);
    }

    #[test]
    fn a_guard_of_another_time_or_machine_is_noticed() {
        let records = [last(7), signed(8, 8)];
        let of = |held: &HeldGuard| parted(&records, held).expect("it shows");
        assert!(of(&guard(&[(5, 5)], 5)).contains("does not know of it"));
        assert!(of(&guard(&[(8, 9)], 7)).contains("and the guard 0909"));
        let ahead = of(&guard(&[(8, 8), (30, 1)], 29));
        assert!(ahead.contains("has come to height 8 only"), "{ahead}");
    }

    #[test]
    fn this_process_is_alive_and_one_that_ended_is_not() {
        assert_eq!(is_alive(std::process::id()), cfg!(target_os = "linux"));
        let mut child = std::process::Command::new("true").spawn().expect("there");
        child.wait().expect("it ends");
        assert!(!is_alive(child.id()));
        // Another program.
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("there");
        assert!(!is_alive(child.id()));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
}
