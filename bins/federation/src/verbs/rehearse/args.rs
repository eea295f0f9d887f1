//! The arguments of `federation rehearse`.

use std::path::PathBuf;

use clap::Args;

use crate::args::SettingsArgs;

/// Builds and signs a trial block 1, entirely in this process.
///
/// Takes the other operators' public data from the certificate, and your keys from where operator.toml
/// says: files, keystores or hardware modules. Shows that your key makes the signatures that the chain's
/// script requires, and that a block with such signatures is complete and within its size limit. No node
/// is contacted, none would accept the block, and the signature is not printed.
#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// The operator's private configuration file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
