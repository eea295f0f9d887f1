//! The old program's ZeroMQ wire: a PUB socket on our port, and a SUB socket to every other operator.
//!
//! A message has one frame: the topic, a space and JSON. Topic `10` is a block, `20` signatures. Each
//! subscriber has its own short queue, so a slow one misses messages and delays nobody.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use federation_messenger_zmq::zmtp::{Connection, Limits, SocketType, ZmtpError};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, broadcast, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Arrival, Wire, WireError};
use crate::{MAX_MESSAGE, Message};

const TOPIC_BLOCK: &str = "10";
const TOPIC_SIGNATURE: &str = "20";

/// Queue length per subscriber; a turn has two or three messages.
const QUEUE: usize = 16;
/// Queue length to the machine, all operators together; a message may have megabytes.
const INBOX: usize = 8;
/// The most subscribers; a federation has at most 19 other operators.
const MAX_SUBSCRIBERS: usize = 64;
/// The most topics per subscriber.
const MAX_TOPICS: usize = 8;
/// Limits on what a subscriber sends: subscriptions to topics.
const FROM_SUBSCRIBER: Limits = Limits {
    message: 256,
    parts: 1,
    total: u64::MAX,
};
/// Limits on what a publisher sends.
const FROM_PUBLISHER: Limits = Limits {
    message: MAX_MESSAGE,
    parts: 1,
    total: u64::MAX,
};

const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a subscriber may read nothing before it is disconnected.
const STALL: Duration = Duration::from_secs(30);
/// The shortest and the longest pause before reconnecting, as in the old program.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// The operators and their addresses.
#[derive(Debug, Clone)]
pub struct ZmqConfig {
    nodes: Vec<String>,
    me: usize,
    listen: Option<String>,
}

impl ZmqConfig {
    /// Creates a configuration with the operators' `host:port`, in order, and this operator's index.
    ///
    /// # Errors
    /// [`WireError::Endpoint`] if an entry is not an address, [`WireError::Index`] if the index is out
    /// of range.
    pub fn new(
        nodes: impl IntoIterator<Item = impl Into<String>>,
        me: usize,
    ) -> Result<Self, WireError> {
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        for node in &nodes {
            if port_of(node).is_none() {
                return Err(WireError::Endpoint(node.chars().take(300).collect()));
            }
        }
        if me >= nodes.len() {
            return Err(WireError::Index {
                me,
                operators: nodes.len(),
            });
        }
        Ok(Self {
            nodes,
            me,
            listen: None,
        })
    }

    /// Listens on this address, instead of all addresses with the port from the list.
    #[must_use]
    pub fn with_listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// Returns the number of operators.
    #[must_use]
    pub const fn operators(&self) -> usize {
        self.nodes.len()
    }
}

/// Returns the port of a `host:port`.
fn port_of(node: &str) -> Option<u16> {
    let (host, port) = node.rsplit_once(':')?;
    let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || !bare || host.contains('/') {
        return None;
    }
    port.parse().ok()
}

/// The open sockets.
pub struct ZmqWire {
    outgoing: broadcast::Sender<Bytes>,
    inbox: Mutex<mpsc::Receiver<Arrival>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    address: SocketAddr,
}

impl core::fmt::Debug for ZmqWire {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ZmqWire")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ZmqWire {
    /// Listens on our port, and connects to the others for as long as it lives.
    ///
    /// # Errors
    /// [`WireError::Listen`] if the port is not available.
    pub async fn bind(config: &ZmqConfig) -> Result<Self, WireError> {
        let address = config.listen.clone().unwrap_or_else(|| {
            let port = port_of(&config.nodes[config.me]).unwrap_or_default();
            format!("0.0.0.0:{port}")
        });
        let failed = |error: std::io::Error| WireError::Listen {
            address: address.clone(),
            reason: error.to_string(),
        };
        let listener = TcpListener::bind(&address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (outgoing, _) = broadcast::channel(QUEUE);
        let (arrivals, inbox) = mpsc::channel(INBOX);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let wire = Self {
            outgoing: outgoing.clone(),
            inbox: Mutex::new(inbox),
            stop: stop.clone(),
            tasks: tasks.clone(),
            address: bound,
        };
        wire.spawn(accept(listener, outgoing, tasks.clone(), stop.clone()));
        for (index, node) in config.nodes.iter().enumerate() {
            if index != config.me {
                wire.spawn(follow(index, node.clone(), arrivals.clone()));
            }
        }
        Ok(wire)
    }

    /// Returns the address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled(task).await;
        });
    }
}

