//! The configuration of a Kafka messenger.

use core::{fmt, time::Duration};

use federation_messenger::{MAX_FRAME, QueueLimits};
use federation_roster::{FederationId, OperatorId};

use crate::{
    KafkaError,
    settings::{self, Settings},
};

/// Size limit of a record with its batch: the largest frame and ample room.
pub(crate) const MAX_MESSAGE: usize = MAX_FRAME + 64 * 1024;

/// Longest topic prefix, in bytes. Kafka limits a topic name to 249 bytes.
const MAX_PREFIX: usize = 200;

/// Brokers, topics and limits.
///
/// Its `Debug` output shows the names of settings but not their values, which may be secret.
#[derive(Clone)]
pub struct KafkaConfig {
    brokers: Vec<String>,
    prefix: String,
    operators: u8,
    me: OperatorId,
    settings: Settings,
    replication: u8,
    retention: Duration,
    lifetime: Duration,
    limits: QueueLimits,
}

impl KafkaConfig {
    /// Creates the configuration of operator `me` in a federation of `operators` operators.
    ///
    /// Brokers are given as `host:port`, or `host` with the default port 9092. Some of the cluster's
    /// brokers suffice; the others are discovered.
    ///
    /// # Errors
    /// [`KafkaError::NoBroker`], [`KafkaError::Broker`], [`KafkaError::Operator`].
    pub fn new(
        brokers: impl IntoIterator<Item = impl Into<String>>,
        federation: FederationId,
        operators: u8,
        me: OperatorId,
    ) -> Result<Self, KafkaError> {
        let brokers: Vec<String> = brokers.into_iter().map(Into::into).collect();
        if brokers.is_empty() {
            return Err(KafkaError::NoBroker);
        }
        if let Some(wrong) = brokers.iter().find(|broker| !is_broker(broker)) {
            return Err(KafkaError::Broker(wrong.chars().take(300).collect()));
        }
        if me.to_u8() >= operators {
            return Err(KafkaError::Operator { me, operators });
        }
        Ok(Self {
            brokers,
            prefix: format!("federation-{federation}"),
            operators,
            me,
            settings: Settings::new(),
            replication: 3,
            retention: Duration::from_secs(600),
            lifetime: Duration::from_secs(60),
            limits: QueueLimits::default(),
        })
    }

