//! `federation guard repair`: creates a new record in place of one that was lost.
//!
//! A key signs only at the height above its node's tip, so it has signed nothing beyond the height after
//! the highest block that anyone knows. The highest known height is determined from what is left, the
//! node's chain, and what the user states. The watermark is set a margin above it, in case the node is
//! slightly behind; if the node is or may be further behind, the user states how far the others are. Up
//! to the watermark the machine does not vote and the guard does not sign. If the operator's store is
//! intact and the newest, no margin is needed: everything signed was decided before, and every decision
//! is in the store.

use std::{path::Path, process::ExitCode};

use federation_block_signing::{Record, Standing};
use federation_chain::{BlockHash, BlockHeight};
use federation_cli::{CliError, OrHelp, out};
use federation_operator::{GuardDatabase, Halt, HaltReason, Store, StoreError};
use federation_signer::{GuardSnapshot, GuardStanding, ImportError};

use super::{
    OperatorFiles,
    history::{self, NodeView},
    import_help, lock_key, resume,
    show::now,
    store_error, store_help,
};
use crate::runtime;

/// The prefix of folders into which databases are set aside.
pub(super) const ASIDE: &str = "set-aside-";

/// The options of a repair.
pub(super) struct RepairOptions {
    pub(super) margin: u32,
    pub(super) at_least: Option<u32>,
    pub(super) trust_store: bool,
    /// The last block, as agreed by all operators.
    pub(super) agreed_tip: Option<BlockHash>,
    pub(super) set_aside: bool,
    pub(super) no_other_daemon: bool,
}

/// The state in which a database was found.
enum Database<T> {
    Intact(T),
    Missing,
    /// It cannot be used, for this reason.
    Unusable(StoreError),
}

impl<T> Database<T> {
    /// Opens a database; fails with an error that a repair does not fix.
    fn new(
        is_there: Result<bool, StoreError>,
        open: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Self, CliError> {
        // Failing to look for it does not mean that it is lost.
        if !is_there.or_help_for(store_help)? {
            return Ok(Self::Missing);
        }
        match open() {
            Ok(database) => Ok(Self::Intact(database)),
            Err(
                error @ (StoreError::Damaged { .. }
                | StoreError::Altered { .. }
                | StoreError::Foreign { .. }),
            ) => Ok(Self::Unusable(error)),
            Err(other) => Err(store_error(&other)),
        }
    }
}

/// The state in which an operator's databases were found.
struct FoundState {
    guard: Database<(GuardDatabase, GuardSnapshot)>,
    store: Database<(Store, Vec<Record>)>,
}

/// What the repair will do.
struct Plan {
    held: GuardSnapshot,
    watermark: BlockHeight,
    /// How the watermark was determined, in words.
    reasons: Vec<String>,
}

/// Prints what the repair will do, and does it if all required flags are given.
pub(super) fn run(files: &OperatorFiles, options: &RepairOptions) -> Result<ExitCode, CliError> {
    let _key = lock_key(&files.pin.block_key)?;
    let found = FoundState::find(files)?;
    let old_store = found.old_store()?;
    if let Database::Intact((_, held)) = &found.guard {
        match held.standing {
            GuardStanding::MovedAway => {
                return Err(ImportError::MovedAway(held.number)).or_help_for(import_help);
            }
            GuardStanding::Active
                if !held.is_empty()
                    && options.at_least.is_none()
                    && old_store.is_none()
                    && !(options.agreed_tip.is_some() && found.observes())
                    && matches!(found.store, Database::Intact(_)) =>
            {
                out::line(
                    "nothing to repair: guard and store exist, are intact, and belong to this operator",
                )?;
                return Ok(ExitCode::SUCCESS);
            }
            GuardStanding::Active | GuardStanding::Unproven => {}
        }
    }
    if files.needs_all() && !options.trust_store && options.agreed_tip.is_none() {
        return Err(CliError::failure(
            "every operator of this federation must sign each block: a watermark above the tip would \
             stop the chain permanently",
            "restore the newest operator.redb and use --trust-store; if it is lost, agree with all \
             operators on the last block and use --agreed-tip",
        ));
    }
    let plan = found.plan(files, options)?;
    for line in &plan.reasons {
        out::line(line)?;
    }
    out::line(&format!(
        "watermark: {}; nothing at or below it will be signed",
        plan.watermark
    ))?;
    let mut missing = Vec::new();
    if found.has_unusable() && !options.set_aside {
        missing.push("--set-aside");
    }
    if !options.no_other_daemon {
        missing.push("--no-other-daemon");
    }
    if !missing.is_empty() {
        return Err(confirmation_missing("repair", &missing));
    }
    found.execute(files, options, &plan)?;
    Ok(ExitCode::SUCCESS)
}

impl FoundState {
    /// Returns the halt for a store that is older than what the key has signed, if there is one.
    fn old_store(&self) -> Result<Option<Halt>, CliError> {
        let Database::Intact((store, _)) = &self.store else {
            return Ok(None);
        };
        let halt = store.halt().or_help_for(store_help)?;
        Ok(halt.filter(|halt| halt.reason == HaltReason::OldStore))
    }

