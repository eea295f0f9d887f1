//! A node that omits a transaction from the blocks that it serves: a proxy in front of an honest one.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use federation_chain::{Block, Dialect};
use hex_conservative::{DisplayHex, FromHex};
use serde_json::Value;

pub(crate) struct LyingNode {
    pub(crate) url: String,
    lies: Arc<AtomicBool>,
}

impl LyingNode {
    /// Starts a proxy in front of the node with this RPC, which lies at first.
    pub(crate) fn before(url: &str) -> Self {
        let node: SocketAddr = url
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .expect("an address");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let lies = Arc::new(AtomicBool::new(true));
        let lying = lies.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lies = lying.clone();
                std::thread::spawn(move || while serve(&stream, node, &lies).is_some() {});
            }
        });
        Self {
            url: format!("http://{address}"),
            lies,
        }
    }

    pub(crate) fn stop_lying(&self) {
        self.lies.store(false, Ordering::SeqCst);
    }
}

/// Answers one request; returns none if the client has disconnected.
fn serve(client: &TcpStream, node: SocketAddr, lies: &AtomicBool) -> Option<()> {
    let (head, body) = message(client)?;
    let authorization = header(&head, "authorization").unwrap_or_default();
    let mut upstream = TcpStream::connect(node).ok()?;
    write!(
        upstream,
        "POST / HTTP/1.1\r\nHost: node\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .ok()?;
    upstream.write_all(&body).ok()?;
    let (head, mut answer) = message(&upstream)?;
    let asked: Value = serde_json::from_slice(&body).ok()?;
    if lies.load(Ordering::SeqCst)
        && asked["method"] == "getblock"
        && let Some(less) = without_last(&answer)
    {
        answer = less;
    }
    let status = head.lines().next().unwrap_or_default();
    let mut client = client;
    write!(
        client,
        "{status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    )
    .ok()?;
    client.write_all(&answer).ok()
}

/// Removes the last transaction from an answer with a block, unless that is the coinbase.
fn without_last(answer: &[u8]) -> Option<Vec<u8>> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let bytes = Vec::<u8>::from_hex(answer["result"].as_str()?).ok()?;
    let block = Block::decode(Dialect::Dynafed, bytes.into()).ok()?;
    let mut transactions = block.transactions().ok()?;
    if block.height().to_u32() == 0 || transactions.len() < 2 {
        return None;
    }
    transactions.pop();
    let less = Block::from_parts(block.header().clone(), &transactions);
    answer["result"] = less.as_bytes().to_lower_hex_string().into();
    serde_json::to_vec(&answer).ok()
}

/// Reads an HTTP message: its head, and the body of the length given in it.
fn message(mut stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = header(&head, "content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
