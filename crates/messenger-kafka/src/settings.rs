//! librdkafka's settings: those passed through, those reserved for the messenger, and its own.

use std::collections::BTreeMap;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError as LibraryError};

use crate::{KafkaConfig, KafkaError, config::MAX_MESSAGE};

/// Settings that must not be changed, and why.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", BROKERS),
    ("metadata.broker.list", BROKERS),
    ("enable.idempotence", ORDER),
    ("acks", ORDER),
    ("request.required.acks", ORDER),
    ("max.in.flight", ORDER),
    ("max.in.flight.requests.per.connection", ORDER),
    ("retries", ORDER),
    ("message.send.max.retries", ORDER),
    ("enable.gapless.guarantee", LATE),
    ("message.timeout.ms", LIFETIME),
    ("delivery.timeout.ms", LIFETIME),
    ("transactional.id", TRANSACTION),
    ("transaction.timeout.ms", TRANSACTION),
    ("isolation.level", TRANSACTION),
    ("message.max.bytes", SIZE),
    ("message.copy.max.bytes", SIZE),
    ("receive.message.max.bytes", SIZE),
    ("fetch.max.bytes", SIZE),
    ("fetch.message.max.bytes", SIZE),
    ("max.partition.fetch.bytes", SIZE),
    ("queue.buffering.max.messages", MEMORY),
    ("queue.buffering.max.kbytes", MEMORY),
    ("queued.min.messages", MEMORY),
    ("queued.max.messages.kbytes", MEMORY),
    ("queuing.strategy", MEMORY),
    ("auto.offset.reset", OFFSET),
    ("enable.auto.commit", OFFSET),
    ("enable.auto.offset.store", OFFSET),
    ("auto.commit.enable", OFFSET),
    ("offset.store.method", OFFSET),
    ("group.protocol", GROUP),
    ("group.instance.id", GROUP),
    ("partition.assignment.strategy", GROUP),
    ("allow.auto.create.topics", TOPICS),
    ("topic.blacklist", "every operator reads every topic"),
    ("check.crcs", "it detects damaged frames"),
    ("statistics.interval.ms", LOG),
    ("log_level", LOG),
    ("log.queue", LOG),
    (
        "plugin.library.paths",
        "no foreign code may be loaded into the process that signs",
    ),
];

const BROKERS: &str = "the brokers are configured with the messenger";
const ORDER: &str = "the order of an operator's frames depends on it";
const LATE: &str = "a frame that is too late must not stop later ones";
const LIFETIME: &str = "it is derived from the lifetime of frames; set that instead";
const TRANSACTION: &str =
    "frames are not sent in transactions, and must not wait for those of others";
const SIZE: &str = "it is derived from the largest frame";
const MEMORY: &str = "it bounds memory; set the queue limits instead";
const OFFSET: &str = "a messenger starts at the end of each topic and commits nothing";
const GROUP: &str = "every operator reads every topic, without a group";
const TOPICS: &str = "the messenger creates topics with the settings it needs";
const LOG: &str = "what is logged, and how often, depends on it; use the program's log filter";

/// Size limit of a broker's response. It exceeds what any broker accepts by default (100 MiB), since
/// an unreadable record in a topic without a size limit would block everything after it.
const MAX_RESPONSE: usize = 128 * 1024 * 1024;

/// A feature and the packages it needs.
const TLS: (&str, &str) = ("tls", "libssl-dev and pkg-config");
const GSSAPI: (&str, &str) = ("gssapi", "libsasl2-dev, libssl-dev and pkg-config");

/// Refuses settings that are reserved, or need a feature that was not built in.
pub(crate) fn check(name: &str, value: &str) -> Result<(), KafkaError> {
    if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        return Err(KafkaError::Reserved {
            name: name.to_owned(),
            reason,
        });
    }
    if name.starts_with("test.mock.") {
        return Err(KafkaError::Reserved {
            name: name.to_owned(),
            reason: "embedded clusters are started by `mock::MockBrokers`",
        });
    }
    if name.ends_with("_cb") || matches!(name, "opaque" | "interceptors" | "default_topic_conf") {
        return Err(KafkaError::Reserved {
            name: name.to_owned(),
            reason: "its value is not a string",
        });
    }
    let Some((feature, package)) = required_feature(name, value) else {
        return Ok(());
    };
    let built_in = match feature {
        "tls" => cfg!(feature = "tls"),
        _ => cfg!(feature = "gssapi"),
    };
    if built_in {
        return Ok(());
    }
    Err(KafkaError::NotBuiltIn {
        name: name.to_owned(),
        feature,
        package,
    })
}

