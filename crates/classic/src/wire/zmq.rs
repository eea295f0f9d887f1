//! The old program's ZeroMQ wire: a PUB socket on the own port, a SUB socket to every other.
//!
//! One frame: the topic, one space, JSON. Topic `10` is a block, `20` signatures. Each subscriber
//! has a short queue of its own, so a slow one misses messages and holds up nobody.

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
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Mutex, broadcast, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Arrival, Wire, WireError,
    zmtp::{self, Frame, Kind},
};
use crate::{MAX_MESSAGE, Message};

const TOPIC_BLOCK: &str = "10";
const TOPIC_SIGNATURE: &str = "20";

/// How many messages wait for a subscriber: a block and its signatures are two or three a turn.
const QUEUE: usize = 16;
/// How many messages wait for the machine, all operators together; each may have megabytes.
const INBOX: usize = 8;
/// The most subscribers at a time; the federation has at most 19 others.
const MAX_SUBSCRIBERS: usize = 64;
/// How many topics a subscriber may ask for.
const MAX_TOPICS: usize = 8;
/// The longest topic that a subscriber may ask for, in bytes.
const MAX_TOPIC: u64 = 256;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a subscriber may leave a message unread before it is let go of.
const STALL: Duration = Duration::from_secs(30);
/// Pauses between two tries to connect, as the old program has them.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// Who and where the operators are.
#[derive(Debug, Clone)]
pub struct ZmqConfig {
    nodes: Vec<String>,
    me: usize,
    listen: Option<String>,
}

impl ZmqConfig {
    /// The operators' `host:port` in their order, and the own place among them.
    ///
    /// # Errors
    /// If an entry is no address, or the place none of the list's.
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
            return Err(WireError::Place {
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

    /// Listens on this address instead of the own port of the list on all addresses.
    #[must_use]
    pub fn with_listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// How many operators there are.
    #[must_use]
    pub const fn operators(&self) -> usize {
        self.nodes.len()
    }
}

/// The port of a `host:port` with a host.
fn port_of(node: &str) -> Option<u16> {
    let (host, port) = node.rsplit_once(':')?;
    let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || !bare || host.contains('/') {
        return None;
    }
    port.parse().ok()
}

/// The sockets, open.
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
    /// Listens on the own port, and connects to the others for as long as it lives.
    ///
    /// # Errors
    /// If the port cannot be had.
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
        for (place, node) in config.nodes.iter().enumerate() {
            if place != config.me {
                wire.spawn(follow(place, node.clone(), arrivals.clone()));
            }
        }
        Ok(wire)
    }

    /// Where it listens.
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
        // Nobody may be connected.
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
                tracing::warn!(%error, "cannot take a connection");
                sleep(FIRST_RETRY).await;
                continue;
            }
        };
        if subscribers.fetch_add(1, Ordering::Relaxed) >= MAX_SUBSCRIBERS {
            subscribers.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(%remote, "no place for another subscriber");
            continue;
        }
        let (messages, stop) = (outgoing.subscribe(), stop.clone());
        let subscribers = subscribers.clone();
        tasks.spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(serve(stream, messages)).await {
                tracing::debug!(%remote, %error, "a subscriber is gone");
            }
            subscribers.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Serves one subscriber to its end.
async fn serve(
    mut stream: TcpStream,
    mut messages: broadcast::Receiver<Bytes>,
) -> std::io::Result<()> {
    tune(&stream)?;
    timeout(HANDSHAKE, zmtp::handshake(&mut stream, Kind::Pub)).await??;
    let (mut from, mut to) = stream.into_split();
    // Reading a frame is not to be given up half way, so it has a task of its own, which ends with
    // the connection.
    let (asked, mut requests) = mpsc::channel(1);
    let reading = tokio::spawn(async move {
        loop {
            let frame = zmtp::read(&mut from, MAX_TOPIC).await;
            let failed = frame.is_err();
            if asked.send(frame).await.is_err() || failed {
                return;
            }
        }
    });
    let _reading = AbortOnDrop(reading);
    let mut topics: Vec<Bytes> = Vec::new();
    loop {
        tokio::select! {
            request = requests.recv() => match request.transpose()? {
                None => return Ok(()),
                Some(Frame::Message(request)) => subscribe(&mut topics, &request)?,
                Some(Frame::Command(command)) => if let Some(pong) = zmtp::pong(&command) {
                    timeout(STALL, to.write_all(&pong)).await??;
                },
            },
            message = messages.recv() => match message {
                Ok(message) => if topics.iter().any(|topic| message.starts_with(topic)) {
                    timeout(STALL, to.write_all(&zmtp::message(&message))).await??;
                },
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a slow subscriber missed messages");
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
        }
    }
}

/// The system notices a peer whose machine is gone, within about a minute.
fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A subscription begins with 1, the end of one with 0.
fn subscribe(topics: &mut Vec<Bytes>, request: &Bytes) -> std::io::Result<()> {
    match request.first() {
        Some(1) if topics.len() < MAX_TOPICS => topics.push(request.slice(1..)),
        Some(0) => {
            if let Some(at) = topics.iter().position(|topic| *topic == request[1..]) {
                topics.swap_remove(at);
            }
        }
        _ => return Err(std::io::ErrorKind::InvalidData.into()),
    }
    Ok(())
}

/// Connects to an operator, hears it, and begins again, for ever. Its name is resolved each time.
async fn follow(place: usize, node: String, arrivals: mpsc::Sender<Arrival>) {
    let mut pause = FIRST_RETRY;
    loop {
        let mut connected = false;
        match hear(place, &node, &arrivals, &mut connected).await {
            Err(error) => tracing::debug!(%node, %error, "an operator is not connected"),
            Ok(()) => return,
        }
        if connected {
            tracing::info!(operator = place, %node, "lost");
            pause = FIRST_RETRY;
        }
        sleep(pause).await;
        pause = LAST_RETRY.min(pause * 2);
    }
}

/// Hears an operator until the connection ends; without an error only when nobody listens any more.
async fn hear(
    place: usize,
    node: &str,
    arrivals: &mpsc::Sender<Arrival>,
    connected: &mut bool,
) -> std::io::Result<()> {
    let mut stream = timeout(HANDSHAKE, TcpStream::connect(node)).await??;
    tune(&stream)?;
    timeout(HANDSHAKE, zmtp::handshake(&mut stream, Kind::Sub)).await??;
    for topic in [TOPIC_BLOCK, TOPIC_SIGNATURE] {
        let request = [&[1], topic.as_bytes()].concat();
        stream.write_all(&zmtp::message(&request)).await?;
    }
    *connected = true;
    tracing::info!(operator = place, %node, "connected");
    loop {
        let body = match zmtp::read(&mut stream, MAX_MESSAGE as u64).await? {
            Frame::Message(body) => body,
            Frame::Command(command) => {
                if let Some(pong) = zmtp::pong(&command) {
                    stream.write_all(&pong).await?;
                }
                continue;
            }
        };
        let message = match read(&body) {
            Ok(message) => message,
            Err(reason) => {
                tracing::debug!(operator = place, reason, "a frame was dropped");
                continue;
            }
        };
        let from = Some(place);
        // Full for as long as the machine is busy: the peer's own queue has to wait.
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
        .ok_or("an unknown topic")?;
    Message::from_json(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
