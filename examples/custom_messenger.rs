//! A custom messenger: Unix sockets in a folder, for operators on one machine.
//!
//! A custom network needs something that carries frames, the queues of `federation_messenger` where
//! it might stall, and the contract suite that tests it.
//!
//! Run it with `cargo run -p federation-examples --example custom_messenger`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{
    collections::BTreeMap,
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{
    Inbox, Lane, MAX_FRAME, Messenger, MessengerError, MessengerStats, Peer, PeerStats,
    QueueLimits, contract,
};
use federation_roster::OperatorId;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::{AbortHandle, JoinSet},
    time::timeout,
};

/// The pause between two attempts to reach a peer.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The time within which a connecting peer must send its id.
const GREETING_TIMEOUT: Duration = Duration::from_secs(1);

/// One peer: its queues in both directions and its counters.
struct Link {
    peer: OperatorId,
    /// This peer's lane into the messenger's inbox, so that a flood drops only its own frames.
    inward: Lane,
    /// The queue of outgoing frames, because `broadcast` must not wait for a peer that does not
    /// read: an inbox that the sending task reads, with a single lane into it.
    outbox: Inbox,
    outward: Lane,
    connected: AtomicBool,
    reconnects: AtomicU64,
}

type Links = Arc<Mutex<BTreeMap<OperatorId, Arc<Link>>>>;

/// Carries frames over the sockets `<folder>/<operator>`. Anyone with access to the folder may send:
/// frames are authenticated by their content, and the folder's permissions keep out nuisances.
struct UnixMessenger {
    folder: PathBuf,
    me: OperatorId,
    inbox: Inbox,
    links: Links,
    tasks: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics in the middle of a change while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl UnixMessenger {
    /// Opens this operator's socket.
    fn bind(folder: &Path, me: OperatorId) -> Result<Self, MessengerError> {
        let path = folder.join(me.to_string());
        // Removes the socket that a crash left behind.
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(MessengerError::backend(error));
        }
        let listener = UnixListener::bind(&path).map_err(MessengerError::backend)?;
        let links = Links::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&links)));
        Ok(Self {
            folder: folder.to_owned(),
            me,
            inbox: Inbox::new(),
            links,
            tasks: Mutex::new(tasks),
        })
    }

    /// Adds a peer to send to and receive from; it need not be running yet.
    fn add_peer(&self, peer: OperatorId) {
        if self.inbox.is_closed() || lock(&self.links).contains_key(&peer) {
            return;
        }
        let outbox = Inbox::new();
        let link = Arc::new(Link {
            peer,
            inward: self.inbox.lane(QueueLimits::default()),
            outward: outbox.lane(QueueLimits::default()),
            outbox,
            connected: AtomicBool::new(false),
            reconnects: AtomicU64::new(0),
        });
        lock(&self.links).insert(peer, Arc::clone(&link));
        let path = self.folder.join(peer.to_string());
        lock(&self.tasks).spawn(keep_sending(path, self.me, link));
    }
}

/// Accepts connections. A peer that connects again replaces its earlier connection, so there are
/// never more readers than peers.
async fn accept(listener: UnixListener, links: Links) {
    let mut readers = JoinSet::new();
    let mut by_peer: BTreeMap<OperatorId, AbortHandle> = BTreeMap::new();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // For example out of file descriptors; others may be closed soon.
            tokio::time::sleep(RETRY_PAUSE).await;
            continue;
        };
        let Ok(Ok(id)) = timeout(GREETING_TIMEOUT, stream.read_u8()).await else {
            continue;
        };
        let Some(link) = lock(&links).get(&OperatorId::new(id)).cloned() else {
            continue;
        };
        let reader = readers.spawn(async move {
            // The end of a connection needs no handling: the peer reconnects.
            let _ = read(stream, &link.inward).await;
        });
        if let Some(earlier) = by_peer.insert(OperatorId::new(id), reader) {
            earlier.abort();
        }
        while readers.try_join_next().is_some() {}
    }
}

/// Reads length-prefixed frames until the connection ends.
async fn read(mut stream: UnixStream, inward: &Lane) -> io::Result<()> {
    loop {
        let length = stream.read_u32_le().await?;
        if length as usize > MAX_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Allocates for the bytes that arrive, not for the length that the peer claims.
        let mut frame = Vec::new();
        (&mut stream)
            .take(length.into())
            .read_to_end(&mut frame)
            .await?;
        if frame.len() < length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Never waits: a full lane drops its oldest frame.
        inward.push(frame.into());
    }
}