/// Returns the feature and packages that a setting or its value needs.
fn required_feature(name: &str, value: &str) -> Option<(&'static str, &'static str)> {
    let is = |values: &[&str]| values.iter().any(|known| value.eq_ignore_ascii_case(known));
    match name {
        "security.protocol" if is(&["ssl", "sasl_ssl"]) => Some(TLS),
        "sasl.mechanism" | "sasl.mechanisms" => {
            if is(&["gssapi"]) {
                Some(GSSAPI)
            } else if is(&["plain"]) {
                None
            } else {
                Some(TLS)
            }
        }
        _ if name.starts_with("sasl.kerberos.") => Some(GSSAPI),
        _ if name.starts_with("ssl.")
            || name.starts_with("https.")
            || name.starts_with("sasl.oauthbearer.")
            || name.starts_with("enable.ssl.")
            || name == "enable.sasl.oauthbearer.unsecure.jwt" =>
        {
            Some(TLS)
        }
        _ => None,
    }
}

/// Whether a setting's value is secret.
pub(crate) fn is_secret(name: &str) -> bool {
    [
        "password",
        "secret",
        "key.pem",
        "token",
        "jaas",
        "oauthbearer.config",
        "assertion",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// Returns the settings of both clients: the messenger's own settings override those passed through,
/// which override its defaults.
fn base(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    let me = config.me();
    client
        // Defaults, which may be overridden.
        .set("client.id", format!("federation-operator-{me}"))
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        // Give up a broker whose machine is gone within seconds instead of a minute, and find one
        // that comes back within a second.
        .set("socket.timeout.ms", "10000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        // A broker that closes connections at once counts as unreachable. Closed idle connections are
        // not reported.
        .set("log.connection.close", "true")
        // Brokers need not know anything about the process that signs.
        .set("enable.metrics.push", "false");
    for (name, value) in config.settings() {
        client.set(name, value);
    }
    client
        .set("bootstrap.servers", config.brokers().join(","))
        .set("message.max.bytes", MAX_MESSAGE.to_string())
        .set("receive.message.max.bytes", MAX_RESPONSE.to_string())
        // The brokers' health is read from the statistics.
        .set("statistics.interval.ms", "1000")
        .set_log_level(if config.setting("debug").is_some() {
            RDKafkaLogLevel::Debug
        } else {
            RDKafkaLogLevel::Info
        });
    client
}

/// Returns the settings of the producer.
pub(crate) fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut client = base(config);
    if config.setting("linger.ms").is_none() && config.setting("queue.buffering.max.ms").is_none() {
        // A vote is sent at once.
        client.set("linger.ms", "0");
    }
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set(
            "message.timeout.ms",
            config.lifetime().as_millis().to_string(),
        )
        // Further frames wait in our own queue, which drops its oldest.
        .set("queue.buffering.max.messages", "256")
        .set(
            "queue.buffering.max.kbytes",
            (2 * MAX_MESSAGE / 1024).to_string(),
        );
    client
}

/// Returns the settings of the consumer.
pub(crate) fn consumer(config: &KafkaConfig) -> ClientConfig {
    let mut client = base(config);
    for (name, value) in [
        // Required, but no group is ever joined.
        ("group.id", config.own_topic()),
        // Kafka answers as soon as there is a frame; some compatible brokers always wait this long.
        ("fetch.wait.max.ms", "100".to_owned()),
        ("fetch.error.backoff.ms", "100".to_owned()),
    ] {
        if config.setting(name).is_none() {
            client.set(name, value);
        }
    }
    client
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Applies only if the broker lost data or deleted frames before we read them: continue with
        // the oldest available. Frames that are too old are skipped by their timestamp.
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", "read_uncommitted")
        .set("check.crcs", "true")
        .set("fetch.message.max.bytes", MAX_MESSAGE.to_string())
        .set("fetch.max.bytes", MAX_MESSAGE.to_string())
        .set(
            "queued.max.messages.kbytes",
            (2 * MAX_MESSAGE / 1024).to_string(),
        )
        .set("fetch.queue.backoff.ms", "10");
    client
}

/// Lets librdkafka validate the settings.
pub(crate) fn validate(client: &ClientConfig) -> Result<(), KafkaError> {
    client.create_native_config().map(drop).map_err(translate)
}

/// Converts librdkafka's error, without secrets.
pub(crate) fn translate(error: LibraryError) -> KafkaError {
    match error {
        LibraryError::ClientConfig(_, reason, name, value) => {
            let reason = if is_secret(&name) || (!value.is_empty() && reason.contains(&value)) {
                "invalid value".to_owned()
            } else {
                reason
            };
            KafkaError::Setting { name, reason }
        }
        LibraryError::ClientCreation(reason) => KafkaError::Client(reason),
        other => KafkaError::Client(other.to_string()),
    }
}

/// The settings passed through, by name.
pub(crate) type Settings = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use federation_roster::{FederationId, OperatorId};

    use super::*;

    fn config() -> KafkaConfig {
        let federation = FederationId::from_bytes([7; 32]);
        KafkaConfig::new(["localhost:9092"], federation, 5, OperatorId::new(0)).expect("valid")
    }

    #[test]
    fn librdkafkas_settings_are_passed_through() {
        let config = config()
            .with_setting("socket.timeout.ms", "3000")
            .and_then(|config| config.with_setting("client.id", "alice"))
            .and_then(|config| config.with_setting("group.id", "alice"))
            .and_then(|config| config.with_setting("linger.ms", "2"))
            .expect("all allowed");
        let client = consumer(&config);
        assert_eq!(client.get("socket.timeout.ms"), Some("3000"));
        assert_eq!(client.get("client.id"), Some("alice"));
        assert_eq!(client.get("group.id"), Some("alice"));
        assert_eq!(producer(&config).get("linger.ms"), Some("2"));
    }

    #[test]
    fn reserved_settings_are_refused() {
        for (name, _) in RESERVED {
            let refused = config().with_setting(*name, "1").expect_err(name);
            assert!(matches!(refused, KafkaError::Reserved { .. }), "{refused}");
        }
        for name in ["test.mock.num.brokers", "dr_msg_cb", "opaque"] {
            let refused = config().with_setting(name, "1").expect_err(name);
            assert!(matches!(refused, KafkaError::Reserved { .. }), "{refused}");
        }
    }

    #[test]
    fn every_reserved_name_exists_in_librdkafka() {
        // A misspelt name would not be refused.
        for (name, _) in RESERVED {
            let mut client = ClientConfig::new();
            client.set(*name, "not a valid value\u{1}");
            if let Err(error) = validate(&client) {
                let text = error.to_string();
                assert!(!text.contains("No such configuration"), "{text}");
            }
        }
    }

    #[test]
    fn unknown_settings_and_values_are_refused_by_name() {
        let refused = config()
            .with_setting("scoket.timeout.ms", "1")
            .expect_err("misspelt");
        assert!(
            refused.to_string().contains("scoket.timeout.ms"),
            "{refused}"
        );
        let refused = config()
            .with_setting("socket.timeout.ms", "soon")
            .expect_err("no number");
        assert!(matches!(refused, KafkaError::Setting { .. }), "{refused}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn settings_that_need_a_missing_feature_name_it() {
        for (name, value, expected) in [
            ("security.protocol", "SASL_SSL", "tls"),
            ("ssl.ca.location", "/etc/ssl/ca.pem", "tls"),
            ("sasl.mechanism", "SCRAM-SHA-256", "tls"),
            ("sasl.mechanisms", "GSSAPI", "gssapi"),
            ("sasl.kerberos.service.name", "kafka", "gssapi"),
        ] {
            match config().with_setting(name, value) {
                Err(KafkaError::NotBuiltIn { feature, .. }) => assert_eq!(feature, expected),
                other => panic!("{name}: {other:?}"),
            }
        }
        config()
            .with_setting("security.protocol", "sasl_plaintext")
            .and_then(|config| config.with_setting("sasl.mechanism", "PLAIN"))
            .and_then(|config| config.with_setting("sasl.username", "alice"))
            .and_then(|config| config.with_setting("sasl.password", "hunter2"))
            .expect("built in");
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = config()
            .with_setting("sasl.password", "hunter2")
            .expect("allowed");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(format!("{config:?}").contains("sasl.password"));
        let error = translate(LibraryError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "Invalid value hunter2".to_owned(),
            "sasl.password".to_owned(),
            "hunter2".to_owned(),
        ));
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
