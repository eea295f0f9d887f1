//! Flags and environment variables that replace settings of `operator.toml`.

use std::{path::PathBuf, time::Duration};

/// Settings that replace those of `operator.toml`; `None` keeps the file's.
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
    /// The operator's name.
    pub operator: Option<String>,
    /// The folder of the store.
    pub store: Option<PathBuf>,
    /// The chain height up to which the block key counts as new.
    pub new_key_until: Option<u32>,
    /// The messenger: zmq or kafka.
    pub messenger: Option<String>,
    /// Kafka's brokers.
    pub brokers: Option<Vec<String>>,
    /// The address to listen on for the other operators.
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
    /// The timeout of a call to the node.
    pub node_timeout: Option<Duration>,
}
