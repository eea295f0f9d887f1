//! The arguments that select an operator and override its settings.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use federation_operator::config::Overrides;

/// The operator's configuration, for verbs about its files.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    /// The operator's private configuration file.
    #[arg(long, env = "FEDERATION_CONFIG", default_value = "operator.toml")]
    pub(crate) config: PathBuf,
    /// Settings that override the file.
    #[command(flatten)]
    pub(crate) settings: Box<SettingsArgs>,
}

/// The heading of the settings. Set on each argument: set on the struct, it would apply to later arguments too.
const SETTINGS: &str = "Settings of operator.toml";

/// Settings of `operator.toml` as flags and environment variables.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingsArgs {
    /// The federation's public configuration file.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_FILE")]
    federation: Option<PathBuf>,
    /// The certificate of the ceremony, which all settings must match.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// The name of this operator in the roster.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_OPERATOR")]
    operator: Option<String>,
    /// The folder for the store.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_STORE")]
    store: Option<PathBuf>,
    /// Declare that the block key is new and has signed nothing on this chain. Applies only while the
    /// node's tip is at or below this height. With an empty store the operator then participates at once,
    /// instead of observing until the others have finalised a block.
    #[arg(help_heading = SETTINGS, long, value_name = "HEIGHT", env = "FEDERATION_NEW_KEY_UNTIL")]
    new_key_until: Option<u32>,
    /// The messenger between operators: zmq or kafka.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_MESSENGER")]
    messenger: Option<String>,
    /// The Kafka brokers, host:port, separated by commas.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_BROKERS", value_delimiter = ',')]
    brokers: Option<Vec<String>>,
    /// The address to listen on for the other operators, host:port.
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
    /// A file that contains the node's rpcpassword.
    #[arg(help_heading = SETTINGS, long, env = "FEDERATION_NODE_PASSWORD_FILE")]
    node_password_file: Option<PathBuf>,
    /// The timeout of a call to the node.
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
