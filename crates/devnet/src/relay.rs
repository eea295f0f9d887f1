//! The protocol by which devnet nodes relay blocks and transactions: frames over TCP.
//!
//! A frame is a length (u32, little-endian), a kind (one byte) and a payload:
//!
//! | kind | payload |
//! |---|---|
//! | 0 hello | genesis hash (32 bytes), height of the tip (u32, little-endian) |
//! | 1 block | a block |
//! | 2 transaction | a transaction |
//! | 3 get blocks | the first height requested (u32, little-endian) |

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use elements::{Transaction, encode::deserialize};
use federation_chain::{Block, BlockHash};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::{broadcast, mpsc},
};

use crate::node::{Accepted, Shared};

/// The maximum size of a frame, in bytes.
const MAX_FRAME: usize = 16 * 1024 * 1024;
/// The maximum number of blocks in the response to one request.
const BATCH: usize = 50;
/// The pause before reconnecting to a peer.
const PAUSE: Duration = Duration::from_millis(200);

const HELLO: u8 = 0;
const BLOCK: u8 = 1;
const TRANSACTION: u8 = 2;
const GET_BLOCKS: u8 = 3;

/// Messages to all peers.
#[derive(Debug, Clone)]
pub(crate) enum Gossip {
    Block(Bytes),
    Transaction(Bytes),
    /// Disconnects all peers.
    Leave,
}

/// Accepts peers until the node stops.
pub(crate) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                if shared.hooks.isolated.load(Ordering::Relaxed) {
                    continue;
                }
                shared.tasks.spawn(talk(shared.clone(), stream));
            }
        }
    }
}

/// Maintains a connection to one peer until the node stops.
pub(crate) async fn connect(shared: Arc<Shared>, peer: SocketAddr) {
    while !shared.stop.is_cancelled() {
        if !shared.hooks.isolated.load(Ordering::Relaxed)
            && let Ok(stream) = TcpStream::connect(peer).await
        {
            talk(shared.clone(), stream).await;
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn talk(shared: Arc<Shared>, stream: TcpStream) {
    // Latency matters more than the number of packets on loopback.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (responses, to_send) = mpsc::channel(4);
    let gossip = shared.gossip.subscribe();
    shared.state().peers += 1;
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = receive(&shared, reader, responses) => {}
        () = send(&shared, writer, gossip, to_send) => {}
    }
    shared.state().peers -= 1;
}

/// Reads frames until the peer disconnects or violates the protocol.
async fn receive(shared: &Shared, mut reader: OwnedReadHalf, responses: mpsc::Sender<Vec<Bytes>>) {
    loop {
        let Ok(length) = reader.read_u32_le().await else {
            return;
        };
        if length == 0 || length as usize > MAX_FRAME {
            return;
        }
        // Grows with the bytes received, not with the length announced.
        let mut frame = Vec::new();
        let read = (&mut reader)
            .take(length.into())
            .read_to_end(&mut frame)
            .await;
        if read.ok() != Some(length as usize) {
            return;
        }
        let response = handle(shared, &frame.into());
        match response {
            None => return,
            Some(frames) if frames.is_empty() => {}
            Some(frames) => {
                if responses.send(frames).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Handles one frame. Returns the response, or `None` if the peer violates the protocol.
fn handle(shared: &Shared, frame: &Bytes) -> Option<Vec<Bytes>> {
    let payload = frame.slice(1..);
    match frame[0] {
        HELLO => {
            let (genesis, height) = payload.split_first_chunk::<32>()?;
            let height = u32::from_le_bytes(height.try_into().ok()?);
            let state = shared.state();
            if state.ledger.at(0)?.block_hash() != BlockHash::from_bytes(*genesis) {
                return None;
            }
            let height_here = state.ledger.height().to_u32();
            Some(if height > height_here {
                vec![get_blocks(height_here + 1)]
            } else {
                vec![]
            })
        }
        BLOCK => {
            let block = Block::decode(shared.config.dialect, payload).ok()?;
            let height = block.height().to_u32();
            match shared.accept(block) {
                Ok(Accepted::Duplicate) => Some(vec![]),
                // The peer may have more.
                Ok(Accepted::New) => Some(vec![get_blocks(height + 1)]),
                Err(error) => {
                    let height_here = shared.state().ledger.height().to_u32();
                    tracing::debug!(%error, height, height_here, "block of a peer refused");
                    Some(if height > height_here + 1 {
                        vec![get_blocks(height_here + 1)]
                    } else {
                        vec![]
                    })
                }
            }
        }
        TRANSACTION => {
            let transaction: Transaction = deserialize(&payload).ok()?;
            if let Err(error) = shared.accept_transaction(transaction) {
                tracing::debug!(%error, "transaction of a peer refused");
            }
            Some(vec![])
        }
        GET_BLOCKS => {
            let from = u32::from_le_bytes(payload.as_ref().try_into().ok()?) as usize;
            let state = shared.state();
            let blocks = (from..from.saturating_add(BATCH)).map_while(|at| state.ledger.at(at));
            Some(
                blocks
                    .map(|block| frame_of(BLOCK, block.as_bytes()))
                    .collect(),
            )
        }
        _ => None,
    }
}

/// Writes responses and gossip until the peer disconnects.
async fn send(
    shared: &Shared,
    mut writer: OwnedWriteHalf,
    mut gossip: broadcast::Receiver<Gossip>,
    mut responses: mpsc::Receiver<Vec<Bytes>>,
) {
    let mut frames = vec![hello(shared)];
    loop {
        for frame in frames.drain(..) {
            if writer.write_all(&frame).await.is_err() {
                return;
            }
        }
        tokio::select! {
            response = responses.recv() => match response {
                Some(response) => frames = response,
                None => return,
            },
            message = gossip.recv() => match message {
                Ok(Gossip::Block(block)) => frames.push(frame_of(BLOCK, &block)),
                Ok(Gossip::Transaction(bytes)) => frames.push(frame_of(TRANSACTION, &bytes)),
                // Too slow: a new greeting makes the peer request what it has missed.
                Err(broadcast::error::RecvError::Lagged(_)) => frames.push(hello(shared)),
                Ok(Gossip::Leave) | Err(broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}

fn hello(shared: &Shared) -> Bytes {
    let state = shared.state();
    let genesis = state
        .ledger
        .at(0)
        .map_or([0; 32], |block| block.block_hash().to_bytes());
    let height = state.ledger.height().to_u32().to_le_bytes();
    frame_of(HELLO, &[&genesis[..], &height].concat())
}

fn get_blocks(from: u32) -> Bytes {
    frame_of(GET_BLOCKS, &from.to_le_bytes())
}

fn frame_of(kind: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + payload.len());
    frame.put_u32_le(u32::try_from(payload.len() + 1).unwrap_or(u32::MAX));
    frame.put_u8(kind);
    frame.put_slice(payload);
    frame.freeze()
}
