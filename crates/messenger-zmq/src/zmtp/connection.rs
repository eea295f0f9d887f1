//! A connection: the handshake, and then messages in both directions.

use core::{cell::RefCell, future::poll_fn, pin::Pin, task::ready, time::Duration};
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};

use super::{
    Limits, Peer, SocketType, ZmtpError,
    frame::{COMMAND, Decoder, MORE, Received, pong, put_frame},
    handshake::{GREETING, check_greeting, greeting, read_ready, ready as ready_command},
};

/// How much is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One read buffer for all connections of a thread: an idle connection holds none.
    static CHUNK_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
}

/// The first probe of a silent connection, the interval of further probes, and how many may go
/// unanswered: a peer whose machine is gone is noticed within half a minute.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// A connection to a peer, over a stream.
///
/// Dropping the future of a [`recv`](Self::recv) or a [`send`](Self::send) loses nothing: bytes received
/// and bytes to send are kept for the next call.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    stall: Duration,
    decoder: Decoder,
    /// Bytes received and not decoded yet.
    unread: BytesMut,
    /// Bytes to send before anything else.
    unsent: BytesMut,
}

impl Connection<TcpStream> {
    /// Creates a connection over TCP, without delays and with keep-alive.
    ///
    /// # Errors
    /// If the system refuses these options.
    pub fn tcp(stream: TcpStream, limits: Limits, stall: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (first, next, retries) = KEEPALIVE;
        let keepalive = TcpKeepalive::new()
            .with_time(first)
            .with_interval(next)
            .with_retries(retries);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self::new(stream, limits, stall))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Creates a connection before its handshake. `stall` limits how long the peer may read nothing
    /// while data is waiting for it.
    #[must_use]
    pub fn new(stream: S, limits: Limits, stall: Duration) -> Self {
        Self {
            stream,
            stall,
            decoder: Decoder::new(limits),
            unread: BytesMut::new(),
            unsent: BytesMut::new(),
        }
    }

    /// Changes the limits for frames that have not been announced yet.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }

    /// Performs the whole handshake as a socket of this type; `identity` may be empty. There is no
    /// timeout.
    ///
    /// # Errors
    /// If the peer does not speak ZMTP 3, is a socket of an unsuitable type, or exceeds a limit.
    pub async fn handshake(
        &mut self,
        socket_type: SocketType,
        identity: &[u8],
    ) -> Result<Peer, ZmtpError> {
        self.greet().await?;
        self.ready(socket_type, identity).await?;
        let peer = self.receive_ready().await?;
        if peer.socket_type.is_publisher() == socket_type.is_publisher() {
            return Err(ZmtpError::Ready);
        }
        Ok(peer)
    }

    /// Performs the first half of a handshake, for a listener that accepts publishers and
    /// subscribers: greets the peer and waits until it has introduced itself.
    /// [`ready`](Self::ready) is the second half.
    ///
    /// # Errors
    /// As [`handshake`](Self::handshake).
    pub async fn accept(&mut self) -> Result<Peer, ZmtpError> {
        self.greet().await?;
        self.receive_ready().await
    }

    /// Introduces this end as a socket of this type; `identity` may be empty.
    ///
    /// # Errors
    /// If the peer does not read.
    pub async fn ready(
        &mut self,
        socket_type: SocketType,
        identity: &[u8],
    ) -> Result<(), ZmtpError> {
        put_frame(
            &mut self.unsent,
            COMMAND,
            &ready_command(socket_type, identity),
        );
        self.flush().await
    }

    /// Waits for the next message, and answers heartbeats.
    ///
    /// # Errors
    /// If the connection ends, or the peer exceeds a limit or does not read the answers.
    pub async fn recv(&mut self) -> Result<Vec<Bytes>, ZmtpError> {
        loop {
            match self.receive_frame().await? {
                Received::Message(parts) => return Ok(parts),
                Received::Command(command) => {
                    if let Some(pong) = pong(&command) {
                        put_frame(&mut self.unsent, COMMAND, &pong);
                    }
                }
            }
        }
    }

    /// Sends a message of at least one part.
    ///
    /// # Errors
    /// If the connection ends, or the peer does not read.
    pub async fn send(&mut self, parts: &[impl AsRef<[u8]>]) -> Result<(), ZmtpError> {
        for (index, part) in parts.iter().enumerate() {
            let flags = if index + 1 < parts.len() { MORE } else { 0 };
            put_frame(&mut self.unsent, flags, part.as_ref());
        }
        self.flush().await
    }

    /// Subscribes to all topics that begin with this one.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn subscribe(&mut self, topic: &[u8]) -> Result<(), ZmtpError> {
        self.send(&[[&[1], topic].concat()]).await
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn unsubscribe(&mut self, topic: &[u8]) -> Result<(), ZmtpError> {
        self.send(&[[&[0], topic].concat()]).await
    }

    /// Exchanges greetings.
    async fn greet(&mut self) -> Result<(), ZmtpError> {
        self.unsent.extend_from_slice(&greeting());
        self.flush().await?;
        while self.unread.len() < GREETING {
            self.fill().await?;
            check_greeting(&self.unread[..self.unread.len().min(GREETING)])?;
        }
        self.unread.advance(GREETING);
        Ok(())
    }

    async fn receive_ready(&mut self) -> Result<Peer, ZmtpError> {
        match self.receive_frame().await? {
            Received::Command(command) => read_ready(&command),
            Received::Message(_) => Err(ZmtpError::Ready),
        }
    }

    async fn receive_frame(&mut self) -> Result<Received, ZmtpError> {
        loop {
            self.flush().await?;
            if let Some(received) = self.decoder.decode(&mut self.unread)? {
                return Ok(received);
            }
            // Nothing is left to decode: an idle connection holds no buffer.
            self.unread = BytesMut::new();
            self.fill().await?;
        }
    }

    /// Reads some bytes.
    async fn fill(&mut self) -> Result<(), ZmtpError> {
        poll_fn(|context| {
            CHUNK_BUFFER.with_borrow_mut(|chunk| {
                let mut chunk = ReadBuf::new(chunk);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut chunk))?;
                let received = chunk.filled();
                if received.is_empty() {
                    return Err(ZmtpError::Closed).into();
                }
                self.unread.extend_from_slice(received);
                self.decoder.count(received.len()).into()
            })
        })
        .await
    }

    /// Writes all bytes to send, as long as the peer reads some of them in time.
    async fn flush(&mut self) -> Result<(), ZmtpError> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        while !self.unsent.is_empty() {
            match timeout(self.stall, self.stream.write_buf(&mut self.unsent)).await {
                Ok(Ok(0)) => return Err(ZmtpError::Closed),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(ZmtpError::Stalled(self.stall)),
            }
        }
        self.unsent = BytesMut::new();
        Ok(())
    }
}
