//! Settings of librdkafka: those that are passed through, those that the messenger keeps to
//! itself, and its own.

use std::collections::BTreeMap;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError as LibraryError};

use crate::{KafkaConfig, KafkaError, config::MAX_MESSAGE};

/// Settings that cannot be passed through, and why.
const KEPT: &[(&str, &str)] = &[
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
    ("check.crcs", "damaged frames are found by it"),
    ("statistics.interval.ms", LOG),
    ("log_level", LOG),
    ("log.queue", LOG),
    (
        "plugin.library.paths",
        "no foreign code is loaded into the process that signs",
    ),
];

const BROKERS: &str = "brokers are given to the messenger itself";
const ORDER: &str = "the order of an operator's frames rests on it";
const LATE: &str = "frames that are too late must not stop those that are not";
const LIFETIME: &str = "it follows from the lifetime of frames; set that";
const TRANSACTION: &str = "frames are no transactions, and nobody's transaction may hold them up";
const SIZE: &str = "it follows from the largest frame";
const MEMORY: &str = "memory is bounded by it; set the limits of the queues";
const OFFSET: &str = "a messenger starts at the end of each topic and commits nothing";
const GROUP: &str = "every operator reads every topic; no group shares them";
const TOPICS: &str = "topics are made by the messenger, with the settings that it needs";
const LOG: &str = "what is said, and how often, rests on it; use the program's log filter";

/// Most bytes of a broker's answer. More than any broker takes at once unless it is told to (100
/// MiB), since a record in a topic without a limit that we could not read would hold up what comes
/// after it for ever.
const MAX_ANSWER: usize = 128 * 1024 * 1024;

/// The packages that a feature needs.
const TLS: (&str, &str) = ("tls", "libssl-dev and pkg-config");
const GSSAPI: (&str, &str) = ("gssapi", "libsasl2-dev, libssl-dev and pkg-config");

