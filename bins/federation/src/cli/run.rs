//! The arguments of `federation run`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use federation_operator::config::Overrides;

use crate::classic::ClassicArgs;

/// Runs one operator against its own node.
///
/// Reads `operator.toml` and the `federation.toml` that it names, checks that node, keys and store
/// belong together, and makes blocks with the others until it is told to stop (SIGINT or SIGTERM).
/// A node that is away is waited for. Settings given here or in the environment replace the file's.
///
/// Ends with 0 when it is told to stop, with 1 when it cannot go on and a restart may help, and with 78
/// when only a person can help: see `federation guard resume`.
///
/// With --rpconnect it takes the place of an operator of the 2019 Python federation, by the flags of
/// that program: `federation help migration`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The operator's private file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,

    /// Begin as an observer, because the store was lost: take part again from the height after the
    /// first that becomes final without this operator. An empty store does so by itself.
    #[arg(long)]
    pub(crate) observe: bool,

    /// What to do once only a person can help, as after another daemon spoke for this operator: end
    /// with exit code 78, or stay up, idle, with a line in the log now and then. To stay is for
    /// service managers that start whatever ends, as Docker Compose does.
    #[arg(long, value_enum, default_value = "exit", env = "FEDERATION_ON_HALT")]
    pub(crate) on_halt: OnHalt,

    /// How the log is written, to the standard error; RUST_LOG says what.
    #[arg(
        long,
        value_enum,
        default_value = "text",
        env = "FEDERATION_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,

    /// Settings that replace those of the file.
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,

    /// The Python program's flags.
    #[command(flatten)]
    pub(crate) classic: ClassicArgs,
}

/// The heading of the settings; for each of them, because one for all would hold for what follows, too.
const SETTINGS: &str = "Settings of operator.toml";

/// Settings of `operator.toml` as flags and environment variables.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingsArgs {
    /// The federation's public file.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_FILE")]
    federation: Option<PathBuf>,
    /// The certificate of the ceremony, from which nothing may differ.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// Which operator this is, by name.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_OPERATOR")]
    operator: Option<String>,
    /// The folder of the store.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_STORE")]
    store: Option<PathBuf>,
    /// The block key is new: it has signed nothing on this chain. Believed while the node's tip is at
    /// or below this height. With an empty store the operator then takes part at once, instead of
    /// observing until others have settled a block.
    #[arg(help_heading = SETTINGS, long, value_name = "HEIGHT", env = "FEDERATION_NEW_KEY_UNTIL")]
    new_key_until: Option<u32>,
    /// How the operators talk: zmq or kafka.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_MESSENGER")]
    messenger: Option<String>,
    /// Kafka's brokers, host:port, separated by commas.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_BROKERS", value_delimiter = ',')]
    brokers: Option<Vec<String>>,
    /// Where to listen for the other operators, host:port.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_LISTEN")]
    listen: Option<String>,
    /// The file of the block key.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_BLOCK_KEY_FILE")]
    block_key_file: Option<PathBuf>,
    /// The file of the identity key.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_IDENTITY_KEY_FILE")]
    identity_key_file: Option<PathBuf>,
    /// The node's URL.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_NODE_URL")]
    node_url: Option<String>,
    /// The node's cookie file.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_NODE_COOKIE")]
    node_cookie: Option<PathBuf>,
    /// The node's rpcuser.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_NODE_USER")]
    node_user: Option<String>,
    /// A file with the node's rpcpassword.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_NODE_PASSWORD_FILE")]
    node_password_file: Option<PathBuf>,
    /// How long a call to the node may take.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_NODE_TIMEOUT", value_parser = super::duration)]
    node_timeout: Option<Duration>,
}

impl SettingsArgs {
    pub(crate) fn overrides(&self) -> Overrides {
        let this = self.clone();
        Overrides {
            federation: this.federation,
            certificate: this.certificate,
            operator: this.operator,
            store: this.store,
            new_key_until: this.new_key_until,
            messenger: this.messenger,
            brokers: this.brokers,
            listen: this.listen,
            block_key_file: this.block_key_file,
            identity_key_file: this.identity_key_file,
            node_url: this.node_url,
            node_cookie: this.node_cookie,
            node_user: this.node_user,
            node_password_file: this.node_password_file,
            node_timeout: this.node_timeout,
        }
    }
}

/// What to do once only a person can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnHalt {
    /// End with exit code 78.
    Exit,
    /// Stay up without doing anything, until told to stop.
    Stay,
}

/// What the process that starts a Kafka client tells it of its own log.
#[derive(Debug, Args)]
pub(crate) struct KafkaClientArgs {
    /// How the log is written.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Say nothing but what RUST_LOG asks for.
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines of JSON.
    Json,
}
