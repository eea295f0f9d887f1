//! The arguments of `federation guard`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use federation_chain::BlockHash;

use super::run::SettingsArgs;

/// Shows, moves and repairs the record of what the block key has signed, and clears halts.
///
/// The sign guard lets the block key sign one block at each height, and none at or below a
/// watermark. Its record is in the store; these verbs take it out as a signed file, bring it to
/// another machine, and replace it when it was lost. A record only ever moves forward.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: GuardCommand,
}

/// Which operator's guard.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The operator's private file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Settings that replace those of the file.
    #[command(flatten)]
    pub(crate) settings: Box<SettingsArgs>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    /// Show what the block key has signed, and whether it may sign here.
    Show {
        /// The operator.
        #[command(flatten)]
        place: PlaceArgs,
        /// Show a file of `guard export` instead, after checking it.
        #[arg(long)]
        file: Option<PathBuf>,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the record into a signed file. The key then signs on another machine only.
    ///
    /// The guard here is marked as moved away first, for good, and `federation run` refuses to
    /// start with it. The file is for one other machine, once: destroy it when it was imported.
    /// The daemon must be stopped.
    Export {
        /// The operator.
        #[command(flatten)]
        place: PlaceArgs,
        /// The file to write; it must not be there.
        #[arg(long)]
        out: PathBuf,
        /// Write a backup instead, and go on signing here. Such a file never lets a key sign: who
        /// imports it must repair the guard before.
        #[arg(long)]
        copy: bool,
    },
    /// Take over the record in a file of `guard export`.
    ///
    /// Refuses the file of another federation, chain or key, one that was changed, one that is
    /// older than what is known here, and one that contradicts it. After a transfer the operator
    /// begins as an observer, because its votes were left behind.
    Import {
        /// The operator.
        #[command(flatten)]
        place: PlaceArgs,
        /// The file.
        file: PathBuf,
        /// Take back what was exported here: the file was imported nowhere else.
        #[arg(long)]
        take_back: bool,
        /// Do not ask the node whether the key has signed more than the file says.
        #[arg(long)]
        without_node: bool,
    },
    /// Begin a new record in the place of one that was lost or damaged.
    ///
    /// Finds out up to which height the key may have signed, and sets the watermark that much and a
    /// margin above it. The operator begins as an observer. Says what it would do, and does it only
    /// with the flags that it names. The daemon must be stopped, the node must run.
    Repair {
        /// The operator.
        #[command(flatten)]
        place: PlaceArgs,
        /// How many heights above the highest that is known are not signed either.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        margin: u32,
        /// A height that others know of (the `height` of their `federation status`). Needed where the
        /// node may be behind: it lacks blocks, is in its initial download, or has an old tip.
        #[arg(long)]
        at_least: Option<u32>,
        /// What operator.redb says is complete: it is the newest, and no copy. Then no margin is
        /// needed, and the operator goes on where it was.
        #[arg(long)]
        trust_store: bool,
        /// More operators lost their stores than may be absent, or all must sign: nobody is left to
        /// observe. The hash of the last block, on which ALL operators agree: each has stopped, each
        /// has looked at its node and its backups, and no one knows of a block above it. The operator
        /// takes part at once in the height above. If a block there was signed by M and comes up
        /// later, the chain has forked.
        #[arg(long, value_name = "HASH", conflicts_with_all = ["margin", "at_least", "trust_store"])]
        agreed_tip: Option<BlockHash>,
        /// Move databases that cannot be read, or are of another operator, into a folder beside.
        #[arg(long)]
        set_aside: bool,
        /// The federation has changed its roster, at the same time everywhere: begin a store of the
        /// new one. The guard stays as it is, and nobody observes. A roster that was in force before
        /// needs another `epoch` in federation.toml.
        #[arg(long, conflicts_with_all = ["margin", "at_least", "trust_store", "agreed_tip", "set_aside"])]
        new_roster: bool,
        /// No other daemon has this key, on no machine, and none will be started.
        #[arg(long)]
        no_other_daemon: bool,
    },
    /// Clear a halt: what ended the operator is settled, and it may start again.
    ///
    /// After another daemon spoke for this operator, a block came in that its key has signed and its
    /// guard does not know of, or two blocks were decided at one height, the operator ends with exit
    /// code 78 and does not start again, whoever starts it. Without its flag the verb says what
    /// happened and what to do. Who cleared it and when is kept in the store, and in the log of the
    /// next start.
    Resume {
        /// The operator.
        #[command(flatten)]
        place: PlaceArgs,
        /// No other daemon has this key, on no machine, and none will be started.
        #[arg(long)]
        no_other_daemon: bool,
    },
}
