//! The arguments of `federation rehearse`.

use std::path::PathBuf;

use clap::Args;

use super::run::SettingsArgs;

/// Makes and signs a block 1, in this process alone.
///
/// Takes everybody's public data from the certificate, and your keys from where operator.toml says
/// they are: files, keystores or hardware modules. Shows that your key signs what the chain's script
/// asks for, and that a block with signatures of this form is complete and small enough. No node is
/// asked, none would take the block, and the signature is not shown.
#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// The operator's private file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Settings that replace those of the file.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
