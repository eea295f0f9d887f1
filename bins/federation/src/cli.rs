//! The command line: verbs, arguments and their help.

use clap::{Parser, Subcommand};

use crate::{
    args::KafkaClientArgs,
    verbs::{
        bench::BenchArgs, config::ConfigArgs, demo::DemoArgs, devnet::DevnetArgs, guard::GuardArgs,
        init::InitArgs, issue::IssueArgs, preflight::PreflightArgs, rehearse::RehearseArgs,
        reissuance::ReissuanceArgs, run::RunArgs, status::StatusArgs,
    },
};

/// Produces the blocks of a federated sidechain together with the other operators.
///
/// A block of such a chain is valid once M of its N known operators have signed it. Each operator runs
/// a sidechain node (Elements or Ocean) and, next to it, this program. The operators first agree on a
/// block and only then sign it, so one block is final.
#[derive(Debug, Parser)]
#[command(
    name = "federation",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = FIRST_STEPS
)]
pub(crate) struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The arguments that every verb has.
    #[command(flatten)]
    _global: federation_cli::GlobalArgs,
}

const FIRST_STEPS: &str = "\
First steps:
  federation demo                          run five operators and their chain on this machine
  federation init --out fed --operators 3  write the files of a federation of three
  federation devnet fed/operator-*/operator.toml    run a node for each of them
  federation run --config fed/operator-0/operator.toml
  federation help when-it-does-not-start   show a chapter; `federation help` lists all

Exit codes: 0 success, or stopped on request; 1 failure (the last lines say why, and what to do);
2 wrong usage; 78 a failure that a restart cannot fix (RestartPreventExitStatus=78); 128 plus the
signal's number (130, 143) if a signal interrupted a verb before it had a result.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one operator with its node.
    Run(Box<RunArgs>),
    /// Demonstrate a whole federation on this machine: blocks, a crash, a recovery.
    Demo(DemoArgs),
    /// Run embedded nodes: those of operators, or one for a new chain.
    Devnet(DevnetArgs),
    /// Measure a whole federation on this machine and report percentiles.
    Bench(BenchArgs),
    /// Write a runnable set of configuration files and keys for N operators on one machine.
    Init(InitArgs),
    /// Check configuration files.
    Config(ConfigArgs),
    /// Build and sign a trial block 1 in this process, from the certificate's data and with your key.
    Rehearse(Box<RehearseArgs>),
    /// Check the node, messenger, clock, store and keys before the operator runs.
    Preflight(Box<PreflightArgs>),
    /// Show what an operator is doing, and the evidence that it holds.
    Status(StatusArgs),
    /// Show, move and repair the record of what the block key has signed.
    Guard(GuardArgs),
    /// Issue an asset whose reissuance tokens belong to the federation.
    Issue(Box<IssueArgs>),
    /// Show which reissuances are due and why, and audit the chain for past ones.
    Reissuance(ReissuanceArgs),
    /// Run the Kafka client for another process of this program.
    #[command(hide = true)]
    KafkaClient(KafkaClientArgs),
    /// Show the help of a verb, or a chapter of the documentation.
    Help(federation_cli::HelpArgs),
    /// Print a shell completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder, created if missing.
        #[arg(long, default_value = ".")]
        out: std::path::PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Calls `see` for each verb without verbs below it.
    fn each_verb(command: &clap::Command, see: &mut dyn FnMut(&clap::Command)) {
        if !command.has_subcommands() {
            see(command);
        }
        for verb in command.get_subcommands() {
            each_verb(verb, see);
        }
    }

    #[test]
    fn a_verbs_options_come_first_then_settings_then_global_options() {
        let mut command = Cli::command();
        command.build();
        let mut settings = std::collections::BTreeSet::new();
        each_verb(&command, &mut |verb| {
            let heading = |arg: &clap::Arg| arg.get_help_heading().map(str::to_owned);
            let under: Vec<_> = verb
                .get_arguments()
                .filter(|arg| heading(arg).as_deref() == Some("Settings of operator.toml"))
                .map(|arg| arg.get_id().to_string())
                .collect();
            if !under.is_empty() {
                settings.insert(under);
            }
            let shown = verb.clone().render_help().to_string();
            let last = shown.rfind("Global options:").expect("a heading");
            for other in ["\nOptions:", "Settings of operator.toml:"] {
                assert!(shown.rfind(other).is_none_or(|at| at < last), "{shown}");
            }
        });
        // Otherwise some verb has an option of its own under the settings' heading.
        assert_eq!(settings.len(), 1, "{settings:?}");
    }
}
