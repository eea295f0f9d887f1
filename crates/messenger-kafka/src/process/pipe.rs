//! What goes over the pipes: records of a kind, a length and so many bytes.

use std::io;

use bytes::Bytes;

/// Most bytes of a setup or a report: names of brokers and topics, and reasons that are cut.
const MAX_TEXT: usize = 1024 * 1024;

/// Bytes before each record's own: its kind, and its length as u32, little-endian.
pub(super) const HEAD: usize = 5;

/// What one process says to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the client, first: what it is to do.
    Setup,
    /// To the client: a frame; before it a topic's number, if there are several to write to.
    Frame,
    /// From the client: the number of an operator or a topic, and a frame of it.
    Received,
    /// From the client, first: it has started.
    Started,
    /// From the client, in its place or later: why it has not, or cannot go on.
    Failed,
    /// From the client, now and then: what it knows.
    Report,
    /// To the client, now and then: whether it still reads.
    Ping,
    /// From the client: that it does, once for each time that it was asked.
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

    /// The head of a record.
    pub(super) fn head(self, length: usize) -> [u8; HEAD] {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        [self as u8, length[0], length[1], length[2], length[3]]
    }

    /// The kind and the length that a head announces, where no frame is over `largest` bytes.
    ///
    /// # Errors
    /// If there is no such kind, or none of its records is so long: the other process is not what
    /// it should be.
    pub(super) fn read(head: [u8; HEAD], largest: usize) -> io::Result<(Self, usize)> {
        let kind = Self::ALL
            .into_iter()
            .find(|kind| *kind as u8 == head[0])
            .ok_or_else(|| invalid(format!("a record of unknown kind {}", head[0])))?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let most = match kind {
            // The number that may be before it.
            Self::Frame | Self::Received => largest.saturating_add(1),
            Self::Started | Self::Ping | Self::Pong => 0,
            Self::Setup | Self::Failed | Self::Report => MAX_TEXT,
        };
        if length > most {
            return Err(invalid(format!("a {kind:?} of {length} bytes")));
        }
        Ok((kind, length))
    }
}

/// What the other process says and should not.
pub(super) fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A record read from a stream that blocks.
///
/// # Errors
/// If the stream ends or fails, or has something else.
pub(super) fn read(from: &mut impl io::Read, largest: usize) -> io::Result<(Kind, Bytes)> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let (kind, length) = Kind::read(head, largest)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok((kind, bytes.into()))
}

/// Writes a record to a stream that blocks.
///
/// # Errors
/// If it cannot.
pub(super) fn write(to: &mut impl io::Write, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&kind.head(bytes.len()))?;
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
        write(&mut pipe, Kind::Frame, b"a frame").expect("a vector takes all");
        write(&mut pipe, Kind::Started, b"").expect("a vector takes all");
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
            assert!(Kind::read(kind.head(most), LARGEST).is_ok());
            let refused = Kind::read(kind.head(most + 1), LARGEST).expect_err("too long");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
        let unknown = u8::try_from(Kind::ALL.len()).expect("few");
        assert!(Kind::read([unknown, 0, 0, 0, 0], LARGEST).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&mut &bytes[..], LARGEST);
        }
    }
}
