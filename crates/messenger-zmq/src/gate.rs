//! Passes bytes between a peer and the `zeromq` crate, and ends the link when the peer's are over
//! a limit.
//!
//! Only as much of ZMTP 3.0 is read here as the limits need: the greeting's signature, and each
//! frame's flags and length.

use core::{cell::RefCell, time::Duration};
use std::io;

use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::timeout,
};

/// Most bytes of a command, which only the handshake has.
pub(crate) const MAX_COMMAND: u64 = 1024;

/// Bytes of a greeting.
pub(crate) const GREETING: usize = 64;

/// What a peer may send over one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GateLimits {
    /// Most bytes in all parts of a message.
    pub(crate) message: usize,
    /// Most parts of a message.
    pub(crate) parts: usize,
    /// Most bytes over the life of the connection.
    pub(crate) total: u64,
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error("the peer does not speak ZMTP 3")]
    Greeting,
    #[error("neither a publisher nor a subscriber of ZeroMQ")]
    Ready,
    #[error("a frame with unknown flags {0:#04x}")]
    Flags(u8),
    #[error("a command of {0} bytes")]
    Command(u64),
    #[error("a message of at least {0} bytes")]
    Message(u64),
    #[error("a message of more than {0} parts")]
    Parts(usize),
    #[error("more than {0} bytes over one connection")]
    Total(u64),
    #[error("the peer has not read for {0:?}")]
    Stalled(Duration),
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Follows a peer's stream of bytes, in whatever chunks they come.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: GateLimits,
    state: State,
    total: u64,
    message: u64,
    parts: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Greeting { seen: usize },
    Flags,
    Length { flags: u8, missing: u8, length: u64 },
    Body { missing: u64 },
}

const MORE: u8 = 1;
pub(crate) const LONG: u8 = 2;
pub(crate) const COMMAND: u8 = 4;

impl Meter {
    pub(crate) const fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            state: State::Greeting { seen: 0 },
            total: 0,
            message: 0,
            parts: 0,
        }
    }

    /// Changes the limits of what is to come.
    pub(crate) const fn set_limits(&mut self, limits: GateLimits) {
        self.limits = limits;
    }

    /// Looks at the next bytes.
    ///
    /// # Errors
    /// If they, or what they announce, are over a limit.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), GateError> {
        self.total = self.total.saturating_add(bytes.len() as u64);
        if self.total > self.limits.total {
            return Err(GateError::Total(self.limits.total));
        }
        while let Some((&byte, rest)) = bytes.split_first() {
            if let State::Body { missing } = &mut self.state {
                let taken = bytes
                    .len()
                    .min(usize::try_from(*missing).unwrap_or(usize::MAX));
                bytes = &bytes[taken..];
                *missing -= taken as u64;
                if *missing == 0 {
                    self.state = State::Flags;
                }
                continue;
            }
            bytes = rest;
            self.state = match self.state {
                State::Greeting { seen } => greeting(seen, byte)?,
                State::Flags => flags(byte)?,
                State::Length {
                    flags,
                    missing,
                    length,
                } => {
                    let length = (length << 8) | u64::from(byte);
                    match missing - 1 {
                        0 => self.frame(flags, length)?,
                        missing => State::Length {
                            flags,
                            missing,
                            length,
                        },
                    }
                }
                State::Body { .. } => unreachable!("taken above"),
            };
        }
        Ok(())
    }

    /// A frame of this length is announced.
    fn frame(&mut self, flags: u8, length: u64) -> Result<State, GateError> {
        if flags & COMMAND != 0 {
            if length > MAX_COMMAND {
                return Err(GateError::Command(length));
            }
        } else {
            self.message = self.message.saturating_add(length);
            self.parts += 1;
            if self.message > self.limits.message as u64 {
                return Err(GateError::Message(self.message));
            }
            if self.parts > self.limits.parts {
                return Err(GateError::Parts(self.limits.parts));
            }
            if flags & MORE == 0 {
                (self.message, self.parts) = (0, 0);
            }
        }
        Ok(match length {
            0 => State::Flags,
            missing => State::Body { missing },
        })
    }
}

/// Signature: `ff`, eight bytes of padding, `7f`; then a version from 3.
const fn greeting(seen: usize, byte: u8) -> Result<State, GateError> {
    match (seen, byte) {
        (0, 0xff) | (9, 0x7f) | (10, 3..) | (1..=8 | 11.., _) => {}
        _ => return Err(GateError::Greeting),
    }
    Ok(if seen + 1 == GREETING {
        State::Flags
    } else {
        State::Greeting { seen: seen + 1 }
    })
}

const fn flags(flags: u8) -> Result<State, GateError> {
    // A command is one frame by itself.
    if flags & !(MORE | LONG | COMMAND) != 0 || flags & (COMMAND | MORE) == COMMAND | MORE {
        return Err(GateError::Flags(flags));
    }
    Ok(State::Length {
        flags,
        missing: if flags & LONG != 0 { 8 } else { 1 },
        length: 0,
    })
}

/// Passes bytes both ways until either side ends. What comes from `outer` is metered.
pub(crate) async fn relay(
    mut outer: TcpStream,
    mut inner: TcpStream,
    mut meter: Meter,
    stall: Duration,
) -> GateError {
    let (outer_read, outer_write) = outer.split();
    let (inner_read, inner_write) = inner.split();
    tokio::select! {
        error = pass(outer_read, inner_write, Some(&mut meter), stall) => error,
        error = pass(inner_read, outer_write, None, stall) => error,
    }
}

/// Bytes moved at a time.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all links of a thread: a link at rest holds none.
    static CHUNK_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
}

async fn pass(
    from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut meter: Option<&mut Meter>,
    stall: Duration,
) -> GateError {
    loop {
        if let Err(error) = from.readable().await {
            return error.into();
        }
        let unsent =
            CHUNK_BUFFER.with_borrow_mut(|chunk| pass_ready(&from, &to, &mut meter, chunk));
        match unsent {
            Ok(unsent) if unsent.is_empty() => {}
            Ok(unsent) => {
                if let Err(error) = write_all(&mut to, &unsent, stall).await {
                    return error;
                }
            }
            Err(error) => return error,
        }
    }
}

/// Moves what is there; gives back what could not be written at once.
fn pass_ready(
    from: &ReadHalf<'_>,
    to: &WriteHalf<'_>,
    meter: &mut Option<&mut Meter>,
    chunk: &mut [u8],
) -> Result<Vec<u8>, GateError> {
    let read = match from.try_read(chunk) {
        Ok(0) => return Err(GateError::Closed),
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    if let Some(meter) = meter {
        meter.feed(&chunk[..read])?;
    }
    let written = match to.try_write(&chunk[..read]) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(chunk[written..read].to_vec())
}

/// Writes it all, however slowly, as long as something moves.
async fn write_all(
    to: &mut WriteHalf<'_>,
    mut bytes: &[u8],
    stall: Duration,
) -> Result<(), GateError> {
    while !bytes.is_empty() {
        match timeout(stall, to.write(bytes)).await {
            Ok(Ok(0)) => return Err(GateError::Closed),
            Ok(Ok(written)) => bytes = &bytes[written..],
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(GateError::Stalled(stall)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