    /// Sets the prefix of the federation's topics: operator 3 writes to `<prefix>-operator-3`. The
    /// default is `federation-<id of the federation in hex>`. All operators need the same prefix.
    ///
    /// # Errors
    /// [`KafkaError::Prefix`] if Kafka does not accept the prefix in a topic name.
    pub fn with_topic_prefix(mut self, prefix: impl Into<String>) -> Result<Self, KafkaError> {
        let prefix = prefix.into();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=MAX_PREFIX).contains(&prefix.len()) || !prefix.chars().all(is_plain) {
            return Err(KafkaError::Prefix(prefix.chars().take(300).collect()));
        }
        self.prefix = prefix;
        Ok(self)
    }

    /// Sets a librdkafka setting such as `security.protocol` or `sasl.username`; see librdkafka's
    /// `CONFIGURATION.md`.
    ///
    /// # Errors
    /// [`KafkaError::Reserved`] for settings that the messenger's guarantees depend on,
    /// [`KafkaError::NotBuiltIn`] for TLS, SCRAM and Kerberos without their feature,
    /// [`KafkaError::Setting`] for a name or value that librdkafka rejects.
    pub fn with_setting(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, KafkaError> {
        let (name, value) = (name.into(), value.into());
        settings::check(&name, &value)?;
        let mut single = rdkafka::ClientConfig::new();
        single.set(&name, &value);
        settings::validate(&single)?;
        self.settings.insert(name, value);
        Ok(self)
    }

    /// Sets several librdkafka settings, as [`with_setting`](Self::with_setting) does.
    ///
    /// # Errors
    /// The same as [`with_setting`](Self::with_setting), for the first setting refused.
    pub fn with_settings(
        self,
        settings: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self, KafkaError> {
        settings
            .into_iter()
            .try_fold(self, |config, (name, value)| {
                config.with_setting(name, value)
            })
    }

    /// Sets the replication factor of topics that this messenger creates, 3 by default. Existing
    /// topics are not changed.
    #[must_use]
    pub const fn with_replication(mut self, replication: u8) -> Self {
        self.replication = replication;
        self
    }

    /// Sets how long brokers keep frames in topics that this messenger creates, 10 minutes by
    /// default. Old frames are never read; the retention bounds disk usage.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets how long a frame is useful, 60 s by default, at least 1 s. A frame that could not be sent
    /// to a broker within this time is dropped; a received frame is skipped once it is half a minute
    /// older than that, since clocks differ.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.clamp(Duration::from_secs(1), Duration::from_secs(86_400));
        self
    }

    /// Sets the limits of the queue to the brokers, and of the queue of frames from each operator.
    /// The default is that of [`QueueLimits`].
    #[must_use]
    pub const fn with_queue_limits(mut self, limits: QueueLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the topic of an operator's frames.
    #[must_use]
    pub fn topic_of(&self, operator: OperatorId) -> String {
        format!("{}-operator-{operator}", self.prefix)
    }

    /// Returns the topic of this messenger's own frames.
    #[must_use]
    pub fn own_topic(&self) -> String {
        self.topic_of(self.me)
    }

    /// Returns which operator this is.
    #[must_use]
    pub const fn me(&self) -> OperatorId {
        self.me
    }

    /// Returns the configured brokers.
    #[must_use]
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    pub(crate) fn others(&self) -> impl Iterator<Item = OperatorId> + use<> {
        let me = self.me;
        self.operator_ids().filter(move |id| *id != me)
    }

    pub(crate) fn operator_ids(&self) -> impl Iterator<Item = OperatorId> + use<> {
        (0..self.operators).map(OperatorId::new)
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) const fn operators(&self) -> u8 {
        self.operators
    }

    pub(crate) const fn replication(&self) -> u8 {
        self.replication
    }

    pub(crate) const fn retention(&self) -> Duration {
        self.retention
    }

    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub(crate) const fn limits(&self) -> QueueLimits {
        self.limits
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("prefix", &self.prefix)
            .field("operators", &self.operators)
            .field("me", &self.me)
            .field("settings", &self.settings.keys())
            .field("replication", &self.replication)
            .field("retention", &self.retention)
            .field("lifetime", &self.lifetime)
            .field("limits", &self.limits)
            .finish()
    }
}

/// Whether a string is `host`, `host:port`, or an IPv6 address in brackets with or without a port.
fn is_broker(text: &str) -> bool {
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    };
    let is_name = |host: &str| {
        (1..=253).contains(&host.len())
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, rest)| {
            address.parse::<core::net::Ipv6Addr>().is_ok()
                && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
        });
    }
    match text.split_once(':') {
        Some((host, port)) => is_name(host) && is_port(port),
        None => is_name(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn new(brokers: &[&str], operators: u8, me: u8) -> Result<KafkaConfig, KafkaError> {
        let federation = FederationId::from_bytes([7; 32]);
        KafkaConfig::new(
            brokers.iter().copied(),
            federation,
            operators,
            OperatorId::new(me),
        )
    }

    #[test]
    fn brokers_are_hosts_with_an_optional_port() {
        new(
            &[
                "kafka1.example:9092",
                "kafka2",
                "192.0.2.7:9092",
                "[::1]",
                "[::1]:9092",
            ],
            5,
            4,
        )
        .expect("all valid");
        for wrong in [
            "",
            "a b",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "ssl://a:1",
            "a,b",
            "::1",
            "[::1]x",
            "[a]:1",
        ] {
            let refused = new(&[wrong], 5, 0).expect_err(wrong);
            assert!(matches!(refused, KafkaError::Broker(_)), "{refused}");
        }
        assert!(matches!(new(&[], 5, 0), Err(KafkaError::NoBroker)));
        assert!(matches!(
            new(&["a"], 5, 5),
            Err(KafkaError::Operator { .. })
        ));
    }

    #[test]
    fn each_operator_of_each_federation_has_its_own_topic() {
        let config = new(&["a"], 20, 19).expect("valid");
        let expected = format!("federation-{}-operator-19", "07".repeat(32));
        assert_eq!(config.own_topic(), expected);
        assert!(expected.len() <= 249);
        let config = config
            .with_topic_prefix("acme_1.x")
            .expect("a valid prefix");
        assert_eq!(config.topic_of(OperatorId::new(3)), "acme_1.x-operator-3");
        assert_eq!(config.others().count(), 19);
        for wrong in ["", "a b", "a/b", "\u{e4}", &"x".repeat(201)] {
            let refused = config.clone().with_topic_prefix(wrong);
            assert!(matches!(refused, Err(KafkaError::Prefix(_))), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_string_makes_the_broker_check_panic(text in "\\PC{0,40}|[a-z\\[\\]:0-9]{0,20}") {
            let refused = new(&[&text], 5, 0).is_err();
            prop_assert_eq!(refused, !is_broker(&text));
            prop_assert!(refused || !text.contains([',', '/', ' ']));
        }
    }
}