/// Sends the frames queued for a peer, reconnecting as needed.
async fn keep_sending(path: PathBuf, me: OperatorId, link: Arc<Link>) {
    let mut first = true;
    loop {
        if let Ok(stream) = UnixStream::connect(&path).await {
            if !first {
                link.reconnects.fetch_add(1, Ordering::Relaxed);
            }
            first = false;
            link.connected.store(true, Ordering::Relaxed);
            // A frame in transit on a broken connection is lost, which the contract permits.
            let _ = send(stream, me, &link.outbox).await;
            link.connected.store(false, Ordering::Relaxed);
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn send(mut stream: UnixStream, me: OperatorId, outbox: &Inbox) -> io::Result<()> {
    stream.write_u8(me.to_u8()).await?;
    loop {
        let frame = outbox.recv().await.map_err(io::Error::other)?;
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        stream.write_u32_le(length).await?;
        stream.write_all(&frame).await?;
    }
}

#[async_trait]
impl Messenger for UnixMessenger {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        self.inbox.check(&frame)?;
        for link in lock(&self.links).values() {
            // The bytes are shared, not copied.
            link.outward.push(frame.clone());
        }
        Ok(())
    }

    // By default, `send_to` broadcasts.
    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        self.inbox.check(&frame)?;
        if let Some(link) = lock(&self.links).get(&to) {
            link.outward.push(frame);
        }
        Ok(())
    }

    fn has_unicast(&self) -> bool {
        true
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        let mut stats = MessengerStats::default();
        for link in lock(&self.links).values() {
            let mut peer = PeerStats::new(Peer::Operator(link.peer));
            peer.connected = link.connected.load(Ordering::Relaxed);
            peer.frames_in = link.inward.frames_in();
            peer.bytes_in = link.inward.bytes_in();
            peer.frames_out = link.outward.frames_in();
            peer.bytes_out = link.outward.bytes_in();
            peer.dropped_in = link.inward.dropped();
            peer.dropped_out = link.outward.dropped();
            peer.reconnects = link.reconnects.load(Ordering::Relaxed);
            stats.push(peer);
        }
        stats
    }

    async fn close(&self) {
        self.inbox.close();
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
        // Already removed if `close` is called twice.
        let _ = std::fs::remove_file(self.folder.join(self.me.to_string()));
    }
}

/// Creates messengers for the contract suite.
struct Folders;

#[async_trait]
impl contract::Cluster for Folders {
    type Messenger = UnixMessenger;
    /// The folder is removed when a test ends.
    type Network = tempfile::TempDir;

    async fn start(&self, size: u8) -> (tempfile::TempDir, Vec<UnixMessenger>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut members = Vec::new();
        for _ in 0..size {
            members.push(self.join(&folder, &members).await);
        }
        (folder, members)
    }

    async fn join(&self, folder: &tempfile::TempDir, running: &[UnixMessenger]) -> UnixMessenger {
        let id = u8::try_from(running.len()).expect("a small cluster");
        let new = UnixMessenger::bind(folder.path(), OperatorId::new(id)).expect("a socket");
        for other in running {
            new.add_peer(other.me);
            other.add_peer(new.me);
        }
        new
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let alice = UnixMessenger::bind(folder.path(), OperatorId::new(0))?;
    alice.add_peer(OperatorId::new(1));
    // Sent before bob exists: the frame waits in a bounded queue.
    alice.broadcast(Bytes::from_static(b"a frame")).await?;
    let bob = UnixMessenger::bind(folder.path(), OperatorId::new(1))?;
    bob.add_peer(alice.me);
    println!("bob received {:?}", bob.recv().await?);
    println!("frames sent by alice: {}", alice.stats().frames_out);
    alice.close().await;
    bob.close().await;

    // An operator takes any `Arc<dyn Messenger>`. The contract suite checks that a messenger is as
    // good as those of this project.
    contract::run(&Folders).await;
    println!("the contract holds");
    Ok(())
}

#[test]
fn runs_to_completion() {
    main().expect("the example runs");
}
