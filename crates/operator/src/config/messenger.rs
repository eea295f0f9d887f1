//! The messenger of the operators and how it is reached.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use federation_roster::Federation;

use super::{
    Overrides, Setting,
    locations::Locations,
    reader::{Reader, Section},
    report::{ConfigProblem, ConfigReport},
    text,
};

/// The messenger. All operators of a federation use the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessengerAccess {
    /// ZeroMQ, with a connection between every two operators.
    Zmq {
        /// Where to listen for the other operators, `host:port`.
        listen: String,
        /// The maximum number of connections from one address; `None` for the messenger's default.
        per_address: Option<u16>,
    },
    /// Kafka, through brokers.
    Kafka(KafkaAccess),
}

/// How Kafka is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaAccess {
    /// Bootstrap brokers, `host:port`.
    pub brokers: Vec<String>,
    /// The prefix of the topics' names; derived from the federation if not set.
    pub topic_prefix: Option<String>,
    /// The replication factor of topics that this operator creates.
    pub replication: Option<u8>,
    /// How long brokers keep frames in topics that this operator creates.
    pub retention: Option<Duration>,
    /// Settings of librdkafka, by librdkafka's names.
    pub settings: BTreeMap<String, String>,
    /// Secret settings of librdkafka, with the file that holds each.
    pub secret_files: BTreeMap<String, PathBuf>,
}

/// Settings that must not be in a configuration file.
const SECRETS: [&str; 5] = [
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

impl KafkaAccess {
    /// Returns all settings of librdkafka, including the secrets read from their files.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn all_settings(&self) -> Result<BTreeMap<String, String>, ConfigReport> {
        let mut settings = self.settings.clone();
        for (name, file) in &self.secret_files {
            let secret = text::read_password(file, "the file must contain only the secret")?;
            settings.insert(name.clone(), secret);
        }
        Ok(settings)
    }
}

/// The messenger's settings as found in the file, before required ones are checked.
#[derive(Debug, Default)]
pub(super) struct RawMessenger {
    pub(super) kind: Option<String>,
    kind_at: Option<usize>,
    pub(super) listen: Option<String>,
    listen_at: Option<usize>,
    kafka_at: Option<usize>,
    connections_per_address: Option<u16>,
    pub(super) brokers: Option<Vec<String>>,
    topic_prefix: Option<String>,
    replication: Option<u8>,
    retention: Option<Duration>,
    settings: BTreeMap<String, String>,
    secret_files: BTreeMap<String, PathBuf>,
}

/// Reads `messenger`, `listen` and `[kafka]`.
pub(super) fn take(reader: &mut Reader<'_>, root: &mut Section<'_>, folder: &Path) -> RawMessenger {
    let mut raw = RawMessenger::default();
    if let Some(kind) = root.string(reader, "messenger") {
        raw.kind = Some(kind.value);
        raw.kind_at = kind.at;
    }
    if let Some(listen) = root.string(reader, "listen") {
        raw.listen = Some(listen.value);
        raw.listen_at = listen.at;
    }
    if let Some(found) = root.integer(reader, "connections_per_address") {
        let connections = u16::try_from(found.value).ok();
        raw.connections_per_address = connections.filter(|connections| *connections >= 2);
        if raw.connections_per_address.is_none() {
            reader.report(
                found.at,
                format!(
                    "`connections_per_address` is {}, it must be from 2 to {}",
                    found.value,
                    u16::MAX
                ),
                "allow four for each operator behind one address",
            );
        }
    }
    let Some(mut kafka) = root.table(reader, "kafka") else {
        return raw;
    };
    raw.kafka_at = kafka.offset();
    raw.brokers = kafka.strings(reader, "brokers").map(|found| found.value);
    raw.topic_prefix = kafka
        .string(reader, "topic_prefix")
        .map(|found| found.value);
    if let Some(found) = kafka.integer(reader, "replication") {
        raw.replication = u8::try_from(found.value).ok().filter(|copies| *copies > 0);
        if raw.replication.is_none() {
            reader.report(
                found.at,
                format!(
                    "`replication` is {}, it must be from 1 to {}",
                    found.value,
                    u8::MAX
                ),
                "use 3, or the number of brokers if there are fewer",
            );
        }
    }
    raw.retention = kafka.duration(reader, "retention").map(|found| found.value);
    if let Some(settings) = kafka.table(reader, "settings") {
        raw.settings = settings.all_strings(reader);
        for secret in SECRETS {
            if raw.settings.contains_key(secret) {
                reader.report(
                    kafka.offset(),
                    format!("`{secret}` is a secret and must not be in this file"),
                    format!(
                        "put it in a file of its own, and add `\"{secret}\" = \"FILE\"` to [kafka.secret_files]"
                    ),
                );
            }
        }
    }
    if let Some(files) = kafka.table(reader, "secret_files") {
        let files = files.all_strings(reader).into_iter();
        raw.secret_files = files
            .map(|(name, file)| (name, folder.join(file)))
            .collect();
    }
    kafka.finish(reader);
    raw
}

