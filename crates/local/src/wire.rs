//! The messengers of a local federation, with links that can be cut.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use federation_messenger::{
    Messenger,
    hub::{Hub, LinkFaults},
};
use federation_messenger_kafka::{
    KafkaConfig, KafkaError, KafkaMessenger, KafkaProcess, mock::MockBrokers,
};
use federation_messenger_zmq::{Endpoint, ZmqConfig, ZmqMessenger};
use federation_roster::{FederationId, OperatorId};

use crate::{LocalConfig, LocalError, Transport};

/// The number of mock brokers that are started if no brokers are given.
const MOCK_BROKERS: u8 = 3;

/// How long to wait for brokers; after that the messengers keep trying on their own.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first id of twins, above that of any operator.
const TWINS: usize = 100;

/// The messengers of a local federation.
pub(crate) struct Wire {
    kind: Kind,
    /// The links that are cut, lower index first.
    cut: BTreeSet<(usize, usize)>,
}

enum Kind {
    Memory(Hub),
    Zmq {
        federation: FederationId,
        endpoints: Vec<Endpoint>,
        messengers: Vec<Option<Arc<ZmqMessenger>>>,
    },
    Kafka {
        federation: FederationId,
        size: u8,
        brokers: Brokers,
    },
}

enum Brokers {
    Mock(Box<MockBrokers>),
    /// Topics are replicated to at most three of them.
    Given {
        brokers: Vec<String>,
        /// The program of the client processes and its arguments, if clients are separate processes.
        client: Option<(PathBuf, Vec<OsString>)>,
    },
}

impl Brokers {
    fn config(
        &self,
        federation: FederationId,
        size: u8,
        index: usize,
    ) -> Result<KafkaConfig, KafkaError> {
        match self {
            Self::Mock(brokers) => brokers.config(federation, size, id(index)),
            Self::Given { brokers, .. } => {
                let copies = u8::try_from(brokers.len()).unwrap_or(u8::MAX).min(3);
                Ok(
                    KafkaConfig::new(brokers.iter(), federation, size, id(index))?
                        .with_replication(copies),
                )
            }
        }
    }
}

/// Starts an operator's client of brokers. With `is_awaited`, it waits up to [`PATIENCE`] until the client
/// receives from all, because earlier messages would be missed. Unreachable brokers are not an error.
async fn start_client(
    brokers: &Brokers,
    config: KafkaConfig,
    is_awaited: bool,
) -> Result<Arc<dyn Messenger>, KafkaError> {
    let patience = if is_awaited { PATIENCE } else { Duration::ZERO };
    if let Brokers::Given {
        client: Some((program, arguments)),
        ..
    } = brokers
    {
        let messenger = KafkaProcess::start(config, program, arguments).await?;
        let _ = tokio::time::timeout(patience, messenger.ready()).await;
        return Ok(Arc::new(messenger));
    }
    let messenger = KafkaMessenger::start(config)?;
    let _ = tokio::time::timeout(patience, messenger.ready()).await;
    Ok(Arc::new(messenger))
}

impl Wire {
    pub(crate) fn new(
        config: &LocalConfig,
        federation: FederationId,
        endpoints: Vec<Endpoint>,
    ) -> Result<Self, LocalError> {
        let kind = match config.transport {
            Transport::Memory => Kind::Memory(Hub::new(1)),
            Transport::Zmq => Kind::Zmq {
                federation,
                messengers: endpoints.iter().map(|_| None).collect(),
                endpoints,
            },
            Transport::Kafka => Kind::Kafka {
                federation,
                size: config.operators,
                brokers: if config.brokers.is_empty() {
                    Brokers::Mock(Box::new(MockBrokers::start(MOCK_BROKERS)?))
                } else {
                    Brokers::Given {
                        brokers: config.brokers.clone(),
                        client: config.kafka_client.clone(),
                    }
                },
            },
        };
        Ok(Self {
            kind,
            cut: BTreeSet::new(),
        })
    }

    /// Returns the mock brokers, if any.
    pub(crate) fn brokers(&self) -> Option<&MockBrokers> {
        match &self.kind {
            Kind::Kafka {
                brokers: Brokers::Mock(brokers),
                ..
            } => Some(brokers),
            _ => None,
        }
    }

