//! The handshake: the greeting and the READY command.

use bytes::{BufMut, BytesMut};

use super::ZmtpError;

/// Size of a greeting.
pub(super) const GREETING: usize = 64;

/// The socket types of publishers and subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "ZMTP defines no others of this kind"
)]
pub enum SocketType {
    /// A publisher.
    Pub,
    /// A subscriber.
    Sub,
    /// A publisher that receives its peers' subscriptions.
    XPub,
    /// A subscriber that sends subscriptions as messages.
    XSub,
}

/// The other end of a connection, as it introduces itself. It is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its socket type.
    pub socket_type: SocketType,
    /// Its identity; empty if it gives none.
    pub identity: Vec<u8>,
}

impl SocketType {
    /// Whether it publishes.
    #[must_use]
    pub const fn is_publisher(self) -> bool {
        matches!(self, Self::Pub | Self::XPub)
    }

    const fn name(self) -> &'static [u8] {
        match self {
            Self::Pub => b"PUB",
            Self::Sub => b"SUB",
            Self::XPub => b"XPUB",
            Self::XSub => b"XSUB",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        let all = [Self::Pub, Self::Sub, Self::XPub, Self::XSub];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// Returns our greeting: ZMTP 3.0 without security.
pub(super) fn greeting() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// Checks the bytes of a peer's greeting received so far.
///
/// # Errors
/// At the first wrong byte of the signature or the version, and for another mechanism than NULL.
pub(super) fn check_greeting(bytes: &[u8]) -> Result<(), ZmtpError> {
    let is_right =
        |index: usize, allowed: fn(u8) -> bool| bytes.get(index).is_none_or(|byte| allowed(*byte));
    let signature = is_right(0, |byte| byte == 0xff) && is_right(9, |byte| byte == 0x7f);
    if !signature || !is_right(10, |byte| byte >= 3) {
        return Err(ZmtpError::Greeting);
    }
    if bytes
        .get(12..32)
        .is_some_and(|name| name != &greeting()[12..32])
    {
        return Err(ZmtpError::Mechanism);
    }
    Ok(())
}

/// Returns the body of a READY command.
pub(super) fn ready(socket_type: SocketType, identity: &[u8]) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_slice(b"\x05READY");
    put_property(&mut body, b"\x0bSocket-Type", socket_type.name());
    if !identity.is_empty() {
        put_property(&mut body, b"\x08Identity", identity);
    }
    body
}

/// Appends a property; its name is prefixed with its length.
fn put_property(body: &mut BytesMut, name: &[u8], value: &[u8]) {
    body.put_slice(name);
    // Identities and socket types are short.
    body.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
    body.put_slice(value);
}

/// Parses a READY command.
///
/// # Errors
/// If it is another command, is malformed, or has another socket type.
pub(super) fn read_ready(body: &[u8]) -> Result<Peer, ZmtpError> {
    properties(body).ok_or(ZmtpError::Ready)
}

fn properties(mut body: &[u8]) -> Option<Peer> {
    if take_short(&mut body)? != b"READY" {
        return None;
    }
    let (mut socket_type, mut identity) = (None, Vec::new());
    while !body.is_empty() {
        let name = take_short(&mut body)?;
        let (length, rest) = body.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        body = rest;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            socket_type = Some(SocketType::from_name(value)?);
        } else if name.eq_ignore_ascii_case(b"Identity") {
            identity = value.to_vec();
        }
    }
    Some(Peer {
        socket_type: socket_type?,
        identity,
    })
}

/// Takes a string of at most 255 bytes, prefixed with its length.
fn take_short<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, rest) = body.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    *body = rest;
    Some(text)
}
