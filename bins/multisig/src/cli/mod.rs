//! The command line and its help.

mod address;
mod genesis;
mod inspect;
mod network;
mod new;
mod script;
mod wif;

pub(crate) use self::{
    address::AddressArgs,
    genesis::{
        ChainArgs, ComputeArgs, DiffArgs, GenesisArgs, GenesisCommand, NodeArg, SweepArgs,
        VerifyArgs,
    },
    inspect::InspectArgs,
    network::NetworkArg,
    new::NewArgs,
    script::{ScriptArgs, ScriptRole},
    wif::{SecretForm, WifArgs},
};
use clap::{Parser, Subcommand};

/// Makes and examines the keys, scripts and addresses of a federation.
///
/// A federated sidechain accepts a block when M of its N operators have signed it. The operators are
/// defined by a script of N public keys, `signblockscript`, in the configuration of every node.
#[derive(Debug, Parser)]
#[command(
    name = "multisig",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = FIRST_STEPS
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The options of every verb.
    #[command(flatten)]
    _global: federation_cli::GlobalArgs,
}

const FIRST_STEPS: &str = "\
First steps:
  multisig new -m 3 -n 5 --out keys        five keys, their script, the node's settings
  multisig inspect 5221...53ae             the content of a script, and what is wrong with it
  multisig genesis compute --node elements --conf elements.conf
                                           the chain that a configuration defines

No verb takes a secret as an argument, where others could see it: secrets come from files or standard
input.

Exit codes: 0 success, 1 failure (the last lines say what is wrong and what to do), 2 wrong usage.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make N keys, their M-of-N script and the settings of a chain signed by it.
    New(NewArgs),
    /// Make an M-of-N script of public keys.
    Script(ScriptArgs),
    /// Decode a script and show what is wrong with it.
    Inspect(InspectArgs),
    /// Show the addresses of a script or a public key.
    Address(AddressArgs),
    /// Read a secret key and show its public half; convert hex to WIF or back.
    Wif(WifArgs),
    /// Keep secret keys in encrypted files.
    Key(crate::key::KeyArgs),
    /// Keep keys in hardware modules, by PKCS#11.
    Hsm(crate::hsm::HsmArgs),
    /// Compute, verify and compare the genesis blocks that configurations define.
    Genesis(GenesisArgs),
    /// Set up a chain together, each party with its own keys on its own machine.
    Ceremony(crate::ceremony::CeremonyArgs),
    /// Show the help of a verb, or a chapter of the documentation.
    Help(federation_cli::HelpArgs),
    /// Print a shell completion script.
    Completions {
        /// The shell that will read it.
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
}