    fn find(files: &OperatorFiles) -> Result<Self, CliError> {
        let folder = &files.config.store;
        let guard = Database::new(GuardDatabase::is_there(folder), || {
            let store = files.open()?;
            let held = store.held()?;
            Ok((store, held))
        })?;
        let store = Database::new(Store::is_there(folder), || {
            let federation = files.config.federation.id();
            let store = Store::open(folder, federation, files.config.me)?;
            let records = store.records()?;
            Ok((store, records))
        })?;
        Ok(Self { guard, store })
    }

    const fn has_unusable(&self) -> bool {
        matches!(self.guard, Database::Unusable(_)) || matches!(self.store, Database::Unusable(_))
    }

    /// Whether the operator is an observer.
    fn observes(&self) -> bool {
        self.records().iter().any(Record::is_observing)
    }

    fn records(&self) -> &[Record] {
        match &self.store {
            Database::Intact((_, records)) => records,
            _ => &[],
        }
    }

    fn held(&self) -> GuardSnapshot {
        match &self.guard {
            Database::Intact((_, held)) => held.clone(),
            _ => GuardSnapshot::default(),
        }
    }

    fn plan(&self, files: &OperatorFiles, options: &RepairOptions) -> Result<Plan, CliError> {
        let node = files.node()?;
        let view = runtime::current_thread()?
            .block_on(history::node_view(files, &node))
            .or_help("start the node, let it catch up, then try again")?;
        files.check_agreed(Some(view.tip))?;
        match options.agreed_tip {
            Some(agreed) => view.check_is_last(agreed)?,
            None => history::check_height(files, options, &view)?,
        }
        let mut reasons = vec![
            match &self.guard {
                Database::Intact((_, held)) if held.is_empty() => "guard.redb: empty".to_owned(),
                Database::Intact((_, held)) => format!("guard.redb: {}", held.standing.as_str()),
                Database::Missing => "guard.redb: missing".to_owned(),
                Database::Unusable(error) => format!("guard.redb: {error}"),
            },
            match &self.store {
                Database::Intact((_, records)) if records.is_empty() => {
                    "operator.redb: empty".to_owned()
                }
                Database::Intact(_) => "operator.redb: intact".to_owned(),
                Database::Missing => "operator.redb: missing".to_owned(),
                Database::Unusable(error) => format!("operator.redb: {error}"),
            },
            format!(
                "the node: tip {}, headers up to {}, {} peers{}",
                view.tip,
                view.headers,
                view.peers,
                if view.peers == 0 {
                    "; without peers its tip may be old: ask another operator for the height, and pass \
                     it with --at-least"
                } else {
                    ""
                }
            ),
        ];
        let mut held = self.held();
        let store_knows = self.records().iter().filter_map(height_of).max();
        reasons.extend(store_knows.map(|height| format!("operator.redb knows height {height}")));
        let guard_knows = held.state.top();
        reasons.extend(guard_knows.map(|height| format!("guard.redb knows height {height}")));
        let watermark = if options.agreed_tip.is_some() {
            reasons.push(format!(
                "all operators agree that block {} at height {} is the last one",
                view.hash, view.tip
            ));
            view.tip
        } else if options.trust_store {
            self.trusted(files, &node, &view, &mut held)?
        } else {
            let known = [
                store_knows,
                guard_knows,
                options.at_least.map(BlockHeight::new),
                self.old_store()?.map(|halt| halt.height),
            ]
            .into_iter()
            .flatten()
            .fold(view.tip.max(view.headers), BlockHeight::max);
            reasons.push(format!(
                "the highest known height is {known}, the margin {}",
                options.margin
            ));
            BlockHeight::new(known.to_u32().saturating_add(options.margin))
        };
        let held = held.repaired(watermark).or_help_for(import_help)?;
        Ok(Plan {
            held,
            watermark,
            reasons,
        })
    }

