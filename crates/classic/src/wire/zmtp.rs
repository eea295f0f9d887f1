//! A bounded subset of ZMTP 3.0: PUB and SUB sockets without security.
//!
//! Specification: <https://rfc.zeromq.org/spec/23/>. The `zeromq` crate allocates as many bytes as a
//! peer announces, before any of them arrive, so it is not used where anybody can connect.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest command, in bytes; only handshakes and heartbeats use commands.
const MAX_COMMAND: u64 = 1024;
/// How much is read from a connection at a time, in bytes.
const CHUNK: usize = 64 * 1024;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The two kinds of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pub,
    Sub,
}

impl Kind {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Pub => b"PUB",
            Self::Sub => b"SUB",
        }
    }

    /// The socket types accepted at the other end.
    const fn peers(self) -> [&'static [u8]; 2] {
        match self {
            Self::Pub => [b"SUB", b"XSUB"],
            Self::Sub => [b"PUB", b"XPUB"],
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A received frame: a message of one part, or a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(Bytes),
    Command(Bytes),
}

/// Performs the handshake with a peer.
pub(super) async fn handshake(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    kind: Kind,
) -> io::Result<()> {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting).await?;
    let mut peer = [0; 64];
    stream.read_exact(&mut peer).await?;
    if peer[0] != 0xff || peer[9] & 1 == 0 || peer[10] < 3 {
        return Err(broken("the peer does not speak ZMTP 3"));
    }
    if peer[12..32] != greeting[12..32] {
        return Err(broken("the peer requires a security mechanism"));
    }
    stream.write_all(&ready(kind)).await?;
    let Frame::Command(command) = read(stream, MAX_COMMAND).await? else {
        return Err(broken("message before the end of the handshake"));
    };
    let found = socket_type(&command).ok_or_else(|| broken("READY without a socket type"))?;
    if !kind.peers().contains(&found) {
        return Err(broken("unsuitable socket type"));
    }
    Ok(())
}

fn ready(kind: Kind) -> Bytes {
    let mut body = BytesMut::new();
    body.put_slice(b"\x05READY");
    body.put_slice(b"\x0bSocket-Type");
    // Three letters.
    body.put_u32(3);
    body.put_slice(kind.name());
    frame(COMMAND, &body)
}

/// Returns the socket type in a peer's READY.
fn socket_type(command: &[u8]) -> Option<&[u8]> {
    let mut rest = command.strip_prefix(b"\x05READY")?;
    while let Some((&length, after)) = rest.split_first() {
        let (name, after) = after.split_at_checked(length.into())?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (value, after) = after.split_at_checked(length)?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// Encodes a message of one part.
pub(super) fn message(body: &[u8]) -> Bytes {
    frame(0, body)
}

fn frame(flags: u8, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(length) => {
            bytes.put_u8(flags);
            bytes.put_u8(length);
        }
        Err(_) => {
            bytes.put_u8(flags | LONG);
            bytes.put_u64(body.len() as u64);
        }
    }
    bytes.put_slice(body);
    bytes.freeze()
}

/// Reads the next frame, of at most `limit` bytes. Memory grows with the bytes received, not with the
/// length announced.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), limit: u64) -> io::Result<Frame> {
    let flags = stream.read_u8().await?;
    if flags & !(LONG | COMMAND) != 0 {
        return Err(broken(if flags & MORE == 0 {
            "frame with unknown flags"
        } else {
            "message of several parts"
        }));
    }
    let length = if flags & LONG == 0 {
        u64::from(stream.read_u8().await?)
    } else {
        stream.read_u64().await?
    };
    let command = flags & COMMAND != 0;
    if length > if command { MAX_COMMAND } else { limit } {
        return Err(broken("frame over the limit"));
    }
    let mut body = BytesMut::new();
    let mut rest = stream.take(length);
    while rest.limit() > 0 {
        body.reserve(CHUNK.min(usize::try_from(rest.limit()).unwrap_or(CHUNK)));
        if rest.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body = body.freeze();
    Ok(if command {
        Frame::Command(body)
    } else {
        Frame::Message(body)
    })
}

/// Returns the answer to a heartbeat, if the command is one: PING has a time to live and a context.
pub(super) fn pong(command: &[u8]) -> Option<Bytes> {
    let context = command.strip_prefix(b"\x04PING")?.get(2..)?;
    Some(frame(COMMAND, &[b"\x04PONG", context].concat()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[tokio::test]
    async fn a_publisher_accepts_a_subscriber_and_nothing_else() {
        let (mut a, mut b) = tokio::io::duplex(1024);
        let (one, other) = tokio::join!(handshake(&mut a, Kind::Pub), handshake(&mut b, Kind::Sub));
        one.expect("a subscriber is there");
        other.expect("a publisher is there");
        let (mut a, mut b) = tokio::io::duplex(1024);
        let (one, other) = tokio::join!(handshake(&mut a, Kind::Sub), handshake(&mut b, Kind::Sub));
        assert!(one.is_err() && other.is_err());
    }

    #[tokio::test]
    async fn frames_over_the_limit_are_refused_before_they_arrive() {
        let announced = [LONG, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(read(&mut &announced[..], 1000).await.is_err());
        let within = message(&[7; 1000]);
        assert_eq!(
            read(&mut &within[..], 1000).await.expect("within"),
            Frame::Message(Bytes::from(vec![7; 1000]))
        );
        assert!(read(&mut &within[..], 999).await.is_err());
        assert!(read(&mut &[MORE, 1, 7, 0, 1, 7][..], 1000).await.is_err());
    }

    #[test]
    fn a_heartbeat_is_answered_with_its_context() {
        assert_eq!(
            pong(b"\x04PING\x00\x0acontext").as_deref(),
            Some(&b"\x04\x0c\x04PONGcontext"[..])
        );
        assert_eq!(pong(b"\x04PONGcontext"), None);
        assert_eq!(pong(b"\x04PING"), None);
    }

    proptest! {
        #[test]
        fn messages_read_back(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let read = now(read(&mut &message(&body)[..], 600)).expect("within");
            prop_assert_eq!(read, Frame::Message(body.into()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = now(read(&mut &bytes[..], 1 << 40));
            let _ = socket_type(&bytes);
        }
    }
}