impl Drop for ZmqWire {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Wire for ZmqWire {
    async fn publish(&self, message: &Message) -> Result<(), WireError> {
        if self.stop.is_cancelled() {
            return Err(WireError::Closed);
        }
        let topic = match message {
            Message::Proposal { .. } => TOPIC_BLOCK,
            Message::Signatures { .. } => TOPIC_SIGNATURE,
        };
        let json = message.to_json();
        let mut body = BytesMut::with_capacity(topic.len() + 1 + json.len());
        body.extend_from_slice(topic.as_bytes());
        body.extend_from_slice(b" ");
        body.extend_from_slice(&json);
        // Fails only if nobody is connected.
        let _ = self.outgoing.send(body.freeze());
        Ok(())
    }

    async fn recv(&self) -> Result<Arrival, WireError> {
        let mut inbox = self.inbox.lock().await;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(WireError::Closed),
            arrival = inbox.recv() => arrival.ok_or(WireError::Closed),
        }
    }

    async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    outgoing: broadcast::Sender<Bytes>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let subscribers = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(FIRST_RETRY).await;
                continue;
            }
        };
        if subscribers.fetch_add(1, Ordering::Relaxed) >= MAX_SUBSCRIBERS {
            subscribers.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%remote, "connection refused: too many subscribers");
            continue;
        }
        let (messages, stop) = (outgoing.subscribe(), stop.clone());
        let subscribers = subscribers.clone();
        tasks.spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(serve(stream, messages)).await {
                tracing::debug!(%remote, %error, "subscriber disconnected");
            }
            subscribers.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Serves one subscriber until it disconnects.
async fn serve(
    stream: TcpStream,
    mut messages: broadcast::Receiver<Bytes>,
) -> Result<(), LinkError> {
    let mut connection = Connection::tcp(stream, FROM_SUBSCRIBER, STALL)?;
    timeout(HANDSHAKE, connection.handshake(SocketType::Pub, b"")).await??;
    let mut topics: Vec<Bytes> = Vec::new();
    loop {
        tokio::select! {
            request = connection.recv() => {
                let request = request?.pop().unwrap_or_default();
                subscribe(&mut topics, &request)?;
            }
            message = messages.recv() => match message {
                Ok(message) => if topics.iter().any(|topic| message.starts_with(topic)) {
                    connection.send(&[message]).await?;
                },
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "slow subscriber missed messages");
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Zmtp(#[from] ZmtpError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("no connection in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("malformed subscription, or more than {MAX_TOPICS} of them")]
    Subscription,
}

/// Handles a subscription, which begins with 1, or its end, which begins with 0.
fn subscribe(topics: &mut Vec<Bytes>, request: &Bytes) -> Result<(), LinkError> {
    match request.first() {
        Some(1) if topics.len() < MAX_TOPICS => topics.push(request.slice(1..)),
        Some(0) => {
            if let Some(index) = topics.iter().position(|topic| *topic == request[1..]) {
                topics.swap_remove(index);
            }
        }
        _ => return Err(LinkError::Subscription),
    }
    Ok(())
}

/// Connects to an operator, receives from it, and reconnects, indefinitely. Its name is resolved each
/// time.
async fn follow(index: usize, node: String, arrivals: mpsc::Sender<Arrival>) {
    let mut pause = FIRST_RETRY;
    loop {
        let mut connected = false;
        match receive(index, &node, &arrivals, &mut connected).await {
            Err(error) => tracing::debug!(%node, %error, "operator not connected"),
            Ok(()) => return,
        }
        if connected {
            tracing::info!(operator = index, %node, "operator disconnected");
            pause = FIRST_RETRY;
        }
        sleep(pause).await;
        pause = LAST_RETRY.min(pause * 2);
    }
}

/// Receives from an operator until the connection ends. Succeeds only if the wire was closed.
async fn receive(
    index: usize,
    node: &str,
    arrivals: &mpsc::Sender<Arrival>,
    connected: &mut bool,
) -> Result<(), LinkError> {
    let stream = timeout(HANDSHAKE, TcpStream::connect(node)).await??;
    let mut connection = Connection::tcp(stream, FROM_PUBLISHER, STALL)?;
    timeout(HANDSHAKE, connection.handshake(SocketType::Sub, b"")).await??;
    for topic in [TOPIC_BLOCK, TOPIC_SIGNATURE] {
        connection.subscribe(topic.as_bytes()).await?;
    }
    *connected = true;
    tracing::info!(operator = index, %node, "operator connected");
    loop {
        let body = connection.recv().await?.pop().unwrap_or_default();
        let message = match read(&body) {
            Ok(message) => message,
            Err(reason) => {
                tracing::debug!(operator = index, reason, "message dropped");
                continue;
            }
        };
        let from = Some(index);
        // While the machine is busy and this queue is full, messages wait in the peer's queue.
        if arrivals.send(Arrival { from, message }).await.is_err() {
            return Ok(());
        }
    }
}

fn read(body: &[u8]) -> Result<Message, String> {
    let topics = [TOPIC_BLOCK, TOPIC_SIGNATURE];
    let json = topics
        .iter()
        .find_map(|topic| body.strip_prefix(topic.as_bytes()))
        .ok_or("unknown topic")?;
    Message::from_json(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
