//! How the operators of a local federation talk, with links that can be cut.

use std::{collections::BTreeSet, sync::Arc};

use federation_messenger::{Messenger, hub::Hub};
use federation_messenger_zmq::{Endpoint, ZmqConfig, ZmqMessenger};
use federation_roster::{FederationId, OperatorId};

use crate::{LocalError, Transport};

/// Above the number of any operator.
const TWINS: usize = 100;

/// The messengers of a local federation.
pub(crate) struct Wire {
    kind: Kind,
    /// Links that are cut, lower place first.
    cut: BTreeSet<(usize, usize)>,
}

enum Kind {
    Memory(Hub),
    Zmq {
        federation: FederationId,
        endpoints: Vec<Endpoint>,
        messengers: Vec<Option<Arc<ZmqMessenger>>>,
    },
}

impl Wire {
    pub(crate) fn new(
        transport: Transport,
        federation: FederationId,
        endpoints: Vec<Endpoint>,
    ) -> Self {
        let kind = match transport {
            Transport::Memory => Kind::Memory(Hub::new(1)),
            Transport::Zmq => Kind::Zmq {
                federation,
                messengers: endpoints.iter().map(|_| None).collect(),
                endpoints,
            },
        };
        Self {
            kind,
            cut: BTreeSet::new(),
        }
    }

    /// How many links there are between two operators.
    pub(crate) const fn links_to_a_peer(&self) -> usize {
        match self.kind {
            Kind::Memory(_) => 1,
            // Each dials the other.
            Kind::Zmq { .. } => 2,
        }
    }

    /// A new messenger for the operator at a place.
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
                let config =
                    ZmqConfig::new(endpoints[index].clone(), *federation).with_peers(peers);
                let messenger = Arc::new(ZmqMessenger::bind(config).await?);
                messengers[index] = Some(messenger.clone());
                Ok(messenger)
            }
        }
    }

    /// Another messenger for the operator at a place, beside the one that it has.
    pub(crate) async fn join_twin(&self, index: usize) -> Result<Arc<dyn Messenger>, LocalError> {
        match &self.kind {
            // The hub knows its members by number only.
            Kind::Memory(hub) => Ok(Arc::new(hub.join(id(TWINS + index)))),
            Kind::Zmq {
                federation,
                endpoints,
                ..
            } => {
                let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into();
                let config = ZmqConfig::new(any, *federation).with_peers(endpoints.clone());
                Ok(Arc::new(ZmqMessenger::bind(config).await?))
            }
        }
    }

    /// Forgets the messenger of an operator that stopped.
    pub(crate) fn leave(&mut self, index: usize) {
        if let Kind::Zmq { messengers, .. } = &mut self.kind {
            messengers[index] = None;
        }
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        if !self.cut.insert(link(a, b)) {
            return;
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
        }
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
        }
        Ok(())
    }
}

fn link(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// The id of the operator at a place; a script has at most 20 keys.
pub(crate) fn id(index: usize) -> OperatorId {
    OperatorId::new(u8::try_from(index).unwrap_or(u8::MAX))
}
