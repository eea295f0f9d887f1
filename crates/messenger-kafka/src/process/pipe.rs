//! The protocol of the pipes: records of a kind, a length, and that many bytes.

use core::fmt;
use std::io;

use bytes::Bytes;

/// Size limit of a setup or a report: names of brokers and topics, and truncated reasons.
const MAX_TEXT: usize = 1024 * 1024;

/// Size of a record's header: its kind, and its length as u32, little-endian.
pub(super) const HEADER: usize = 5;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the client, first: its task.
    Setup,
    /// To the client: a frame, prefixed with a topic's number if there are several to write to.
    Frame,
    /// From the client: the number of an operator or a topic, and a frame from it.
    Received,
    /// From the client, first: it has started.
    Started,
    /// From the client, instead or later: why it did not start or cannot continue.
    Failed,
    /// From the client, periodically: its report.
    Report,
    /// To the client, periodically: a check that it still reads.
    Ping,
    /// From the client: the answer to a ping, one for each.
    Pong,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Setup,
        Self::Frame,
        Self::Received,
        Self::Started,
        Self::Failed,
        Self::Report,
        Self::Ping,
        Self::Pong,
    ];

    /// Returns the header of a record.
    pub(super) fn header(self, length: usize) -> [u8; HEADER] {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        [self as u8, length[0], length[1], length[2], length[3]]
    }

    /// Parses a header, where no frame exceeds `largest` bytes.
    ///
    /// # Errors
    /// If the kind is unknown or the record too long for its kind: the other process is faulty.
    pub(super) fn read(header: [u8; HEADER], largest: usize) -> io::Result<(Self, usize)> {
        let kind = Self::ALL
            .into_iter()
            .find(|kind| *kind as u8 == header[0])
            .ok_or_else(|| invalid(format!("record of unknown kind {}", header[0])))?;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let most = match kind {
            // One byte more for the number.
            Self::Frame | Self::Received => largest.saturating_add(1),
            Self::Started | Self::Ping | Self::Pong => 0,
            Self::Setup | Self::Failed | Self::Report => MAX_TEXT,
        };
        if length > most {
            return Err(invalid(format!("{kind} record of {length} bytes")));
        }
        Ok((kind, length))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Setup => "setup",
            Self::Frame => "frame",
            Self::Received => "received-frame",
            Self::Started => "started",
            Self::Failed => "failed",
            Self::Report => "report",
            Self::Ping => "ping",
            Self::Pong => "pong",
        })
    }
}

/// Creates the error for a violation of the protocol by the other process.
pub(super) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Reads a record from a blocking stream.
///
/// # Errors
/// If the stream ends or fails, or contains something else.
pub(super) fn read(from: &mut impl io::Read, largest: usize) -> io::Result<(Kind, Bytes)> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header)?;
    let (kind, length) = Kind::read(header, largest)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok((kind, bytes.into()))
}

/// Writes a record to a blocking stream.
///
/// # Errors
/// If the stream fails.
pub(super) fn write(to: &mut impl io::Write, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&kind.header(bytes.len()))?;
    to.write_all(bytes)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGEST: usize = 1_000;

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut pipe = Vec::new();
        write(&mut pipe, Kind::Frame, b"a frame").expect("a vector accepts everything");
        write(&mut pipe, Kind::Started, b"").expect("a vector accepts everything");
        let mut pipe = &pipe[..];
        let (kind, bytes) = read(&mut pipe, LARGEST).expect("a frame");
        assert_eq!((kind, &bytes[..]), (Kind::Frame, &b"a frame"[..]));
        let (kind, bytes) = read(&mut pipe, LARGEST).expect("it has started");
        assert_eq!((kind, bytes.len()), (Kind::Started, 0));
        let end = read(&mut pipe, LARGEST).expect_err("no more");
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_length_over_its_limit_reserves_nothing() {
        for (kind, most) in [
            (Kind::Frame, LARGEST + 1),
            (Kind::Received, LARGEST + 1),
            (Kind::Report, MAX_TEXT),
            (Kind::Started, 0),
            (Kind::Pong, 0),
        ] {
            assert!(Kind::read(kind.header(most), LARGEST).is_ok());
            let refused = Kind::read(kind.header(most + 1), LARGEST).expect_err("too long");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
        let unknown = u8::try_from(Kind::ALL.len()).expect("few");
        assert!(Kind::read([unknown, 0, 0, 0, 0], LARGEST).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&mut &bytes[..], LARGEST);
        }
    }
}