impl RawMessenger {
    /// Records where the settings are.
    pub(super) fn record_locations(
        &self,
        reader: &Reader<'_>,
        file: &Path,
        locations: &mut Locations,
    ) {
        locations.record(Setting::Listen, file, reader.line(self.listen_at));
        locations.record(Setting::Kafka, file, reader.line(self.kafka_at));
    }

    /// Replaces the file's settings by the overrides.
    pub(super) fn replace(&mut self, overrides: &Overrides) {
        if let Some(kind) = &overrides.messenger {
            self.kind = Some(kind.clone());
            self.kind_at = None;
        }
        if let Some(listen) = &overrides.listen {
            self.listen = Some(listen.clone());
            self.listen_at = None;
        }
        if let Some(brokers) = &overrides.brokers {
            self.brokers = Some(brokers.clone());
            self.kafka_at = None;
        }
    }

    /// Checks that required settings are present. `endpoint` is this operator's in the roster.
    pub(super) fn require(
        self,
        reader: &mut Reader<'_>,
        endpoint: &str,
    ) -> Option<MessengerAccess> {
        match self.kind.as_deref() {
            None | Some("zmq") => {
                // The port of the roster's endpoint, on all addresses.
                let all = || {
                    format!(
                        "0.0.0.0:{}",
                        endpoint.rsplit(':').next().unwrap_or_default()
                    )
                };
                Some(MessengerAccess::Zmq {
                    listen: self.listen.unwrap_or_else(all),
                    per_address: self.connections_per_address,
                })
            }
            Some("kafka") => {
                let Some(brokers) = self.brokers.filter(|brokers| !brokers.is_empty()) else {
                    reader.report(
                        self.kind_at,
                        "`messenger` is kafka, but no brokers are set",
                        "add a [kafka] table with `brokers = [\"host:9092\"]`",
                    );
                    return None;
                };
                Some(MessengerAccess::Kafka(KafkaAccess {
                    brokers,
                    topic_prefix: self.topic_prefix,
                    replication: self.replication,
                    retention: self.retention,
                    settings: self.settings,
                    secret_files: self.secret_files,
                }))
            }
            Some(other) => {
                reader.report(
                    self.kind_at,
                    format!("`messenger`: unknown messenger `{other}`"),
                    "choose zmq or kafka",
                );
                None
            }
        }
    }
}

/// Reports operators that share an endpoint: only one of them could ever be reached there.
pub(super) fn duplicate_endpoints(
    federation: &Federation,
    locations: &Locations,
) -> Vec<ConfigProblem> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for id in federation.ids() {
        let Some(operator) = federation.member(id) else {
            continue;
        };
        let endpoint = operator.endpoint.to_ascii_lowercase();
        match first.get(&endpoint) {
            None => {
                first.insert(endpoint, &operator.name);
            }
            Some(other) => problems.push(
                locations.problem(
                    Setting::Endpoint(id),
                    format!(
                        "`endpoint`: `{}` and `{other}` have the same endpoint, {}",
                        operator.name, operator.endpoint
                    ),
                    "write the address at which each is reached; all operators need the same file"
                        .to_owned(),
                ),
            ),
        }
    }
    problems
}
