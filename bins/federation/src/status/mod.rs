//! `federation status`: what an operator does, and the evidence that it holds.

mod table;
mod verify;

use std::{path::Path, process::ExitCode};

use federation_block_signing::Record;
use federation_chain::UnixTime;
use federation_classic::{GuardFile, TurnState};
use federation_cli::{CliError, out};
use federation_operator::{
    Clock, Halt, Store, StoreError, SystemClock,
    config::load_federation,
    status::{EvidenceReport, GuardReport, StatusError, StatusReport, read_status},
};
use serde::Serialize;

use crate::{cli::StatusArgs, cures, guard::Place, run::with_causes};

/// Shows the status, or checks evidence.
pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode, CliError> {
    if let Some(file) = &args.verify {
        // The roster is all that is needed, which others than its operators have, too.
        let federation = match args.place.settings.overrides().federation {
            Some(public) => {
                load_federation(&public).map_err(|report| CliError::plain(report.to_string()))?
            }
            None => Place::new(&args.place)?.config.federation,
        };
        return verify::run(&federation, file, args.json);
    }
    let place = Place::new(&args.place)?;
    let shown = Shown::of(&place)?;
    if args.json {
        let mut value = serde_json::to_value(&shown)
            .map_err(|error| CliError::failure(error, "report this as a fault of the program"))?;
        if !args.evidence {
            value["evidence"] = shown.evidence.len().into();
        }
        out::json(&value)?;
    } else {
        out::line(&table::of(&place, &shown, args.evidence))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All that can be told.
#[derive(Debug, Serialize)]
struct Shown {
    /// Whether a daemon has the store.
    running: bool,
    /// How old the daemon's report is, in milliseconds.
    age: Option<u64>,
    /// What the daemon told last, be it the one that runs or one that ran.
    daemon: Option<StatusReport>,
    /// What the store holds, if no daemon has it.
    store: Option<StoreReport>,
    /// What ended the operator and keeps it from starting, if no daemon has the store.
    halt: Option<HaltReport>,
    /// What the block key has signed.
    guard: Option<GuardReport>,
    /// What the older protocol has signed last, if it ran and no daemon has the store.
    classic: Option<TurnState>,
    /// The evidence.
    evidence: Vec<EvidenceReport>,
}

/// What keeps an operator from starting until a person clears it.
#[derive(Debug, Serialize)]
struct HaltReport {
    /// `twin`, `old-store` or `two-decisions`.
    reason: &'static str,
    /// The same in words.
    text: String,
    /// The height that it was about.
    height: u32,
    /// When, in milliseconds since 1970.
    at: u64,
    /// What to do.
    help: &'static str,
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
struct StoreReport {
    /// The highest height that it knows to be final.
    #[serde(rename = "final")]
    highest_final: Option<u32>,
    /// Whether it will only watch.
    observing: bool,
    /// The height that it worked on last, and the round.
    height: Option<u32>,
    round: Option<u32>,
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

impl Shown {
    fn of(place: &Place) -> Result<Self, CliError> {
        let folder = &place.config.store;
        let daemon = read_status(folder).map_err(|error| status_error(&error))?;
        let now = SystemClock.now();
        let age = daemon
            .as_ref()
            .map(|report| now.since(UnixTime::from_millis(report.written)));
        let age = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        match open(place)? {
            Found::InUse => Ok(Self {
                running: true,
                age,
                store: None,
                halt: None,
                guard: daemon.as_ref().and_then(|report| report.guard.clone()),
                classic: None,
                evidence: EvidenceReport::read(folder).map_err(|error| status_error(&error))?,
                daemon,
            }),
            Found::Missing => Ok(Self {
                running: false,
                age,
                daemon,
                store: None,
                halt: None,
                guard: guard(place)?,
                classic: classic(place)?,
                evidence: Vec::new(),
            }),
            Found::Free(store) => {
                let records = store.records().map_err(|error| store_error(&error))?;
                let evidence = store.evidence().map_err(|error| store_error(&error))?;
                let halt = store.halt().map_err(|error| store_error(&error))?;
                Ok(Self {
                    running: false,
                    age,
                    daemon,
                    store: Some(StoreReport::new(&records)),
                    halt: halt.map(HaltReport::from),
                    guard: guard(place)?,
                    classic: classic(place)?,
                    evidence: evidence
                        .iter()
                        .map(|stored| EvidenceReport::new(stored, &place.config.federation))
                        .collect(),
                })
            }
        }
    }
}

/// The store, if it can be had.
enum Found {
    Free(Box<Store>),
    InUse,
    Missing,
}

fn open(place: &Place) -> Result<Found, CliError> {
    let folder: &Path = &place.config.store;
    if !Store::is_there(folder).map_err(|error| store_error(&error))? {
        return Ok(Found::Missing);
    }
    match Store::open(folder, place.config.federation.id(), place.config.me) {
        Ok(store) => Ok(Found::Free(Box::new(store))),
        Err(StoreError::InUse { .. }) => Ok(Found::InUse),
        Err(error) => Err(store_error(&error)),
    }
}

fn guard(place: &Place) -> Result<Option<GuardReport>, CliError> {
    match place.open_existing().and_then(|store| store.held()) {
        Ok(held) => Ok(Some(GuardReport::new(held.standing, &held.state))),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(store_error(&error)),
    }
}

/// What the older protocol remembers, if it has run.
fn classic(place: &Place) -> Result<Option<TurnState>, CliError> {
    let folder = &place.config.store;
    if !folder.join("classic.guard").exists() {
        return Ok(None);
    }
    let me = usize::from(place.config.me.to_u8());
    GuardFile::open(folder, place.pin.genesis, me)
        .map(|file| Some(file.state()))
        .map_err(|error| CliError::failure(&error, cures::of_classic_guard(&error)))
}

fn store_error(error: &StoreError) -> CliError {
    CliError::failure(with_causes(error), cures::of_store(error))
}

fn status_error(error: &StatusError) -> CliError {
    CliError::failure(error, "check the folder's owner and mode")
}
