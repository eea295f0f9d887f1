//! The messenger: one listener, and one task per peer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{Messenger, MessengerError, MessengerStats};
use federation_roster::OperatorId;
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle};
use tracing::info;

use crate::{
    Endpoint, ZmqConfig, ZmqError,
    acceptor::accept,
    offer::offer,
    shared::{Shared, lock},
    subscriber::follow,
};

/// Publishes to all subscribers, and subscribes to all peers.
///
/// Its tasks run on the tokio runtime it was created on; dropping it ends them.
#[derive(Debug)]
pub struct ZmqMessenger {
    shared: Arc<Shared>,
    local: Endpoint,
    runtime: Handle,
    closing: watch::Sender<bool>,
    tasks: Mutex<Tasks>,
}

#[derive(Debug)]
struct Tasks {
    accept: Option<JoinHandle<()>>,
    peers: BTreeMap<Endpoint, JoinHandle<()>>,
}

impl ZmqMessenger {
    /// Listens, and starts connecting to the peers without waiting for them.
    ///
    /// # Errors
    /// [`ZmqError::Bind`] if it cannot listen, [`ZmqError::PeerPort`] for a peer with port 0.
    ///
    /// # Panics
    /// If called outside a tokio runtime with time and I/O enabled.
    pub async fn bind(config: ZmqConfig) -> Result<Self, ZmqError> {
        let endpoint = config.listen();
        let bind_error = |source| ZmqError::Bind {
            endpoint: endpoint.clone(),
            source: Arc::new(source),
        };
        let listener = TcpListener::bind((endpoint.host(), endpoint.port()))
            .await
            .map_err(bind_error)?;
        let local: Endpoint = listener.local_addr().map_err(bind_error)?.into();
        let shared = Arc::new(Shared::new(&config));
        let (closing, stop) = watch::channel(false);
        let runtime = Handle::current();
        let messenger = Self {
            tasks: Mutex::new(Tasks {
                accept: Some(runtime.spawn(accept(Arc::clone(&shared), listener, stop))),
                peers: BTreeMap::new(),
            }),
            shared,
            local,
            runtime,
            closing,
        };
        info!(listen = %messenger.local, "listening for operators");
        for (endpoint, operator) in config.peers() {
            messenger.add(endpoint.clone(), *operator)?;
        }
        Ok(messenger)
    }

    /// Returns the endpoint it listens on, with the port the system chose if port 0 was configured.
    #[must_use]
    pub fn local_endpoint(&self) -> Endpoint {
        self.local.clone()
    }

    /// Returns the number of active subscriptions to this messenger's frames.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.shared.subscribers()
    }

    /// Subscribes to another peer. Has no effect if the peer is known already.
    ///
    /// # Errors
    /// [`ZmqError::PeerPort`] for port 0, [`ZmqError::Closed`] after close.
    pub fn add_peer(&self, endpoint: Endpoint) -> Result<(), ZmqError> {
        self.add(endpoint, None)
    }

    /// Subscribes to another operator, and offers it frames as described at
    /// [`with_operators`](ZmqConfig::with_operators). Has no effect if the endpoint is known already.
    ///
    /// # Errors
    /// The same as [`add_peer`](Self::add_peer).
    pub fn add_operator(&self, operator: OperatorId, endpoint: Endpoint) -> Result<(), ZmqError> {
        self.add(endpoint, Some(operator))
    }

    fn add(&self, endpoint: Endpoint, operator: Option<OperatorId>) -> Result<(), ZmqError> {
        if endpoint.port() == 0 {
            return Err(ZmqError::PeerPort { endpoint });
        }
        let mut tasks = lock(&self.tasks);
        if self.shared.inbox.is_closed() {
            return Err(ZmqError::Closed);
        }
        let Some(publisher) = self.shared.add_publisher(&endpoint, operator) else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let following = follow(shared, Arc::clone(&publisher), endpoint.clone());
        let shared = Arc::clone(&self.shared);
        let task = match self.shared.me {
            Some(me) if operator.is_some_and(|operator| operator != me) => {
                let offering = offer(shared, publisher, endpoint.clone(), me);
                self.runtime.spawn(async move {
                    tokio::join!(following, offering);
                })
            }
            _ => self.runtime.spawn(following),
        };
        tasks.peers.insert(endpoint, task);
        Ok(())
    }

    /// Ends the subscription to a peer. Frames already received from it can still be read.
    pub fn remove_peer(&self, endpoint: &Endpoint) {
        if let Some(task) = lock(&self.tasks).peers.remove(endpoint) {
            task.abort();
            self.shared.remove_publisher(endpoint);
        }
    }
}

#[async_trait]
impl Messenger for ZmqMessenger {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        self.shared.inbox.check(&frame)?;
        self.shared.publish(&frame);
        Ok(())
    }

    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        self.shared.inbox.check(&frame)?;
        if self.has_unicast() {
            self.shared.publish_to(to, &frame);
        } else {
            self.shared.publish(&frame);
        }
        Ok(())
    }

    fn has_unicast(&self) -> bool {
        self.shared.me.is_some()
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.shared.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        self.shared.stats()
    }

    async fn close(&self) {
        let (accept, peers) = {
            let mut tasks = lock(&self.tasks);
            self.shared.inbox.close();
            (tasks.accept.take(), std::mem::take(&mut tasks.peers))
        };
        self.closing.send_replace(true);
        for task in peers.values() {
            task.abort();
        }
        // Once the tasks have ended, their sockets are closed. Their results do not matter.
        for task in peers.into_values().chain(accept) {
            let _ = task.await;
        }
    }
}

impl Drop for ZmqMessenger {
    fn drop(&mut self) {
        self.closing.send_replace(true);
        for task in lock(&self.tasks).peers.values() {
            task.abort();
        }
    }
}
