//! Frames: the header, and the messages and commands made of them.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Limits, ZmtpError};

/// The longest command, in bytes; only handshakes and heartbeats use commands.
pub(super) const MAX_COMMAND: u64 = 1024;

pub(super) const MORE: u8 = 1;
pub(super) const LONG: u8 = 2;
pub(super) const COMMAND: u8 = 4;

/// A complete message or command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Message(Vec<Bytes>),
    Command(Bytes),
}

/// Decodes a peer's frames, within limits.
#[derive(Debug)]
pub(super) struct Decoder {
    limits: Limits,
    total: u64,
    state: State,
    /// The length of the current message as far as it is announced.
    message: u64,
    parts: Vec<Bytes>,
    /// The part of the current frame's body received so far.
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Flags,
    Length { flags: u8, missing: u8, length: u64 },
    Body { flags: u8, missing: usize },
}

impl Decoder {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            total: 0,
            state: State::Flags,
            message: 0,
            parts: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Changes the limits for frames not announced yet.
    pub(super) const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Counts bytes received, of the greeting as well. Those of a heartbeat are taken off again once it
    /// is complete: it keeps no memory, and must not use up the limit of a long connection.
    ///
    /// # Errors
    /// If there are too many over the connection.
    pub(super) const fn count(&mut self, bytes: usize) -> Result<(), ZmtpError> {
        self.total = self.total.saturating_add(bytes as u64);
        if self.total > self.limits.total {
            return Err(ZmtpError::Total(self.limits.total));
        }
        Ok(())
    }

    /// Decodes the next message or command; `None` if it is incomplete. Consumes the bytes decoded.
    ///
    /// # Errors
    /// If a frame is malformed or exceeds a limit.
    pub(super) fn decode(&mut self, input: &mut impl Buf) -> Result<Option<Received>, ZmtpError> {
        loop {
            match self.state {
                State::Flags if input.has_remaining() => self.state = flags(input.get_u8())?,
                State::Length {
                    flags,
                    missing,
                    length,
                } if input.has_remaining() => {
                    let length = (length << 8) | u64::from(input.get_u8());
                    self.state = match missing - 1 {
                        0 => self.announce(flags, length)?,
                        missing => State::Length {
                            flags,
                            missing,
                            length,
                        },
                    };
                }
                State::Body { flags, missing: 0 } => {
                    self.state = State::Flags;
                    let body = Bytes::from(core::mem::take(&mut self.body));
                    if flags & COMMAND != 0 {
                        if body.starts_with(b"\x04PING") || body.starts_with(b"\x04PONG") {
                            let header = if flags & LONG == 0 { 2 } else { 9 };
                            self.total = self.total.saturating_sub(header + body.len() as u64);
                        }
                        return Ok(Some(Received::Command(body)));
                    }
                    self.parts.push(body);
                    if flags & MORE == 0 {
                        self.message = 0;
                        let parts = core::mem::take(&mut self.parts);
                        return Ok(Some(Received::Message(parts)));
                    }
                }
                State::Body { flags, missing } if input.has_remaining() => {
                    let taken = self.take_body(missing, input.chunk());
                    input.advance(taken);
                    let missing = missing - taken;
                    self.state = State::Body { flags, missing };
                }
                _ => return Ok(None),
            }
        }
    }

    /// Checks the announced length of a frame.
    fn announce(&mut self, flags: u8, length: u64) -> Result<State, ZmtpError> {
        if flags & COMMAND != 0 {
            if length > MAX_COMMAND {
                return Err(ZmtpError::Command(length));
            }
        } else {
            self.message = self.message.saturating_add(length);
            if self.message > self.limits.message as u64 {
                return Err(ZmtpError::Message(self.message));
            }
            if self.parts.len() >= self.limits.parts {
                return Err(ZmtpError::Parts(self.limits.parts));
            }
        }
        // Below the limit of the message, which is a `usize`.
        let missing = usize::try_from(length).map_err(|_| ZmtpError::Message(length))?;
        Ok(State::Body { flags, missing })
    }

    /// Appends the received part of a body; returns its length.
    fn take_body(&mut self, missing: usize, received: &[u8]) -> usize {
        let taken = missing.min(received.len());
        if self.body.capacity() - self.body.len() < taken {
            // At most doubled, and never more than the frame needs: the capacity follows the bytes
            // received, and a complete body wastes none.
            let extra = taken.max(self.body.len()).min(missing);
            self.body.reserve_exact(extra);
        }
        self.body.extend_from_slice(&received[..taken]);
        taken
    }

    #[cfg(test)]
    pub(super) const fn state(&self) -> State {
        self.state
    }
}

const fn flags(flags: u8) -> Result<State, ZmtpError> {
    // A command consists of a single frame.
    if flags & !(MORE | LONG | COMMAND) != 0 || flags & (COMMAND | MORE) == COMMAND | MORE {
        return Err(ZmtpError::Flags(flags));
    }
    Ok(State::Length {
        flags,
        missing: if flags & LONG != 0 { 8 } else { 1 },
        length: 0,
    })
}

/// Appends a frame.
pub(super) fn put_frame(to: &mut BytesMut, flags: u8, body: &[u8]) {
    to.reserve(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(length) => {
            to.put_u8(flags);
            to.put_u8(length);
        }
        Err(_) => {
            to.put_u8(flags | LONG);
            to.put_u64(body.len() as u64);
        }
    }
    to.put_slice(body);
}

/// Returns the body of the answer to a heartbeat, if the command is one: PING has a time to live and a
/// context.
pub(super) fn pong(command: &[u8]) -> Option<Vec<u8>> {
    let context = command.strip_prefix(b"\x04PING")?.get(2..)?;
    Some([b"\x04PONG", context].concat())
}
