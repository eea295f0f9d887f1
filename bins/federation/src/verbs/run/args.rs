//! The arguments of `federation run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::classic::ClassicArgs;
use crate::args::{LogFormat, SettingsArgs};

/// Runs one operator with its node.
///
/// Reads `operator.toml` and the `federation.toml` named in it, checks that the node, keys and store
/// belong together, and produces blocks with the other operators until it is stopped (SIGINT or
/// SIGTERM). Waits for the node if it is not up yet. Settings given here or in the environment override
/// the file.
///
/// Exits with 0 when it is stopped, with 1 after a failure that a restart may fix, and with 78 after one
/// that needs your attention: see `federation guard resume`.
///
/// With --rpconnect it replaces an operator of the 2019 Python federation and accepts the flags of that
/// program: see `federation help migration`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The operator's private configuration file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,

    /// Start as an observer, because the store was lost: participate again after the first height that
    /// becomes final without this operator. With an empty store this happens automatically.
    #[arg(long)]
    pub(crate) observe: bool,

    /// What to do after a failure that needs attention, such as another daemon using this operator's
    /// keys: exit with code 78, or stay up idle and log a reminder now and then. `stay` is for service
    /// managers that restart a program regardless of its exit code, such as Docker Compose.
    #[arg(long, value_enum, default_value = "exit", env = "FEDERATION_ON_HALT")]
    pub(crate) on_halt: OnHalt,

    /// The format of the log on the standard error; RUST_LOG selects its contents.
    #[arg(
        long,
        value_enum,
        default_value = "text",
        env = "FEDERATION_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,

    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,

    /// The flags of the Python program.
    #[command(flatten)]
    pub(crate) classic: ClassicArgs,
}

/// What to do after a failure that needs attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnHalt {
    /// Exit with code 78.
    Exit,
    /// Stay up idle until stopped.
    Stay,
}
