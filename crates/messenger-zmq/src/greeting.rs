//! The beginning of a connection that somebody made to us: which kind of socket is at its other end.
//!
//! A listener of ZeroMQ is one socket of one kind. Here those who call decide: a subscriber is
//! served, a publisher is heard. Only the greeting and the command READY are read for it, under the
//! limits of the gate; then they are handed on to a socket of the crate as if it had read them.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::gate::{COMMAND, GREETING, GateError, GateLimits, LONG, MAX_COMMAND, Meter};

/// Most bytes until the command has come: no honest peer sends more before it has our answer.
const MOST: usize = GREETING + 9 + MAX_COMMAND as usize + 4096;

/// What the other end is, and who it says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Subscriber,
    Publisher { identity: Vec<u8> },
}

/// What has been read and said on a connection so far.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) meter: Meter,
    /// Bytes of the peer that the crate's socket has yet to read.
    read: Vec<u8>,
    /// Whether our greeting has been sent: the crate's own goes nowhere.
    greeted: bool,
}

impl Opening {
    /// Nothing yet, as on a connection that we made.
    pub(crate) const fn none(limits: GateLimits) -> Self {
        Self {
            meter: Meter::new(limits),
            read: Vec::new(),
            greeted: false,
        }
    }

    /// Changes the limits of what is to come, now that it is known who calls.
    pub(crate) const fn limit(&mut self, limits: GateLimits) {
        self.meter.set_limits(limits);
    }

    /// Brings the crate's socket to where the connection is.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(crate) async fn catch_up(&mut self, inner: &mut TcpStream) -> io::Result<()> {
        inner.write_all(&self.read).await?;
        self.read = Vec::new();
        if self.greeted {
            inner.read_exact(&mut [0; GREETING]).await?;
        }
        Ok(())
    }
}

/// Greets, and waits until the peer has said what it is.
///
/// # Errors
/// If it is over a limit, no ZMTP, or of a kind that there is no use for.
pub(crate) async fn greet(
    outer: &mut TcpStream,
    limits: GateLimits,
) -> Result<(Caller, Opening), GateError> {
    let mut opening = Opening::none(limits);
    outer.write_all(&ours()).await?;
    opening.greeted = true;
    loop {
        let mut chunk = [0; 1024];
        let read = outer.read(&mut chunk).await?;
        if read == 0 {
            return Err(GateError::Closed);
        }
        opening.meter.feed(&chunk[..read])?;
        opening.read.extend_from_slice(&chunk[..read]);
        if let Some(caller) = caller(&opening.read)? {
            return Ok((caller, opening));
        }
        if opening.read.len() > MOST {
            return Err(GateError::Greeting);
        }
    }
}

/// ZMTP 3.0 without security, as the crate says it.
fn ours() -> [u8; GREETING] {
    let mut greeting = [0; GREETING];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// What the bytes say so far, after the greeting, which the meter has checked; nothing if the
/// command is not there yet.
fn caller(bytes: &[u8]) -> Result<Option<Caller>, GateError> {
    let Some((&flags, rest)) = bytes.get(GREETING..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    if flags & COMMAND == 0 {
        return Err(GateError::Flags(flags));
    }
    let (length, rest) = if flags & LONG == 0 {
        let Some((&length, rest)) = rest.split_first() else {
            return Ok(None);
        };
        (usize::from(length), rest)
    } else {
        let Some((length, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let length = u64::from_be_bytes(*length);
        let length = usize::try_from(length).map_err(|_| GateError::Command(length))?;
        (length, rest)
    };
    match rest.get(..length) {
        Some(body) => ready(body).map(Some).ok_or(GateError::Ready),
        None => Ok(None),
    }
}

/// What a command READY says.
fn ready(mut body: &[u8]) -> Option<Caller> {
    let name = take_short(&mut body)?;
    if name != b"READY" {
        return None;
    }
    let (mut kind, mut identity) = (None, Vec::new());
    while !body.is_empty() {
        let name = take_short(&mut body)?;
        let (length, rest) = body.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        body = rest;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            kind = Some(value);
        } else if name.eq_ignore_ascii_case(b"Identity") {
            identity = value.to_vec();
        }
    }
    match kind? {
        b"SUB" | b"XSUB" => Some(Caller::Subscriber),
        b"PUB" | b"XPUB" => Some(Caller::Publisher { identity }),
        _ => None,
    }
}

/// Takes a text of at most 255 bytes after its length.
fn take_short<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&length, rest) = body.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    *body = rest;
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn property(name: &str, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).expect("short");
        let name_length = u8::try_from(name.len()).expect("short");
        [
            &[name_length],
            name.as_bytes(),
            &length.to_be_bytes(),
            value,
        ]
        .concat()
    }

    fn hello(properties: &[Vec<u8>]) -> Vec<u8> {
        let body = [b"\x05READY".to_vec(), properties.concat()].concat();
        let length = u8::try_from(body.len()).expect("short");
        [&ours()[..], &[COMMAND, length], &body].concat()
    }

    #[test]
    fn who_calls_is_read_once_the_command_is_whole() {
        for kind in ["SUB", "XSUB"] {
            let bytes = hello(&[property("Socket-Type", kind.as_bytes())]);
            for end in 0..bytes.len() {
                assert!(matches!(caller(&bytes[..end]), Ok(None)), "{end}");
            }
            assert!(matches!(caller(&bytes), Ok(Some(Caller::Subscriber))));
        }
        for kind in ["PUB", "XPUB"] {
            let bytes = hello(&[
                property("identity", b"operator-3"),
                property("socket-type", kind.as_bytes()),
                property("X-Other", b""),
            ]);
            let more = [&bytes[..], b"\x00\x01\x01"].concat();
            match caller(&more) {
                Ok(Some(Caller::Publisher { identity })) => assert_eq!(identity, b"operator-3"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_use_is_refused() {
        for bytes in [
            hello(&[property("Socket-Type", b"REQ")]),
            hello(&[property("Identity", b"x")]),
            hello(&[]),
            hello(&[property("Socket-Type", b"SUB"), vec![200, 1]]),
            hello(&[b"\x0bSocket-Type\xff\xff\xff\xffSUB".to_vec()]),
            [&ours()[..], b"\x04\x03abc"].concat(),
            [&ours()[..], b"\x04\x00"].concat(),
            [&ours()[..], b"\x00\x03abc"].concat(),
        ] {
            assert!(caller(&bytes).is_err(), "{:?}", &bytes[GREETING..]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = caller(&[&ours()[..], &rest].concat());
            let _ = caller(&rest);
        }
    }
}
