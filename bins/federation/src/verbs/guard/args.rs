//! The arguments of `federation guard`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use federation_chain::BlockHash;

use crate::args::OperatorArgs;

/// Shows, moves and repairs the record of what the block key has signed, and clears halts.
///
/// The sign guard lets the block key sign one block per height, and none at or below a watermark. Its
/// record is in the store; these verbs export it as a signed file, import it on another machine, and
/// replace it if it was lost. A record only ever moves forward.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// The verb.
    #[command(subcommand)]
    pub(crate) command: GuardCommand,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    /// Show what the block key has signed, and whether it may sign on this machine.
    Show {
        /// The operator.
        #[command(flatten)]
        operator: OperatorArgs,
        /// Verify and show a file of `guard export` instead.
        #[arg(long)]
        file: Option<PathBuf>,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the record to a signed file. From then on the key signs only on another machine.
    ///
    /// First the guard on this machine is permanently marked as moved away: `federation run` refuses to
    /// start with it. The file is for one import on one other machine: destroy it afterwards. The daemon
    /// must be stopped.
    Export {
        /// The operator.
        #[command(flatten)]
        operator: OperatorArgs,
        /// The file to write; it must not exist yet.
        #[arg(long)]
        out: PathBuf,
        /// Write a backup instead, and keep signing on this machine. A key never signs with a backup alone:
        /// after importing it, the guard must be repaired first.
        #[arg(long)]
        copy: bool,
    },
    /// Import the record from a file of `guard export`.
    ///
    /// Refuses a file of another federation, chain or key, one that was modified, and one that is older
    /// than the guard on this machine or contradicts it. After a transfer the operator starts as an
    /// observer, because its votes remained on the other machine.
    Import {
        /// The operator.
        #[command(flatten)]
        operator: OperatorArgs,
        /// The file to import.
        file: PathBuf,
        /// Take back a transfer exported on this machine; confirms that the file was imported nowhere else.
        #[arg(long)]
        take_back: bool,
        /// Do not check the node's chain for blocks that the key has signed after the file was written.
        #[arg(long)]
        without_node: bool,
    },
    /// Create a new record in place of one that was lost or damaged.
    ///
    /// Determines the highest height that the key may have signed, and sets the watermark to that height
    /// plus a margin. The operator starts as an observer. Prints what it would do, and does it only with
    /// the flags that it names. The daemon must be stopped, and the node must be running.
    Repair {
        /// The operator.
        #[command(flatten)]
        operator: OperatorArgs,
        /// The number of heights above the highest known one that will not be signed either.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        margin: u32,
        /// A height that other operators have reached (the `height` in their `federation status`). Required
        /// if the node may be behind: it lacks blocks, is in its initial download, or has an old tip.
        #[arg(long)]
        at_least: Option<u32>,
        /// Trust operator.redb: confirms that it is complete, being the newest and not a copy. No margin is
        /// needed then, and the operator continues where it stopped.
        #[arg(long)]
        trust_store: bool,
        /// The hash of the last block, if too many operators lost their stores for the rest to settle a
        /// block, or if all must sign. ALL operators must agree on it: each has stopped, each has checked its
        /// node and its backups, and none of them knows a block above it. The operator then participates from
        /// the next height on. If M had already signed another block at that height, and it turns up later,
        /// the chain has forked.
        #[arg(long, value_name = "HASH", conflicts_with_all = ["margin", "at_least", "trust_store"])]
        agreed_tip: Option<BlockHash>,
        /// Move databases that cannot be read, or belong to another operator, into a folder next to them.
        #[arg(long)]
        set_aside: bool,
        /// Create a store for a new roster, which all operators switch to at the same time. The guard is
        /// kept, and nobody observes. A roster that was in force before needs a new `epoch` in
        /// federation.toml.
        #[arg(long, conflicts_with_all = ["margin", "at_least", "trust_store", "agreed_tip", "set_aside"])]
        new_roster: bool,
        /// Confirm that no other daemon uses this key, on any machine, and that none will be started.
        #[arg(long)]
        no_other_daemon: bool,
    },
    /// Clear a halt, once its cause is resolved, so that the operator may start again.
    ///
    /// The operator halts if another daemon sends messages in its name, if it receives a block that its
    /// key has signed but its guard does not know, or if two blocks are decided at one height. It then
    /// exits with code 78 and refuses to start. Without its flag this verb prints what happened and what
    /// to do. The store records who cleared the halt and when, and the next start logs it.
    Resume {
        /// The operator.
        #[command(flatten)]
        operator: OperatorArgs,
        /// Confirm that no other daemon uses this key, on any machine, and that none will be started.
        #[arg(long)]
        no_other_daemon: bool,
    },
}
