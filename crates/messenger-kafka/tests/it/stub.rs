//! A fake broker that speaks just enough of Kafka's protocol to be faulty.
//!
//! It answers as for one topic, in old protocol versions where there is a choice, and stores nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The broker's faults.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// It closes all connections.
    pub(super) closes: bool,
    /// It advertises this port instead of its own.
    pub(super) advertises: Option<u16>,
    /// It answers every query for a topic with this error.
    pub(super) topics: i16,
    /// It answers a fetch with a new leader for an unnamed topic.
    pub(super) leader_of_nothing: bool,
    /// It refuses producers as fenced.
    pub(super) fences: bool,
    /// The topic names in its metadata.
    pub(super) names: Names,
}

/// Topic names in metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Names {
    /// As requested.
    #[default]
    Requested,
    /// Empty strings.
    Empty,
    /// Null, where the protocol requires a name.
    Null,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub(super) struct Stub {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
    metadata_requests: Arc<AtomicUsize>,
    producers: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    pub(super) async fn start(faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let metadata_requests = Arc::new(AtomicUsize::new(0));
        let producers = Arc::new(AtomicUsize::new(0));
        let counts = (Arc::clone(&metadata_requests), Arc::clone(&producers));
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                if !faults.closes {
                    serving.spawn(serve(stream, faults, port, counts.clone()));
                }
            }
        });
        Self {
            port,
            connections,
            metadata_requests,
            producers,
            task,
        }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the number of metadata requests.
    pub(super) fn metadata_requests(&self) -> usize {
        self.metadata_requests.load(Ordering::Relaxed)
    }

    /// Returns the number of producers that requested an id.
    pub(super) fn producers(&self) -> usize {
        self.producers.load(Ordering::Relaxed)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// The requests it supports, with their first and last versions.
const SUPPORTED: [(i16, i16, i16); 8] = [
    (PRODUCE, 0, 7),
    (FETCH, 0, 12),
    (LIST_OFFSETS, 0, 2),
    (METADATA, 0, 1),
    (FIND_COORDINATOR, 0, 0),
    (VERSIONS, 0, 0),
    (19, 0, 2), // CreateTopics
    (INIT_PRODUCER, 0, 0),
];

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const VERSIONS: i16 = 18;
const INIT_PRODUCER: i16 = 22;

/// Answers requests until one is unknown or the connection ends.
async fn serve(
    mut stream: TcpStream,
    faults: Faults,
    port: u16,
    (metadata_requests, producers): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    while let Ok(length) = stream.read_i32().await {
        let mut request = vec![0; usize::try_from(length).unwrap_or_default()];
        if stream.read_exact(&mut request).await.is_err() {
            return;
        }
        let mut request = &request[..];
        let (key, version) = (take_i16(&mut request), take_i16(&mut request));
        metadata_requests.fetch_add(usize::from(key == METADATA), Ordering::Relaxed);
        producers.fetch_add(usize::from(key == INIT_PRODUCER), Ordering::Relaxed);
        let correlation = take(&mut request, 4).to_vec();
        let client = usize::try_from(take_i16(&mut request)).unwrap_or_default();
        take(&mut request, client);
        let Some(body) = answer(key, version, request, faults, port) else {
            return;
        };
        // Like a real broker, delay the answer to a fetch with no data.
        if key == FETCH {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let answer = [&correlation[..], &body].concat();
        let length = i32::try_from(answer.len()).expect("short");
        let sent = [&length.to_be_bytes()[..], &answer].concat();
        if stream.write_all(&sent).await.is_err() {
            return;
        }
    }
}

fn answer(key: i16, version: i16, request: &[u8], faults: Faults, port: u16) -> Option<Vec<u8>> {
    let advertised = i32::from(faults.advertises.unwrap_or(port));
    let mut out = Out::default();
    match key {
        VERSIONS => {
            // Only the oldest version is supported.
            out.i16(if version > 0 { 35 } else { 0 });
            out.i32(SUPPORTED.len());
            for (key, first, last) in SUPPORTED {
                out.i16(key).i16(first).i16(last);
            }
        }
        METADATA => {
            out.i32(1_usize).i32(1_usize).text("127.0.0.1");
            out.raw(&advertised.to_be_bytes()).i16(-1).i32(1_usize);
            let topics = topics_of_metadata(request);
            out.i32(topics.len());
            for topic in topics {
                out.i16(faults.topics);
                match faults.names {
                    Names::Requested => out.text(&topic),
                    Names::Empty => out.text(""),
                    Names::Null => out.i16(-1),
                };
                out.raw(&[0]);
                if faults.topics == 0 {
                    out.i32(1_usize).i16(0).i32(0_usize).i32(1_usize);
                    out.i32(1_usize).i32(1_usize).i32(1_usize).i32(1_usize);
                } else {
                    out.i32(0_usize);
                }
            }
        }
        LIST_OFFSETS => {
            let topics = topics_of_offsets(request, version);
            if version >= 2 {
                out.i32(0_usize);
            }
            out.i32(topics.len());
            for topic in topics {
                out.text(&topic).i32(1_usize).i32(0_usize).i16(0);
                out.raw(&(-1_i64).to_be_bytes()).raw(&0_i64.to_be_bytes());
            }
        }
        INIT_PRODUCER => {
            out.i32(0_usize).i16(0).raw(&1_i64.to_be_bytes()).i16(0);
        }
        PRODUCE if faults.fences => {
            let mut request = request;
            // Skip transaction, acks and timeout.
            take(&mut request, 2 + 2 + 4 + 4);
            out.i32(1_usize).text(&take_text(&mut request));
            out.i32(1_usize).i32(0_usize).i16(90);
            for _ in 0..3 {
                out.raw(&(-1_i64).to_be_bytes());
            }
            out.i32(0_usize);
        }
        FETCH if faults.leader_of_nothing && version == 12 => {
            // Tags, throttle, error, session, one topic.
            out.raw(&[0]).i32(0_usize).i16(0).i32(0_usize).raw(&[2]);
            out.raw(&[2]).raw(b"x").raw(&[2]);
            // Partition 0 is not led by this broker.
            out.i32(0_usize).i16(6);
            for _ in 0..3 {
                out.raw(&(-1_i64).to_be_bytes());
            }
            out.raw(&[0]).raw(&(-1_i32).to_be_bytes()).raw(&[1]);
            // Its leader is broker 1, in epoch 1.
            out.raw(&[1, 1, 9]).i32(1_usize).i32(1_usize).raw(&[0]);
            out.raw(&[0]);
            // The address of broker 1.
            let broker = [
                &[2, 0, 0, 0, 1, 10][..],
                b"127.0.0.1",
                &advertised.to_be_bytes(),
                &[0, 0],
            ]
            .concat();
            let size = u8::try_from(broker.len()).expect("short");
            out.raw(&[1, 0, size]).raw(&broker);
        }
        _ => return None,
    }
    Some(out.0)
}

fn topics_of_metadata(mut request: &[u8]) -> Vec<String> {
    let count = take_i32(&mut request);
    (0..count).map(|_| take_text(&mut request)).collect()
}

fn topics_of_offsets(mut request: &[u8], version: i16) -> Vec<String> {
    take(&mut request, if version >= 2 { 5 } else { 4 });
    let count = take_i32(&mut request);
    (0..count)
        .map(|_| {
            let topic = take_text(&mut request);
            let partitions = take_i32(&mut request);
            for _ in 0..partitions {
                take(&mut request, if version == 0 { 16 } else { 12 });
            }
            topic
        })
        .collect()
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(count.min(from.len()));
    *from = rest;
    taken
}

fn take_i16(from: &mut &[u8]) -> i16 {
    take(from, 2).try_into().map_or(0, i16::from_be_bytes)
}

fn take_i32(from: &mut &[u8]) -> i32 {
    take(from, 4).try_into().map_or(0, i32::from_be_bytes)
}

fn take_text(from: &mut &[u8]) -> String {
    let length = usize::try_from(take_i16(from)).unwrap_or_default();
    String::from_utf8_lossy(take(from, length)).into_owned()
}

/// An answer being written.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn i16(&mut self, number: i16) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    fn i32(&mut self, number: usize) -> &mut Self {
        let number = i32::try_from(number).expect("small");
        self.raw(&number.to_be_bytes())
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.i16(i16::try_from(text.len()).expect("short"));
        self.raw(text.as_bytes())
    }
}
