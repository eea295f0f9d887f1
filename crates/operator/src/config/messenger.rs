//! Which messenger the operators use, and how it is reached.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use federation_roster::Federation;

use super::{
    Overrides, Setting,
    places::Places,
    reader::{Reader, Section},
    report::{ConfigReport, Problem},
    text,
};

/// How the operators talk. All of a federation use the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessengerAccess {
    /// ZeroMQ, each with each.
    Zmq {
        /// Where to listen for the other operators, `host:port`.
        listen: String,
        /// How many connections are taken from one address; the messenger's own default if not set.
        per_address: Option<u16>,
    },
    /// Kafka, by way of brokers.
    Kafka(KafkaAccess),
}

/// How Kafka is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaAccess {
    /// Brokers to begin with, `host:port`.
    pub brokers: Vec<String>,
    /// What the topics' names begin with; it follows from the federation if not set.
    pub topic_prefix: Option<String>,
    /// On how many brokers a topic is kept that is made here.
    pub replication: Option<u8>,
    /// For how long brokers keep frames in a topic that is made here.
    pub retention: Option<Duration>,
    /// Settings of librdkafka by their own names.
    pub settings: BTreeMap<String, String>,
    /// Secret settings, and the file in which each stands alone.
    pub secret_files: BTreeMap<String, PathBuf>,
}

/// Settings that are no business of a configuration file.
const SECRETS: [&str; 5] = [
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

impl KafkaAccess {
    /// All settings of librdkafka, with the secret ones read.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn all_settings(&self) -> Result<BTreeMap<String, String>, ConfigReport> {
        let mut settings = self.settings.clone();
        for (name, file) in &self.secret_files {
            let secret = text::read_password(file, "put the secret alone into this file")?;
            settings.insert(name.clone(), secret);
        }
        Ok(settings)
    }
}

/// What the file says of the messenger, before anything is required of it.
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

/// Takes `messenger`, `listen` and `[kafka]`.
pub(super) fn take(reader: &mut Reader<'_>, root: &mut Section<'_>, folder: &Path) -> RawMessenger {
    let mut raw = RawMessenger::default();
    if let Some(kind) = root.text(reader, "messenger") {
        raw.kind = Some(kind.value);
        raw.kind_at = kind.at;
    }
    if let Some(listen) = root.text(reader, "listen") {
        raw.listen = Some(listen.value);
        raw.listen_at = listen.at;
    }
    if let Some(found) = root.number(reader, "connections_per_address") {
        let connections = u16::try_from(found.value).ok();
        raw.connections_per_address = connections.filter(|connections| *connections >= 2);
        if raw.connections_per_address.is_none() {
            reader.note(
                found.at,
                format!(
                    "`connections_per_address`: {} is too few or too many, an operator needs two",
                    found.value
                ),
                "use four for each operator behind one address",
            );
        }
    }
    let Some(mut kafka) = root.table(reader, "kafka") else {
        return raw;
    };
    raw.kafka_at = kafka.place();
    raw.brokers = kafka.texts(reader, "brokers").map(|found| found.value);
    raw.topic_prefix = kafka.text(reader, "topic_prefix").map(|found| found.value);
    if let Some(found) = kafka.number(reader, "replication") {
        raw.replication = u8::try_from(found.value).ok().filter(|copies| *copies > 0);
        if raw.replication.is_none() {
            reader.note(
                found.at,
                format!("`replication`: no topic is kept on {} brokers", found.value),
                "use 3, or as many brokers as there are",
            );
        }
    }
    raw.retention = kafka.duration(reader, "retention").map(|found| found.value);
    if let Some(settings) = kafka.table(reader, "settings") {
        raw.settings = settings.all_texts(reader);
        for secret in SECRETS {
            if raw.settings.contains_key(secret) {
                reader.note(
                    kafka.place(),
                    format!("`{secret}` stands in the file"),
                    format!(
                        "put it alone into a file, and add `\"{secret}\" = \"that file\"` to [kafka.secret_files]"
                    ),
                );
            }
        }
    }
    if let Some(files) = kafka.table(reader, "secret_files") {
        let files = files.all_texts(reader).into_iter();
        raw.secret_files = files
            .map(|(name, file)| (name, folder.join(file)))
            .collect();
    }
    kafka.finish(reader);
    raw
}

impl RawMessenger {
    /// Notes where the settings stand.
    pub(super) fn place(&self, reader: &Reader<'_>, file: &Path, places: &mut Places) {
        places.note(Setting::Listen, file, reader.line(self.listen_at));
        places.note(Setting::Kafka, file, reader.line(self.kafka_at));
    }

    /// Takes what is given elsewhere in the place of what the file says.
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

    /// Demands what must be there. The own endpoint is what the others are told.
    pub(super) fn require(
        self,
        reader: &mut Reader<'_>,
        endpoint: &str,
    ) -> Option<MessengerAccess> {
        match self.kind.as_deref() {
            None | Some("zmq") => {
                // The port that the others are told, on all addresses.
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
                    reader.note(
                        self.kind_at,
                        "there are no brokers",
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
                reader.note(
                    self.kind_at,
                    format!("`messenger`: there is no `{other}`"),
                    "choose zmq or kafka",
                );
                None
            }
        }
    }
}

/// Operators with the endpoint of another: where the others are reached by theirs, one of the two never
/// is.
pub(super) fn same_endpoints(federation: &Federation, places: &Places) -> Vec<Problem> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for id in federation.ids() {
        let Some(operator) = federation.operator(id) else {
            continue;
        };
        let endpoint = operator.endpoint.to_ascii_lowercase();
        match first.get(&endpoint) {
            None => {
                first.insert(endpoint, &operator.name);
            }
            Some(other) => problems.push(places.problem(
                Setting::Endpoint(id),
                format!(
                    "`endpoint`: `{}` and `{other}` have the same, {}",
                    operator.name, operator.endpoint
                ),
                "write where each of them is reached; all operators need the same file".to_owned(),
            )),
        }
    }
    problems
}