    /// Delays the messages between two operators, if the messenger can.
    pub(crate) fn delay(&self, a: usize, b: usize, delay: Duration) {
        if let Kind::Memory(hub) = &self.kind {
            let faults = LinkFaults::none().with_delay(delay..=delay);
            hub.set_link(id(a), id(b), faults.clone());
            hub.set_link(id(b), id(a), faults);
        }
    }

    /// Returns the number of links between two operators.
    pub(crate) const fn links_to_a_peer(&self) -> usize {
        match self.kind {
            Kind::Memory(_) => 1,
            // Each dials the other.
            Kind::Zmq { .. } => 2,
            // The links lead to brokers, which hide the operators.
            Kind::Kafka { .. } => 0,
        }
    }

    /// Creates a messenger for an operator.
    pub(crate) async fn join(&mut self, index: usize) -> Result<Arc<dyn Messenger>, LocalError> {
        match &mut self.kind {
            Kind::Memory(hub) => Ok(Arc::new(hub.join(id(index)))),
            Kind::Zmq {
                federation,
                endpoints,
                messengers,
            } => {
                let cut = &self.cut;
                let peers = endpoints
                    .iter()
                    .enumerate()
                    .filter(|(peer, _)| *peer != index && !cut.contains(&link(*peer, index)))
                    .map(|(_, endpoint)| endpoint.clone());
                let config = ZmqConfig::new(endpoints[index].clone(), *federation)
                    .with_operator(id(index))
                    .with_peers(peers);
                let messenger = Arc::new(ZmqMessenger::bind(config).await?);
                messengers[index] = Some(messenger.clone());
                Ok(messenger)
            }
            Kind::Kafka {
                federation,
                size,
                brokers,
            } => {
                let config = brokers.config(*federation, *size, index)?;
                Ok(start_client(brokers, config, true).await?)
            }
        }
    }

    /// Creates a second messenger for an operator.
    pub(crate) async fn join_twin(&self, index: usize) -> Result<Arc<dyn Messenger>, LocalError> {
        match &self.kind {
            Kind::Memory(hub) => Ok(Arc::new(hub.join_as(id(TWINS + index), id(index)))),
            Kind::Zmq {
                federation,
                endpoints,
                ..
            } => {
                let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into();
                let config = ZmqConfig::new(any, *federation)
                    .with_operator(id(index))
                    .with_peers(endpoints.clone());
                Ok(Arc::new(ZmqMessenger::bind(config).await?))
            }
            Kind::Kafka {
                federation,
                size,
                brokers,
            } => {
                let config = brokers.config(*federation, *size, index)?;
                Ok(start_client(brokers, config, false).await?)
            }
        }
    }

    /// Removes the messenger of a stopped operator.
    pub(crate) fn leave(&mut self, index: usize) {
        if let Kind::Zmq { messengers, .. } = &mut self.kind {
            messengers[index] = None;
        }
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize) -> Result<(), LocalError> {
        if matches!(self.kind, Kind::Kafka { .. }) {
            return Err(LocalError::NoLinks);
        }
        if !self.cut.insert(link(a, b)) {
            return Ok(());
        }
        match &self.kind {
            Kind::Memory(hub) => hub.cut(id(a), id(b)),
            Kind::Zmq {
                endpoints,
                messengers,
                ..
            } => {
                for (one, other) in [(a, b), (b, a)] {
                    if let Some(messenger) = &messengers[one] {
                        messenger.remove_peer(&endpoints[other]);
                    }
                }
            }
            Kind::Kafka { .. } => {}
        }
        Ok(())
    }

    pub(crate) fn heal(&mut self, a: usize, b: usize) -> Result<(), LocalError> {
        if !self.cut.remove(&link(a, b)) {
            return Ok(());
        }
        match &self.kind {
            Kind::Memory(hub) => hub.heal(id(a), id(b)),
            Kind::Zmq {
                endpoints,
                messengers,
                ..
            } => {
                for (one, other) in [(a, b), (b, a)] {
                    if let Some(messenger) = &messengers[one] {
                        messenger.add_peer(endpoints[other].clone())?;
                    }
                }
            }
            Kind::Kafka { .. } => {}
        }
        Ok(())
    }
}

fn link(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// Returns an operator's id; a script has at most 20 keys.
pub(crate) fn id(index: usize) -> OperatorId {
    OperatorId::new(u8::try_from(index).unwrap_or(u8::MAX))
}
