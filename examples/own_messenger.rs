//! A messenger of one's own: here over Unix sockets in a folder, for operators on one machine.
//!
//! Shows what it takes to bring one's own network: something that carries frames, the queues of
//! `federation_messenger` where it might stall, and the contract to prove it.
//!
//! Run it with `cargo run -p federation-examples --example own_messenger`.

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

/// The pause between two tries to reach a peer.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a caller may take to say who it is.
const GREETING: Duration = Duration::from_secs(1);

/// What is known of one peer, and what waits from and for it.
struct Link {
    peer: OperatorId,
    /// Into the messenger's inbox. A lane of its own, so that its flood drops its own frames only.
    inward: Lane,
    /// The way out needs the same queue, as `broadcast` must not wait for a peer that does not
    /// read: an inbox that the writing task reads, and the one lane into it.
    outbox: Inbox,
    outward: Lane,
    connected: AtomicBool,
    reconnects: AtomicU64,
}

type Links = Arc<Mutex<BTreeMap<OperatorId, Arc<Link>>>>;

/// Carries frames over sockets `<folder>/<operator>`. Whoever may open the folder may send: what
/// is in the frames proves itself, and the folder's rights keep out those who only disturb.
struct UnixMessenger {
    folder: PathBuf,
    me: OperatorId,
    inbox: Inbox,
    links: Links,
    tasks: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds these locks half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl UnixMessenger {
    /// Opens the own socket.
    fn bind(folder: &Path, me: OperatorId) -> Result<Self, MessengerError> {
        let path = folder.join(me.to_string());
        // What a crash left behind would be in the way.
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

    /// Whether a frame can be taken.
    fn check(&self, frame: &Bytes) -> Result<(), MessengerError> {
        if self.inbox.is_closed() {
            return Err(MessengerError::Closed);
        }
        if frame.len() > MAX_FRAME {
            return Err(MessengerError::TooLarge {
                len: frame.len(),
                limit: MAX_FRAME,
            });
        }
        Ok(())
    }

    /// Adds an operator to send to and to hear; it need not be there yet.
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

/// Hears those who call. A peer that calls again replaces its earlier call, so there are never
/// more readers than peers.
async fn accept(listener: UnixListener, links: Links) {
    let mut readers = JoinSet::new();
    let mut by_peer: BTreeMap<OperatorId, AbortHandle> = BTreeMap::new();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Out of file handles, say: others may be closed soon.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(Ok(id)) = timeout(GREETING, stream.read_u8()).await else {
            continue;
        };
        let Some(link) = lock(&links).get(&OperatorId::new(id)).cloned() else {
            continue;
        };
        let reader = readers.spawn(async move {
            // The end of a connection is no error here: the peer calls again.
            let _ = read(stream, &link.inward).await;
        });
        if let Some(earlier) = by_peer.insert(OperatorId::new(id), reader) {
            earlier.abort();
        }
        while readers.try_join_next().is_some() {}
    }
}

/// Reads frames, each after its length, until the connection ends.
async fn read(mut stream: UnixStream, inward: &Lane) -> io::Result<()> {
    loop {
        let length = stream.read_u32_le().await?;
        if length as usize > MAX_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Grows with what comes, not with what is announced.
        let mut frame = Vec::new();
        (&mut stream)
            .take(length.into())
            .read_to_end(&mut frame)
            .await?;
        if frame.len() < length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Never waits: if the lane is full, its oldest frame goes.
        inward.push(frame.into());
    }
}

/// Sends what waits for a peer, over one connection after the other.
async fn keep_sending(path: PathBuf, me: OperatorId, link: Arc<Link>) {
    let mut first = true;
    loop {
        if let Ok(stream) = UnixStream::connect(&path).await {
            if !first {
                link.reconnects.fetch_add(1, Ordering::Relaxed);
            }
            first = false;
            link.connected.store(true, Ordering::Relaxed);
            // A frame that a broken connection takes along is lost, as frames may be.
            let _ = send(stream, me, &link.outbox).await;
            link.connected.store(false, Ordering::Relaxed);
        }
        tokio::time::sleep(PAUSE).await;
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
        self.check(&frame)?;
        for link in lock(&self.links).values() {
            // The bytes are shared, not copied.
            link.outward.push(frame.clone());
        }
        Ok(())
    }

    // Without these two, a frame for one operator goes to all.
    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        self.check(&frame)?;
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
        // Gone already when closed twice.
        let _ = std::fs::remove_file(self.folder.join(self.me.to_string()));
    }
}

/// How the contract's tests get their messengers.
struct Folders;

#[async_trait]
impl contract::Cluster for Folders {
    type Messenger = UnixMessenger;
    /// The folder goes when a test ends.
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
    let anna = UnixMessenger::bind(folder.path(), OperatorId::new(0))?;
    anna.add_peer(OperatorId::new(1));
    // Sent before there is anyone: it waits for a while, in a queue that has an end.
    anna.broadcast(Bytes::from_static(b"a frame")).await?;
    let bert = UnixMessenger::bind(folder.path(), OperatorId::new(1))?;
    bert.add_peer(anna.me);
    println!("bert got {:?}", bert.recv().await?);
    println!("frames that anna handed over: {}", anna.stats().frames_out);
    anna.close().await;
    bert.close().await;

    // An operator takes any `Arc<dyn Messenger>`. This is what makes one as good as those that are
    // here already.
    contract::run(&Folders).await;
    println!("the contract holds");
    Ok(())
}

#[test]
fn runs_to_its_end() {
    main().expect("the example runs");
}
