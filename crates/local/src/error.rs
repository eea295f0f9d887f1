//! What can go wrong with a local federation.

use std::path::PathBuf;

use federation_devnet::DevNodeError;
use federation_messenger_kafka::KafkaError;
use federation_messenger_zmq::ZmqError;
use federation_ocean_rpc::{RpcError, process::LaunchError};
use federation_operator::{OperatorError, StartError, StoreError};
use federation_roster::FederationError;

/// Why a local federation does not start, or does not do what is waited for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// Its numbers make no script.
    #[error(transparent)]
    Threshold(#[from] federation_multisig::ThresholdError),
    /// Its keys make no script.
    #[error(transparent)]
    Script(#[from] federation_multisig::ScriptError),
    /// Its script makes no chain.
    #[error(transparent)]
    Rules(#[from] federation_chain::RulesError),
    /// Its operators make no federation.
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
    /// The keys for reissuance tokens make no script that the chain has.
    #[error(transparent)]
    TokenScript(#[from] federation_reissuance::ScriptTooLong),
    /// Assets cannot be reissued by these keys.
    #[error(transparent)]
    Reissuance(#[from] federation_operator::ReissuanceError),
    /// An operator does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An operator stopped by itself.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A folder or port cannot be had.
    #[error("cannot use {}: {source}", path.display())]
    System {
        /// What was wanted.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program is none that can be run with these settings.
    #[error("an {0} chain cannot be run with this program")]
    Program(federation_chain::Dialect),
    /// Over Kafka all talk to brokers.
    #[error("operators that talk by way of brokers have no links of their own to cut")]
    NoLinks,
    /// The operator runs already.
    #[error("operator {0} runs already")]
    Running(usize),
    /// A height was not reached in time.
    #[error("height {wanted} was not reached in time: the nodes are at {reached:?}; {operators}")]
    Height {
        /// What was waited for.
        wanted: u32,
        /// Where each node is.
        reached: Vec<u32>,
        /// What each operator does.
        operators: String,
    },
    /// Two nodes hold different blocks at one height.
    #[error("the chain forked at height {0}")]
    Fork(u32),
}
