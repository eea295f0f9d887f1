//! What both kinds of link have in common: the outer connection, and the way from it to a socket
//! of the `zeromq` crate.

use core::time::Duration;
use std::io;

use federation_roster::OperatorId;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use zeromq::{SocketOptions, ZmqError};

use crate::{
    config::LinkLimits,
    gate::{GateError, relay},
    greeting::Opening,
    wire::WireError,
};

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Zmq(#[from] ZmqError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("no connection within {0:?}")]
    Connect(Duration),
    #[error("no subscription within {0:?}")]
    Unsubscribed(Duration),
    #[error(
        "the connection comes from this messenger itself: remove its own endpoint from its peers"
    )]
    Oneself,
    #[error("a publisher of no known operator")]
    Unknown,
    #[error("too many publishers claim to be operator {0}")]
    Claimed(OperatorId),
    #[error("the messenger is closed")]
    Closed,
}

/// The first probe of a silent connection, those after it, and how many may go unanswered: a peer
/// whose machine is gone is noticed within half a minute.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// Sets up an outer connection.
pub(crate) fn tune(outer: &TcpStream) -> io::Result<()> {
    outer.set_nodelay(true)?;
    let (first, next, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new()
        .with_time(first)
        .with_interval(next)
        .with_retries(retries);
    SockRef::from(outer).set_tcp_keepalive(&keepalive)
}

/// A way from an outer connection to one socket of the `zeromq` crate.
///
/// The crate's socket connects to the bridge, never listens: so no other program of this machine
/// reaches it either. One that gets to the bridge first is passed on to the peer, which it could
/// reach by itself, and makes this link fail.
pub(crate) struct Bridge {
    listener: TcpListener,
    endpoint: String,
}

impl Bridge {
    pub(crate) async fn new() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        Ok(Self { listener, endpoint })
    }

    /// Where the crate's socket connects to.
    pub(crate) fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Passes bytes on until either side ends.
    pub(crate) async fn run(
        self,
        outer: TcpStream,
        mut opening: Opening,
        stall: Duration,
    ) -> LinkError {
        let mut inner = match self.listener.accept().await {
            Ok((inner, _)) => inner,
            Err(error) => return error.into(),
        };
        drop(self.listener);
        if let Err(error) = inner.set_nodelay(true) {
            return error.into();
        }
        if let Err(error) = opening.catch_up(&mut inner).await {
            return error.into();
        }
        relay(outer, inner, opening.meter, stall).await.into()
    }
}

pub(crate) fn options(limits: &LinkLimits) -> SocketOptions {
    let mut options = SocketOptions::default();
    options.connect_timeout(limits.handshake);
    options
}
