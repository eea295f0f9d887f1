//! The contents of records: a client's task, and its reports.

use core::time::Duration;
use std::{
    collections::BTreeMap,
    path::{Path, absolute},
};

use federation_messenger::{PeerStats, QueueLimits};
use federation_roster::OperatorId;
use serde::{Deserialize, Serialize};

use crate::{KafkaConfig, KafkaError, KafkaHealth, TopicsConfig};

/// A client's task. It contains secrets, so it is sent over a pipe that nobody else can read.
#[derive(Serialize, Deserialize)]
pub(super) enum Task {
    /// The messenger of an operator.
    Messenger(Setup),
    /// Topics of any name.
    Topics(TopicsConfig),
}

/// A messenger's configuration for the client.
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
            settings: absolute_files(config.settings()),
            replication: config.replication(),
            retention: config.retention(),
            lifetime: config.lifetime(),
            frames: config.limits().frames(),
            bytes: config.limits().bytes(),
        }
    }

    /// Converts it back to a configuration, with all checks.
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

/// Makes the file paths in settings absolute, since the client runs in another directory.
pub(super) fn absolute_files(settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let absolute_path = |(name, value): (&String, &String)| {
        let value = if names_a_file(name) && !matches!(value.as_str(), "" | "probe") {
            // If this fails, librdkafka refuses the path.
            absolute(Path::new(value))
                .ok()
                .and_then(|path| path.into_os_string().into_string().ok())
                .unwrap_or_else(|| value.clone())
        } else {
            value.clone()
        };
        (name.clone(), value)
    };
    settings.iter().map(absolute_path).collect()
}

/// Whether the value of a librdkafka setting is a path.
fn names_a_file(name: &str) -> bool {
    name.ends_with(".location") || name.ends_with(".file") || name == "sasl.kerberos.keytab"
}

/// The counters of one link.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) connected: bool,
    pub(super) frames_in: u64,
    pub(super) bytes_in: u64,
    pub(super) frames_out: u64,
    pub(super) bytes_out: u64,
    /// For an operator: frames that the client did not forward.
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

    /// Adds the counters of a former client.
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

/// The report of a messenger's client.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) brokers: Counters,
    pub(super) operators: BTreeMap<OperatorId, Counters>,
    pub(super) health: KafkaHealth,
}

/// Most brokers, and most faults, accepted in a report.
const MAX_ENTRIES: usize = 256;

/// Longest string accepted from a client, in characters.
const MAX_TEXT: usize = 300;

impl Report {
    /// Parses a client's report and makes it safe to display and to count.
    ///
    /// # Errors
    /// If it is malformed.
    pub(super) fn read(json: &[u8], operators: usize) -> Result<Self, serde_json::Error> {
        let mut report: Self = serde_json::from_slice(json)?;
        let health = &mut report.health;
        health.brokers.truncate(MAX_ENTRIES);
        health.faults.truncate(MAX_ENTRIES);
        health.topics.truncate(operators);
        for broker in &mut health.brokers {
            broker.address = plain(&broker.address);
            broker.fault = broker.fault.as_deref().map(plain);
        }
        for topic in &mut health.topics {
            topic.topic = plain(&topic.topic);
        }
        for fault in &mut health.faults {
            fault.subject = plain(&fault.subject);
            fault.reason = plain(&fault.reason);
        }
        Ok(report)
    }
}

/// Makes a string from the client safe for a log or a terminal: truncated, without control characters.
pub(super) fn plain(text: &str) -> String {
    let shown = text.chars().take(MAX_TEXT);
    shown
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use federation_roster::FederationId;
    use proptest::prelude::*;

    use super::*;
    use crate::{BrokerHealth, Fault};

    #[test]
    fn a_configuration_survives_the_pipe() {
        let federation = FederationId::from_bytes([7; 32]);
        let config = KafkaConfig::new(["a:1", "b"], federation, 5, OperatorId::new(3))
            .and_then(|config| config.with_setting("socket.timeout.ms", "3000"))
            .expect("valid")
            .with_replication(2)
            .with_lifetime(Duration::from_secs(7))
            .with_queue_limits(QueueLimits::new(3, 4));
        let json = serde_json::to_vec(&Setup::of(&config)).expect("plain data");
        let setup: Setup = serde_json::from_slice(&json).expect("it was serialized here");
        let again = setup.into_config().expect("valid");
        assert_eq!(format!("{again:?}"), format!("{config:?}"));
        assert_eq!(again.settings(), config.settings());
    }

    #[test]
    fn only_file_paths_are_changed_and_they_become_absolute() {
        let settings = [
            ("ssl.ca.location", "ca.pem"),
            ("ssl.key.location", "/etc/key.pem"),
            ("https.ca.location", "probe"),
            ("sasl.kerberos.keytab", "keys/kafka.keytab"),
            ("sasl.username", "operator-1"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let absolute = absolute_files(&settings.into());
        let here = std::env::current_dir().expect("there is a current directory");
        let path = |file: &str| here.join(file).to_str().expect("text").to_owned();
        assert_eq!(absolute["ssl.ca.location"], path("ca.pem"));
        assert_eq!(absolute["sasl.kerberos.keytab"], path("keys/kafka.keytab"));
        assert_eq!(absolute["ssl.key.location"], "/etc/key.pem");
        assert_eq!(absolute["https.ca.location"], "probe");
        assert_eq!(absolute["sasl.username"], "operator-1");
    }

    #[test]
    fn a_report_is_truncated_and_stripped_of_control_characters() {
        let fault = Fault {
            subject: "\u{1b}[2Jgone".to_owned(),
            reason: "x".repeat(10_000),
        };
        let broker = BrokerHealth {
            address: "a:1\nERROR a line of its own".to_owned(),
            connected: true,
            member: true,
            fault: Some("\u{7}".to_owned()),
        };
        let mut report = Report::default();
        report.health.faults = vec![fault; 1_000];
        report.health.brokers = vec![broker; 1_000];
        let json = serde_json::to_vec(&report).expect("plain data");
        let read = Report::read(&json, 5).expect("a report").health;
        assert_eq!((read.faults.len(), read.brokers.len()), (256, 256));
        assert_eq!(read.faults[0].subject, "\u{fffd}[2Jgone");
        assert_eq!(read.faults[0].reason.len(), 300);
        assert_eq!(
            read.brokers[0].address,
            "a:1\u{fffd}ERROR a line of its own"
        );
        assert_eq!(read.brokers[0].fault.as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn adding_counters_saturates() {
        let most = Counters {
            frames_in: u64::MAX,
            dropped_in: u64::MAX,
            ..Counters::default()
        };
        let mut sum = most;
        sum.add(&most);
        assert_eq!(sum.frames_in, u64::MAX);
        assert_eq!(sum.dropped_in, u64::MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_make_parsing_a_report_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64)
        ) {
            let _ = Report::read(&bytes, 5);
        }
    }
}
