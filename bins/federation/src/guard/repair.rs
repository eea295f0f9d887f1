//! `federation guard repair`: a new record in the place of one that was lost.
//!
//! A key signs at one height only: the one above its node's tip. So it has signed nothing above the
//! highest block that anybody knows of, and one. From what is left, the node's chain, both databases
//! and what a person says, comes the highest height that is known; a margin above it is not signed
//! either, in case the node is a little behind; of a node that is further behind, or may be, a person
//! says how far the others are. The machine keeps still up to the watermark, as the guard does. With a store of the operator that is whole and the newest,
//! no guess is needed: whatever was signed had been decided, and each decision is in it.

use std::{path::Path, process::ExitCode};

use federation_block_signing::{Record, Standing};
use federation_chain::{BlockHash, BlockHeight};
use federation_cli::{CliError, out};
use federation_operator::{Halt, HaltReason, HeldGuardStore, Store, StoreError};
use federation_signer::{GuardStanding, HeldGuard, ImportError};

use super::{
    Place,
    history::{self, Seen},
    import_error, lock_key, resume,
    show::now,
    store_error,
};
use crate::runtime;

/// How folders begin into which databases are set aside.
pub(super) const ASIDE: &str = "set-aside-";

/// What was asked for.
pub(super) struct Wish {
    pub(super) margin: u32,
    pub(super) at_least: Option<u32>,
    pub(super) trust_store: bool,
    /// The block that all operators agree to be the last one.
    pub(super) agreed_tip: Option<BlockHash>,
    pub(super) set_aside: bool,
    pub(super) no_other_daemon: bool,
}

/// What is left of a database.
enum Left<T> {
    Whole(T),
    None,
    /// It cannot be used, and why.
    Useless(StoreError),
}

impl<T> Left<T> {
    /// Sorts the errors that a repair is for from those that it does not help against.
    fn new(
        is_there: Result<bool, StoreError>,
        open: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Self, CliError> {
        // One that cannot be looked for is not lost.
        if !is_there.map_err(|error| store_error(&error))? {
            return Ok(Self::None);
        }
        match open() {
            Ok(whole) => Ok(Self::Whole(whole)),
            Err(
                error @ (StoreError::Damaged { .. }
                | StoreError::Altered { .. }
                | StoreError::Foreign { .. }),
            ) => Ok(Self::Useless(error)),
            Err(other) => Err(store_error(&other)),
        }
    }
}

/// What is left of an operator's store.
struct Remains {
    guard: Left<(HeldGuardStore, HeldGuard)>,
    store: Left<(Store, Vec<Record>)>,
}

/// What will be done.
struct Plan {
    held: HeldGuard,
    watermark: BlockHeight,
    /// How the watermark came about, in words.
    because: Vec<String>,
}

/// Says what is to be done, and does it if all flags are there.
pub(super) fn run(place: &Place, wish: &Wish) -> Result<ExitCode, CliError> {
    let _key = lock_key(&place.pin.block_key)?;
    let remains = Remains::find(place)?;
    let old_store = remains.old_store()?;
    if let Left::Whole((_, held)) = &remains.guard {
        match held.standing {
            GuardStanding::MovedAway => {
                return Err(import_error(&ImportError::MovedAway(held.number)));
            }
            GuardStanding::Active
                if !held.is_empty()
                    && wish.at_least.is_none()
                    && old_store.is_none()
                    && !(wish.agreed_tip.is_some() && remains.observes())
                    && matches!(remains.store, Left::Whole(_)) =>
            {
                out::line(
                    "nothing to repair: guard and store are there, whole, and this operator's",
                )?;
                return Ok(ExitCode::SUCCESS);
            }
            GuardStanding::Active | GuardStanding::Unproven => {}
        }
    }
    if place.needs_all() && !wish.trust_store && wish.agreed_tip.is_none() {
        return Err(CliError::failure(
            "every operator of this federation must sign each block: a watermark above the tip would \
             stop the chain for good",
            "restore operator.redb, the newest, and give --trust-store; if that is lost, agree with all \
             operators on the last block and give --agreed-tip",
        ));
    }
    let plan = remains.plan(place, wish)?;
    for line in &plan.because {
        out::line(line)?;
    }
    out::line(&format!(
        "watermark: {}, nothing at or below will be signed",
        plan.watermark
    ))?;
    let mut missing = Vec::new();
    if remains.has_useless() && !wish.set_aside {
        missing.push("--set-aside");
    }
    if !wish.no_other_daemon {
        missing.push("--no-other-daemon");
    }
    if !missing.is_empty() {
        return Err(ask_again("repair", &missing));
    }
    remains.execute(place, wish, &plan)?;
    Ok(ExitCode::SUCCESS)
}

impl Remains {
    /// The halt that says that the store is older than what the key has signed.
    fn old_store(&self) -> Result<Option<Halt>, CliError> {
        let Left::Whole((store, _)) = &self.store else {
            return Ok(None);
        };
        let halt = store.halt().map_err(|error| store_error(&error))?;
        Ok(halt.filter(|halt| halt.reason == HaltReason::OldStore))
    }

