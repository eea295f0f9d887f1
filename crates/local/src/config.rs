//! The configuration of a local federation.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use federation_chain::Dialect;
use federation_operator::Options;

/// The messenger of the operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// ZeroMQ over loopback.
    Zmq,
    /// An in-memory hub.
    #[default]
    Memory,
    /// Kafka: the brokers of [`LocalConfig::with_brokers`], or librdkafka's mock brokers.
    Kafka,
}

/// The kind of the operators' nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NodeKind {
    /// Devnet nodes in this process.
    #[default]
    Devnet,
    /// Processes of this program, an `elementsd` or `oceand`.
    Process(PathBuf),
}

/// The configuration of a local federation.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    pub(crate) operators: u8,
    pub(crate) threshold: u8,
    pub(crate) interval: Duration,
    pub(crate) dialect: Dialect,
    pub(crate) transport: Transport,
    pub(crate) brokers: Vec<String>,
    pub(crate) kafka_client: Option<(PathBuf, Vec<OsString>)>,
    pub(crate) nodes: NodeKind,
    pub(crate) node_args: Vec<String>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) options: Options,
    pub(crate) absent: Vec<usize>,
}

impl LocalConfig {
    /// Creates a configuration with this number of operators and required signatures: a dynafed chain on
    /// devnet nodes, with a block every second, over an in-memory hub, in a temporary folder.
    #[must_use]
    pub fn new(operators: u8, threshold: u8) -> Self {
        Self {
            operators,
            threshold,
            interval: Duration::from_secs(1),
            dialect: Dialect::Dynafed,
            transport: Transport::Memory,
            brokers: Vec::new(),
            kafka_client: None,
            nodes: NodeKind::Devnet,
            node_args: Vec::new(),
            folder: None,
            options: Options::default(),
            absent: Vec::new(),
        }
    }

    /// Sets the time from one block to the next.
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the block format.
    #[must_use]
    pub const fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the messenger of the operators.
    #[must_use]
    pub const fn with_transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Sets Kafka's brokers, `host:port`; without any, three mock brokers are started.
    #[must_use]
    pub fn with_brokers(mut self, brokers: impl Into<Vec<String>>) -> Self {
        self.brokers = brokers.into();
        self
    }

    /// Sets the program and its arguments for the Kafka client process of each operator, as real operators
    /// have one; it must call [`run_client`](federation_messenger_kafka::run_client) at once. It is used
    /// with the brokers of [`Self::with_brokers`]. Without it, and with mock brokers, librdkafka runs in
    /// this process.
    #[must_use]
    pub fn with_kafka_client(
        mut self,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        self.kafka_client = Some((program.into(), arguments));
        self
    }

    /// Sets the kind of the nodes.
    #[must_use]
    pub fn with_nodes(mut self, nodes: NodeKind) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets additional arguments for nodes that are processes.
    #[must_use]
    pub fn with_node_args(mut self, args: impl Into<Vec<String>>) -> Self {
        self.node_args = args.into();
        self
    }

    /// Sets the folder for the files of stores and nodes; by default it is temporary.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the operators' options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets which operators are not started with the others, by their index in the roster.
    #[must_use]
    pub fn with_absent(mut self, absent: impl Into<Vec<usize>>) -> Self {
        self.absent = absent.into();
        self
    }
}
