//! What goes over the pipes: records of a kind, a length and so many bytes.

use core::time::Duration;
use std::{collections::BTreeMap, io};

use bytes::Bytes;
use federation_messenger::{MAX_FRAME, PeerStats, QueueLimits};
use federation_roster::OperatorId;
use serde::{Deserialize, Serialize};

use crate::{KafkaConfig, KafkaError, KafkaHealth};

/// Most bytes of a setup or a report: names of brokers and topics, and reasons that are cut.
const MAX_TEXT: usize = 1024 * 1024;

/// Bytes before each record's own: its kind, and its length as u32, little-endian.
pub(super) const HEAD: usize = 5;

/// What one process says to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the client, first: a [`Setup`].
    Setup,
    /// To the client: a frame.
    Frame,
    /// From the client: the number of an operator, and a frame of its topic.
    Received,
    /// From the client, first: it has started.
    Started,
    /// From the client, in its place: why it has not.
    Failed,
    /// From the client, now and then: a [`Report`].
    Report,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Setup,
        Self::Frame,
        Self::Received,
        Self::Started,
        Self::Failed,
        Self::Report,
    ];

    /// The head of a record.
    pub(super) fn head(self, length: usize) -> [u8; HEAD] {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        [self as u8, length[0], length[1], length[2], length[3]]
    }

    /// The kind and the length that a head announces.
    ///
    /// # Errors
    /// If there is no such kind, or none of its records is so long: the other process is not what
    /// it should be.
    pub(super) fn read(head: [u8; HEAD]) -> io::Result<(Self, usize)> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let kind = Self::ALL
            .into_iter()
            .find(|kind| *kind as u8 == head[0])
            .ok_or_else(|| invalid(format!("a record of unknown kind {}", head[0])))?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let most = match kind {
            Self::Frame => MAX_FRAME,
            Self::Received => MAX_FRAME + 1,
            Self::Started => 0,
            Self::Setup | Self::Failed | Self::Report => MAX_TEXT,
        };
        if length > most {
            return Err(invalid(format!("a {kind:?} of {length} bytes")));
        }
        Ok((kind, length))
    }
}

/// A record read from a stream that blocks.
///
/// # Errors
/// If the stream ends or fails, or has something else.
pub(super) fn read(from: &mut impl io::Read) -> io::Result<(Kind, Bytes)> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let (kind, length) = Kind::read(head)?;
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

/// A configuration on its way to the client. Secrets are in it: it goes over a pipe, which nobody
/// else reads.
#[derive(Serialize, Deserialize)]
pub(super) struct Setup {
    brokers: Vec<String>,
    federation_prefix: String,
    operators: u8,
    me: OperatorId,
    settings: BTreeMap<String, String>,
    replication: u8,
    retention: Duration,
    lifetime: Duration,
    frames: usize,
    bytes: usize,
}

impl Setup {
    pub(super) fn of(config: &KafkaConfig) -> Self {
        Self {
            brokers: config.brokers().to_vec(),
            federation_prefix: config.prefix().to_owned(),
            operators: config.operators(),
            me: config.me(),
            settings: config.settings().clone(),
            replication: config.replication(),
            retention: config.retention(),
            lifetime: config.lifetime(),
            frames: config.limits().frames(),
            bytes: config.limits().bytes(),
        }
    }

    /// The same configuration again, checked as any other.
    pub(super) fn into_config(self) -> Result<KafkaConfig, KafkaError> {
        let any = federation_roster::FederationId::from_bytes([0; 32]);
        Ok(
            KafkaConfig::new(self.brokers, any, self.operators, self.me)?
                .with_topic_prefix(self.federation_prefix)?
                .with_settings(self.settings)?
                .with_replication(self.replication)
                .with_retention(self.retention)
                .with_lifetime(self.lifetime)
                .with_queue_limits(QueueLimits::new(self.frames, self.bytes)),
        )
    }
}

/// Counters of one link.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) connected: bool,
    pub(super) frames_in: u64,
    pub(super) bytes_in: u64,
    pub(super) frames_out: u64,
    pub(super) bytes_out: u64,
    /// Of a client's operators: those that it has not handed on.
    pub(super) dropped_in: u64,
    pub(super) dropped_out: u64,
    pub(super) reconnects: u64,
}

impl Counters {
    pub(super) const fn of(peer: &PeerStats) -> Self {
        Self {
            connected: peer.connected,
            frames_in: peer.frames_in,
            bytes_in: peer.bytes_in,
            frames_out: peer.frames_out,
            bytes_out: peer.bytes_out,
            dropped_in: peer.dropped_in,
            dropped_out: peer.dropped_out,
            reconnects: peer.reconnects,
        }
    }

    /// Adds those of a client that has ended to those of its successor.
    pub(super) const fn add(&mut self, past: &Self) {
        self.frames_in = self.frames_in.saturating_add(past.frames_in);
        self.bytes_in = self.bytes_in.saturating_add(past.bytes_in);
        self.frames_out = self.frames_out.saturating_add(past.frames_out);
        self.bytes_out = self.bytes_out.saturating_add(past.bytes_out);
        self.dropped_in = self.dropped_in.saturating_add(past.dropped_in);
        self.dropped_out = self.dropped_out.saturating_add(past.dropped_out);
        self.reconnects = self.reconnects.saturating_add(past.reconnects);
    }
}

/// What the client knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) brokers: Counters,
    pub(super) operators: BTreeMap<OperatorId, Counters>,
    pub(super) health: KafkaHealth,
}

#[cfg(test)]
mod tests {
    use federation_roster::FederationId;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut pipe = Vec::new();
        write(&mut pipe, Kind::Frame, b"a frame").expect("a vector takes all");
        write(&mut pipe, Kind::Started, b"").expect("a vector takes all");
        let mut pipe = &pipe[..];
        let (kind, bytes) = read(&mut pipe).expect("a frame");
        assert_eq!((kind, &bytes[..]), (Kind::Frame, &b"a frame"[..]));
        let (kind, bytes) = read(&mut pipe).expect("it has started");
        assert_eq!((kind, bytes.len()), (Kind::Started, 0));
        let end = read(&mut pipe).expect_err("no more");
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_length_over_its_limit_reserves_nothing() {
        for (kind, most) in [
            (Kind::Frame, MAX_FRAME),
            (Kind::Received, MAX_FRAME + 1),
            (Kind::Report, MAX_TEXT),
            (Kind::Started, 0),
        ] {
            assert!(Kind::read(kind.head(most)).is_ok());
            let refused = Kind::read(kind.head(most + 1)).expect_err("too long");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
        assert!(Kind::read([9, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_configuration_arrives_as_it_was() {
        let federation = FederationId::from_bytes([7; 32]);
        let config = KafkaConfig::new(["a:1", "b"], federation, 5, OperatorId::new(3))
            .and_then(|config| config.with_setting("socket.timeout.ms", "3000"))
            .expect("valid")
            .with_replication(2)
            .with_lifetime(Duration::from_secs(7))
            .with_queue_limits(QueueLimits::new(3, 4));
        let json = serde_json::to_vec(&Setup::of(&config)).expect("plain data");
        let setup: Setup = serde_json::from_slice(&json).expect("its own");
        let again = setup.into_config().expect("valid");
        assert_eq!(format!("{again:?}"), format!("{config:?}"));
        assert_eq!(again.settings(), config.settings());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&mut &bytes[..]);
            let _ = serde_json::from_slice::<Report>(&bytes);
        }
    }
}