    fn find(place: &Place) -> Result<Self, CliError> {
        let folder = &place.config.store;
        let guard = Left::new(HeldGuardStore::is_there(folder), || {
            let store = place.open()?;
            let held = store.held()?;
            Ok((store, held))
        })?;
        let store = Left::new(Store::is_there(folder), || {
            let federation = place.config.federation.id();
            let store = Store::open(folder, federation, place.config.me)?;
            let records = store.records()?;
            Ok((store, records))
        })?;
        Ok(Self { guard, store })
    }

    const fn has_useless(&self) -> bool {
        matches!(self.guard, Left::Useless(_)) || matches!(self.store, Left::Useless(_))
    }

    /// Whether the operator waits to see others settle a block without it.
    fn observes(&self) -> bool {
        self.records().iter().any(Record::is_of_an_observer)
    }

    fn records(&self) -> &[Record] {
        match &self.store {
            Left::Whole((_, records)) => records,
            _ => &[],
        }
    }

    fn held(&self) -> HeldGuard {
        match &self.guard {
            Left::Whole((_, held)) => held.clone(),
            _ => HeldGuard::default(),
        }
    }

    fn plan(&self, place: &Place, wish: &Wish) -> Result<Plan, CliError> {
        let node = place.node()?;
        let seen = runtime::current_thread()?
            .block_on(history::look(place, &node))
            .map_err(|error| {
                CliError::failure(error, "start the node, let it catch up, and ask again")
            })?;
        place.check_agreed(Some(seen.tip))?;
        match wish.agreed_tip {
            Some(agreed) => seen.check_is_last(agreed)?,
            None => history::check_height(place, wish, &seen)?,
        }
        let mut because = vec![
            match &self.guard {
                Left::Whole((_, held)) if held.is_empty() => "guard.redb: empty".to_owned(),
                Left::Whole((_, held)) => format!("guard.redb: {}", held.standing.as_str()),
                Left::None => "guard.redb: not there".to_owned(),
                Left::Useless(error) => format!("guard.redb: {error}"),
            },
            match &self.store {
                Left::Whole((_, records)) if records.is_empty() => {
                    "operator.redb: empty".to_owned()
                }
                Left::Whole(_) => "operator.redb: whole".to_owned(),
                Left::None => "operator.redb: not there".to_owned(),
                Left::Useless(error) => format!("operator.redb: {error}"),
            },
            format!(
                "the node: tip {}, headers up to {}, {} peers{}",
                seen.tip,
                seen.headers,
                seen.peers,
                if seen.peers == 0 {
                    "; without peers its tip may be old: ask another operator for the height, and \
                     give --at-least"
                } else {
                    ""
                }
            ),
        ];
        let mut held = self.held();
        let store_knows = self.records().iter().filter_map(height_of).max();
        because.extend(store_knows.map(|height| format!("operator.redb knows of height {height}")));
        let guard_knows = held.state.top();
        because.extend(guard_knows.map(|height| format!("guard.redb knows of height {height}")));
        let watermark = if wish.agreed_tip.is_some() {
            because.push(format!(
                "all operators agree that block {} at height {} is the last one",
                seen.hash, seen.tip
            ));
            seen.tip
        } else if wish.trust_store {
            self.trusted(place, &node, &seen, &mut held)?
        } else {
            let known = [
                store_knows,
                guard_knows,
                wish.at_least.map(BlockHeight::new),
                self.old_store()?.map(|halt| halt.height),
            ]
            .into_iter()
            .flatten()
            .fold(seen.tip.max(seen.headers), BlockHeight::max);
            because.push(format!(
                "the highest height that is known is {known}, the margin {}",
                wish.margin
            ));
            BlockHeight::new(known.to_u32().saturating_add(wish.margin))
        };
        let held = held
            .repaired(watermark)
            .map_err(|error| import_error(&error))?;
        Ok(Plan {
            held,
            watermark,
            because,
        })
    }

