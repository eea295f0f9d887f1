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
    reader::{Found, Reader, Section, merge},
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

impl MessengerAccess {
    /// Reads `messenger`, `listen` and `[kafka]`. `endpoint` is this operator's in the roster, if that
    /// is known.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        root: &mut Section<'_>,
        folder: &Path,
        overrides: &Overrides,
        locations: &mut Locations,
        endpoint: Option<&str>,
    ) -> Option<Self> {
        let kind = merge(root.string(reader, "messenger"), &overrides.messenger);
        let listen = merge(root.string(reader, "listen"), &overrides.listen);
        locations.record(
            Setting::Listen,
            reader,
            listen.as_ref().and_then(|found| found.at),
        );
        let per_address = connections_per_address(reader, root);
        let kafka = KafkaAccess::read(reader, root, folder, overrides, locations);
        let Some(Found { value, at }) = kind else {
            return zmq(listen, per_address, endpoint);
        };
        match value.as_str() {
            "zmq" => zmq(listen, per_address, endpoint),
            "kafka" if kafka.brokers.is_empty() => {
                reader.report(
                    at,
                    "`messenger` is kafka, but no brokers are set",
                    "add a [kafka] table with `brokers = [\"host:9092\"]`",
                );
                None
            }
            "kafka" => Some(Self::Kafka(kafka)),
            other => {
                reader.report(
                    at,
                    format!("`messenger`: unknown messenger `{other}`"),
                    "choose zmq or kafka",
                );
                None
            }
        }
    }
}

/// Returns ZeroMQ, by default on the port of the roster's endpoint and all addresses.
fn zmq(
    listen: Option<Found<String>>,
    per_address: Option<u16>,
    endpoint: Option<&str>,
) -> Option<MessengerAccess> {
    let listen = match listen {
        Some(found) => found.value,
        None => format!(
            "0.0.0.0:{}",
            endpoint?.rsplit(':').next().unwrap_or_default()
        ),
    };
    Some(MessengerAccess::Zmq {
        listen,
        per_address,
    })
}

fn connections_per_address(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<u16> {
    let found = root.integer(reader, "connections_per_address")?;
    let connections = u16::try_from(found.value).ok();
    let connections = connections.filter(|connections| *connections >= 2);
    if connections.is_none() {
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
    connections
}

impl KafkaAccess {
    /// Reads `[kafka]`.
    fn read(
        reader: &mut Reader<'_>,
        root: &mut Section<'_>,
        folder: &Path,
        overrides: &Overrides,
        locations: &mut Locations,
    ) -> Self {
        let mut table = root.table_or_empty(reader, "kafka");
        let brokers = merge(table.strings(reader, "brokers"), &overrides.brokers);
        if overrides.brokers.is_none() {
            locations.record(Setting::Kafka, reader, table.offset());
        }
        let topic_prefix = table.string(reader, "topic_prefix");
        let replication = replication(reader, &mut table);
        let retention = table.duration(reader, "retention");
        let settings = match table.table(reader, "settings") {
            Some(settings) => settings.all_strings(reader),
            None => BTreeMap::new(),
        };
        for secret in SECRETS {
            if settings.contains_key(secret) {
                reader.report(
                    table.offset(),
                    format!("`{secret}` is a secret and must not be in this file"),
                    format!(
                        "put it in a file of its own, and add `\"{secret}\" = \"FILE\"` to [kafka.secret_files]"
                    ),
                );
            }
        }
        let secret_files = match table.table(reader, "secret_files") {
            Some(files) => files.all_strings(reader),
            None => BTreeMap::new(),
        };
        table.finish(reader);
        Self {
            brokers: brokers.map(|found| found.value).unwrap_or_default(),
            topic_prefix: topic_prefix.map(|found| found.value),
            replication,
            retention: retention.map(|found| found.value),
            settings,
            secret_files: secret_files
                .into_iter()
                .map(|(name, file)| (name, folder.join(file)))
                .collect(),
        }
    }
}

fn replication(reader: &mut Reader<'_>, table: &mut Section<'_>) -> Option<u8> {
    let found = table.integer(reader, "replication")?;
    let copies = u8::try_from(found.value).ok().filter(|copies| *copies > 0);
    if copies.is_none() {
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
    copies
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
