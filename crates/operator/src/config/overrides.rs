//! Settings of `operator.toml` given elsewhere: by a flag or an environment variable.

use std::{path::PathBuf, time::Duration};

/// Settings that replace those of `operator.toml`; none leaves the file's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a new setting must be wired to a flag"
)]
pub struct Overrides {
    /// The public file.
    pub federation: Option<PathBuf>,
    /// The certificate of the ceremony.
    pub certificate: Option<PathBuf>,
    /// Which operator, by name.
    pub operator: Option<String>,
    /// The folder of the store.
    pub store: Option<PathBuf>,
    /// Up to which height of the chain the block key counts as new.
    pub new_key_until: Option<u32>,
    /// How the operators talk: zmq or kafka.
    pub messenger: Option<String>,
    /// Kafka's brokers.
    pub brokers: Option<Vec<String>>,
    /// Where to listen for the other operators.
    pub listen: Option<String>,
    /// The file of the block key.
    pub block_key_file: Option<PathBuf>,
    /// The file of the identity key.
    pub identity_key_file: Option<PathBuf>,
    /// The node's URL.
    pub node_url: Option<String>,
    /// The node's cookie file.
    pub node_cookie: Option<PathBuf>,
    /// The node's `rpcuser`.
    pub node_user: Option<String>,
    /// A file with the node's `rpcpassword`.
    pub node_password_file: Option<PathBuf>,
    /// How long a call to the node may take.
    pub node_timeout: Option<Duration>,
}