/// Refuses what would break a promise, or was not built in.
pub(crate) fn check(name: &str, value: &str) -> Result<(), KafkaError> {
    if let Some((_, reason)) = KEPT.iter().find(|(kept, _)| *kept == name) {
        return Err(KafkaError::Kept {
            name: name.to_owned(),
            reason,
        });
    }
    if name.starts_with("test.mock.") {
        return Err(KafkaError::Kept {
            name: name.to_owned(),
            reason: "an embedded cluster is started by `mock::MockBrokers`",
        });
    }
    if name.ends_with("_cb") || matches!(name, "opaque" | "interceptors" | "default_topic_conf") {
        return Err(KafkaError::Kept {
            name: name.to_owned(),
            reason: "it has no value in text",
        });
    }
    let Some((feature, package)) = needed(name, value) else {
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

/// The feature without which librdkafka does not have this setting or this value.
fn needed(name: &str, value: &str) -> Option<(&'static str, &'static str)> {
    let is = |texts: &[&str]| texts.iter().any(|text| value.eq_ignore_ascii_case(text));
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

/// Whether a setting's value must not be shown.
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

/// What both clients have in common: the messenger's own settings over those passed through, over
/// its defaults.
fn base(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    let me = config.me();
    client
        // Defaults, which may be changed.
        .set("client.id", format!("federation-operator-{me}"))
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        // A broker whose machine is gone is given up in seconds, not in a minute, and one that
        // comes back is found within a second.
        .set("socket.timeout.ms", "10000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        // A broker that closes connections at once is one that cannot be reached. Connections that
        // rested are not spoken of.
        .set("log.connection.close", "true")
        // Brokers need to know nothing of the process that signs.
        .set("enable.metrics.push", "false");
    for (name, value) in config.settings() {
        client.set(name, value);
    }
    client
        .set("bootstrap.servers", config.brokers().join(","))
        .set("message.max.bytes", MAX_MESSAGE.to_string())
        .set("receive.message.max.bytes", MAX_ANSWER.to_string())
        // The health of the brokers is read from them.
        .set("statistics.interval.ms", "1000")
        .set_log_level(if config.setting("debug").is_some() {
            RDKafkaLogLevel::Debug
        } else {
            RDKafkaLogLevel::Info
        });
    client
}

/// The settings of the producer.
pub(crate) fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut client = base(config);
    if config.setting("linger.ms").is_none() && config.setting("queue.buffering.max.ms").is_none() {
        // A vote waits for nobody.
        client.set("linger.ms", "0");
    }
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set(
            "message.timeout.ms",
            config.lifetime().as_millis().to_string(),
        )
        // What waits for long waits in our own queue, which drops its oldest.
        .set("queue.buffering.max.messages", "256")
        .set(
            "queue.buffering.max.kbytes",
            (2 * MAX_MESSAGE / 1024).to_string(),
        );
    client
}

/// The settings of the consumer.
pub(crate) fn consumer(config: &KafkaConfig) -> ClientConfig {
    let mut client = base(config);
    for (name, value) in [
        // Only a name: no group is ever joined.
        ("group.id", config.own_topic()),
        // Kafka answers as soon as there is a frame; some that speak its protocol wait this long.
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
        // Only after a loss of data at the broker, or when it has deleted what we had yet to read:
        // go on with what there is. What is too old is skipped by its time.
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

/// Lets librdkafka judge the settings.
pub(crate) fn judge(client: &ClientConfig) -> Result<(), KafkaError> {
    client.create_native_config().map(drop).map_err(translate)
}

/// librdkafka's complaint, without secrets.
pub(crate) fn translate(error: LibraryError) -> KafkaError {
    match error {
        LibraryError::ClientConfig(_, reason, name, value) => {
            let reason = if is_secret(&name) || (!value.is_empty() && reason.contains(&value)) {
                "its value is not one that it takes".to_owned()
            } else {
                reason
            };
            KafkaError::Setting { name, reason }
        }
        LibraryError::ClientCreation(reason) => KafkaError::Client(reason),
        other => KafkaError::Client(other.to_string()),
    }
}

/// Settings passed through, by name.
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
    fn the_librarys_names_are_passed_through() {
        let config = config()
            .with_setting("socket.timeout.ms", "3000")
            .and_then(|config| config.with_setting("client.id", "anna"))
            .and_then(|config| config.with_setting("group.id", "anna"))
            .and_then(|config| config.with_setting("linger.ms", "2"))
            .expect("all allowed");
        let client = consumer(&config);
        assert_eq!(client.get("socket.timeout.ms"), Some("3000"));
        assert_eq!(client.get("client.id"), Some("anna"));
        assert_eq!(client.get("group.id"), Some("anna"));
        assert_eq!(producer(&config).get("linger.ms"), Some("2"));
    }

    #[test]
    fn settings_that_the_promises_rest_on_are_refused() {
        for (name, _) in KEPT {
            let refused = config().with_setting(*name, "1").expect_err(name);
            assert!(matches!(refused, KafkaError::Kept { .. }), "{refused}");
        }
        for name in ["test.mock.num.brokers", "dr_msg_cb", "opaque"] {
            let refused = config().with_setting(name, "1").expect_err(name);
            assert!(matches!(refused, KafkaError::Kept { .. }), "{refused}");
        }
    }

    #[test]
    fn every_refused_name_is_one_of_the_librarys() {
        // A name with a slip of the pen would be let through.
        for (name, _) in KEPT {
            let mut client = ClientConfig::new();
            client.set(*name, "no value of any of them\u{1}");
            if let Err(error) = judge(&client) {
                let text = error.to_string();
                assert!(!text.contains("No such configuration"), "{text}");
            }
        }
    }

    #[test]
    fn unknown_settings_and_values_are_refused_by_their_names() {
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
    fn settings_of_parts_not_built_in_name_the_feature() {
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
            .and_then(|config| config.with_setting("sasl.username", "anna"))
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
