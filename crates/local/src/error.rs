//! The errors of a local federation.

use std::path::PathBuf;

use federation_devnet::DevNodeError;
use federation_messenger_kafka::KafkaError;
use federation_messenger_zmq::ZmqError;
use federation_ocean_rpc::{RpcError, process::LaunchError};
use federation_operator::{OperatorError, StartError, StoreError};
use federation_roster::FederationError;

/// Why a local federation does not start or does not reach an expected state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The threshold is invalid.
    #[error(transparent)]
    Threshold(#[from] federation_multisig::ThresholdError),
    /// The keys do not make a script.
    #[error(transparent)]
    Script(#[from] federation_multisig::ScriptError),
    /// The script does not make a chain.
    #[error(transparent)]
    Rules(#[from] federation_chain::RulesError),
    /// The operators do not make a federation.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// A devnet node does not start.
    #[error(transparent)]
    Devnet(#[from] DevNodeError),
    /// A node's process does not start.
    #[error(transparent)]
    Process(#[from] LaunchError),
    /// A node does not answer.
    #[error(transparent)]
    Node(#[from] RpcError),
    /// A messenger does not start.
    #[error(transparent)]
    Messenger(#[from] ZmqError),
    /// A Kafka messenger does not start.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A guard does not load.
    #[error(transparent)]
    Guard(#[from] federation_signer::GuardError),
    /// The script for the reissuance tokens is too long for the chain.
    #[error(transparent)]
    TokenScript(#[from] federation_reissuance::ScriptTooLong),
    /// Assets cannot be reissued with these keys.
    #[error(transparent)]
    Reissuance(#[from] federation_operator::ReissuanceError),
    /// An operator does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An operator stopped by itself.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A folder or port is not available.
    #[error("cannot use {}: {source}", path.display())]
    System {
        /// The folder or port.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The program does not support these settings.
    #[error("this program does not support {0} chains")]
    Program(federation_chain::Dialect),
    /// Over Kafka, operators have no links to each other.
    #[error("operators that communicate through brokers have no links to cut")]
    NoLinks,
    /// The operator is running already.
    #[error("operator {0} is running already")]
    Running(usize),
    /// A height was not reached in time.
    #[error("height {wanted} was not reached in time: the nodes are at {reached:?}; {operators}")]
    Height {
        /// The expected height.
        wanted: u32,
        /// The height of each node.
        reached: Vec<u32>,
        /// The status of each operator.
        operators: String,
    },
    /// Two nodes hold different blocks at one height.
    #[error("the chain forked at height {0}")]
    Fork(u32),
}