    /// Returns the watermark that follows from a complete store, without a margin, and records the
    /// store's decisions in the guard.
    fn trusted(
        &self,
        files: &OperatorFiles,
        node: &federation_ocean_rpc::NodeClient,
        view: &NodeView,
        held: &mut GuardSnapshot,
    ) -> Result<BlockHeight, CliError> {
        let wrong = |what: String| {
            CliError::failure(
                what,
                "repair without --trust-store: `federation help a-store-is-lost`",
            )
        };
        let records = self.records();
        if records.is_empty() {
            return Err(wrong("operator.redb is missing or empty".to_owned()));
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
                        "operator.redb belongs to an observer, which does not know what was signed before"
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
                    "operator.redb says that block {hash} was decided at height {height}, but guard.redb \
                     says that {signed} was signed"
                ))
            })?;
        }
        let knows = records.iter().filter_map(height_of).max();
        let newer = runtime::current_thread()?
            .block_on(history::signed_above(files, node, view, knows))
            .or_help("start the node, then try again")?;
        match newer {
            Some(height) => Err(wrong(format!(
                "the block at height {height} has a signature by this key that is not in operator.redb: \
                 it is not the newest"
            ))),
            None => Ok(highest_final.max(view.tip)),
        }
    }

    fn execute(
        self,
        files: &OperatorFiles,
        options: &RepairOptions,
        plan: &Plan,
    ) -> Result<(), CliError> {
        let folder = &files.config.store;
        let aside = folder.join(format!("{ASIDE}{}", now().as_secs()));
        let (guard_unusable, store_unusable) = (
            matches!(self.guard, Database::Unusable(_)),
            matches!(self.store, Database::Unusable(_)),
        );
        if store_unusable {
            set_aside(&Store::path(folder), &aside)?;
        }
        if !options.trust_store {
            // Before the guard: a crash in between leaves an observer without a usable guard.
            let store = match self.store {
                Database::Intact((store, _)) => store,
                Database::Missing | Database::Unusable(_) => {
                    let federation = files.config.federation.id();
                    Store::open(folder, federation, files.config.me).or_help_for(store_help)?
                }
            };
            // If all operators observed, none would ever see a final block; the agreed tip says instead
            // what is known.
            let standing = if options.agreed_tip.is_some() {
                Standing::Participating
            } else {
                Standing::Observing { since: None }
            };
            // The machine must not vote up to the watermark either, so that height counts as final.
            store
                .write(
                    &[Record::Standing(standing), Record::Final(plan.watermark)],
                    None,
                )
                .or_help_for(store_help)?;
            resume::after_repair(&store)?;
        } else if let Database::Intact((store, _)) = &self.store {
            resume::after_repair(store)?;
        }
        if guard_unusable {
            set_aside(&GuardDatabase::path(folder), &aside)?;
        }
        let guard = match self.guard {
            Database::Intact((guard, _)) => guard,
            // After a power cut here, the next start refuses the empty guard as a lost one.
            Database::Missing | Database::Unusable(_) => files.open().or_help_for(store_help)?,
        };
        guard.replace(&plan.held).or_help_for(store_help)?;
        if guard_unusable || store_unusable {
            out::line(&format!(
                "set aside in {}: what could not be used",
                aside.display()
            ))?;
        }
        out::line(&format!(
            "repaired: the operator votes and signs from height {} on",
            plan.watermark.next()
        ))?;
        if !options.trust_store && options.agreed_tip.is_none() {
            out::line(
                "`federation run` starts as an observer, and participates after the first height that \
                 becomes final without it.",
            )?;
        }
        Ok(())
    }
}

/// The error for a missing flag that confirms something.
pub(super) fn confirmation_missing(verb: &str, missing: &[&str]) -> CliError {
    CliError::failure(
        "nothing was changed",
        format!(
            "if this is right, repeat the command with {}; `federation guard {verb} --help` explains \
             what that means",
            missing.join(" ")
        ),
    )
}

/// Returns the height that a record shows to be known, or in progress.
fn height_of(record: &Record) -> Option<BlockHeight> {
    match record {
        Record::Final(height) => Some(*height),
        other => other.height(),
    }
}

/// Moves a database that cannot be used into the folder `aside`. Nothing is ever deleted.
pub(super) fn set_aside(path: &Path, aside: &Path) -> Result<(), CliError> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    std::fs::create_dir_all(aside)
        .and_then(|()| std::fs::rename(path, aside.join(name)))
        .and_then(|()| federation_files::sync_folder(aside))
        .or_help_in(
            format!("cannot move {} to {}", path.display(), aside.display()),
            "check the folder's owner and mode",
        )
}