    /// The watermark that a complete store of the operator gives, without a margin; what the store
    /// knows to be decided goes on record.
    fn trusted(
        &self,
        place: &Place,
        node: &federation_ocean_rpc::NodeClient,
        seen: &Seen,
        held: &mut HeldGuard,
    ) -> Result<BlockHeight, CliError> {
        let wrong = |what: String| {
            CliError::failure(
                what,
                "leave --trust-store away: `federation help a-store-is-lost`",
            )
        };
        let records = self.records();
        if records.is_empty() {
            return Err(wrong("operator.redb is not there, or empty".to_owned()));
        }
        let mut highest_final = BlockHeight::GENESIS;
        for record in records {
            let (height, hash) = match record {
                Record::Final(height) => {
                    highest_final = highest_final.max(*height);
                    continue;
                }
                Record::Decision(decision) => (decision.height, decision.hash),
                Record::Signature(signature) => (signature.height, signature.hash),
                Record::Standing(Standing::Observing { .. }) => {
                    return Err(wrong(
                        "operator.redb is of an observer, which does not know what was signed before"
                            .to_owned(),
                    ));
                }
                _ => continue,
            };
            if Some(height) <= held.state.highest_final() {
                continue;
            }
            held.state.record(height, hash).map_err(|signed| {
                wrong(format!(
                    "operator.redb says that block {hash} was decided at height {height}, guard.redb \
                     that {signed} was signed"
                ))
            })?;
        }
        let knows = records.iter().filter_map(height_of).max();
        let newer = runtime::current_thread()?
            .block_on(history::signed_above(place, node, seen, knows))
            .map_err(|error| CliError::failure(error, "start the node and ask again"))?;
        match newer {
            Some(height) => Err(wrong(format!(
                "the block at height {height} has a signature by this key, of which operator.redb \
                 knows nothing: it is not the newest"
            ))),
            None => Ok(highest_final.max(seen.tip)),
        }
    }

    fn execute(self, place: &Place, wish: &Wish, plan: &Plan) -> Result<(), CliError> {
        let folder = &place.config.store;
        let aside = folder.join(format!("{ASIDE}{}", now().as_secs()));
        let (guard_useless, store_useless) = (
            matches!(self.guard, Left::Useless(_)),
            matches!(self.store, Left::Useless(_)),
        );
        if store_useless {
            set_aside(&Store::path(folder), &aside)?;
        }
        if !wish.trust_store {
            // Before the guard: a crash in between leaves an observer whose guard is still broken.
            let store = match self.store {
                Left::Whole((store, _)) => store,
                Left::None | Left::Useless(_) => {
                    let federation = place.config.federation.id();
                    Store::open(folder, federation, place.config.me)
                        .map_err(|error| store_error(&error))?
                }
            };
            // Where no more can be found out by observing, because all would only observe, a person
            // has said what is known.
            let standing = if wish.agreed_tip.is_some() {
                Standing::TakingPart
            } else {
                Standing::Observing { since: None }
            };
            // The machine keeps still up to the watermark as well: it counts as final.
            store
                .write(
                    &[Record::Standing(standing), Record::Final(plan.watermark)],
                    None,
                )
                .map_err(|error| store_error(&error))?;
            resume::after_repair(&store)?;
        } else if let Left::Whole((store, _)) = &self.store {
            resume::after_repair(store)?;
        }
        if guard_useless {
            set_aside(&HeldGuardStore::path(folder), &aside)?;
        }
        let guard = match self.guard {
            Left::Whole((guard, _)) => guard,
            // An empty one, should the power go now, is refused at the next start as a lost one.
            Left::None | Left::Useless(_) => place.open().map_err(|error| store_error(&error))?,
        };
        guard
            .replace(&plan.held)
            .map_err(|error| store_error(&error))?;
        if guard_useless || store_useless {
            out::line(&format!("what could not be used is in {}", aside.display()))?;
        }
        out::line(&format!(
            "repaired: the key signs, and the operator votes, from height {} on",
            plan.watermark.next()
        ))?;
        if !wish.trust_store && wish.agreed_tip.is_none() {
            out::line(
                "`federation run` begins as an observer, and takes part from the height after the \
                 first that it sees settled without it.",
            )?;
        }
        Ok(())
    }
}

/// The error for a missing flag that confirms something.
pub(super) fn ask_again(verb: &str, missing: &[&str]) -> CliError {
    CliError::failure(
        "nothing was changed",
        format!(
            "if this is right, ask again with {}; `federation guard {verb} --help` says what that \
             means",
            missing.join(" ")
        ),
    )
}

/// The height that a record proves to be known, or worked on.
fn height_of(record: &Record) -> Option<BlockHeight> {
    match record {
        Record::Final(height) => Some(*height),
        other => other.height(),
    }
}

/// Moves a database that cannot be used out of the way. Nothing is ever deleted.
pub(super) fn set_aside(path: &Path, aside: &Path) -> Result<(), CliError> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    std::fs::create_dir_all(aside)
        .and_then(|()| std::fs::rename(path, aside.join(name)))
        .and_then(|()| federation_files::sync_folder(aside))
        .map_err(|error| {
            CliError::failure(
                format!("cannot move {} away: {error}", path.display()),
                "check the folder's owner and mode",
            )
        })
}
