//! The configuration of a client for topics of any name.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most topics to read, and to write: each has a one-byte number.
const MAX_TOPICS: usize = 256;

/// Brokers, topics and limits of a [`TopicsProcess`](crate::TopicsProcess).
///
/// Its `Debug` output shows the names of settings but not their values, which may be secret. The same
/// limits apply when it is deserialized; more than 256 topics to read or to write are then refused.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "RawTopicsConfig")]
pub struct TopicsConfig {
    brokers: String,
    client: String,
    settings: BTreeMap<String, String>,
    write: Vec<String>,
    read: Vec<(String, usize)>,
    largest: usize,
}

/// A deserialized configuration before it is checked.
#[derive(Deserialize)]
#[serde(rename = "TopicsConfig")]
struct RawTopicsConfig {
    brokers: String,
    client: String,
    settings: BTreeMap<String, String>,
    write: Vec<String>,
    read: Vec<(String, usize)>,
    largest: usize,
}

/// There are more topics than one-byte numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} topics to {1} exceed the limit of {MAX_TOPICS}: start several clients")]
struct TooManyTopics(usize, &'static str);

impl TryFrom<RawTopicsConfig> for TopicsConfig {
    type Error = TooManyTopics;

    fn try_from(raw: RawTopicsConfig) -> Result<Self, TooManyTopics> {
        for (count, action) in [(raw.write.len(), "write"), (raw.read.len(), "read")] {
            if count > MAX_TOPICS {
                return Err(TooManyTopics(count, action));
            }
        }
        let mut config = Self::new(raw.brokers, raw.client, raw.largest);
        for topic in raw.write {
            config = config.with_written(topic);
        }
        for (topic, largest) in raw.read {
            config = config.with_read(topic, largest);
        }
        for (name, value) in raw.settings {
            config = config.with_setting(name, value);
        }
        Ok(config)
    }
}

impl TopicsConfig {
    /// Creates the configuration of a client with this name (`client.id`, `group.id`).
    ///
    /// Brokers are a comma-separated list of `host:port`; `largest` limits the size of a record, in
    /// bytes.
    #[must_use]
    pub fn new(brokers: impl Into<String>, client: impl Into<String>, largest: usize) -> Self {
        Self {
            brokers: brokers.into(),
            client: client.into(),
            settings: BTreeMap::new(),
            write: Vec::new(),
            read: Vec::new(),
            largest,
        }
    }

    /// Adds a topic to write to. Topics are numbered in order of addition, up to 256; further ones
    /// are ignored.
    #[must_use]
    pub fn with_written(mut self, topic: impl Into<String>) -> Self {
        self.write.push(topic.into());
        self.write.truncate(MAX_TOPICS);
        self
    }

    /// Adds a topic to read, from its end, and the largest record accepted, in bytes. Topics are
    /// numbered in order of addition, up to 256; further ones are ignored.
    #[must_use]
    pub fn with_read(mut self, topic: impl Into<String>, largest: usize) -> Self {
        self.read.push((topic.into(), largest.min(self.largest)));
        self.read.truncate(MAX_TOPICS);
        self
    }

    /// Sets a librdkafka setting such as `security.protocol`.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    pub(crate) fn client(&self) -> &str {
        &self.client
    }

    pub(crate) const fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    pub(crate) fn set_settings(&mut self, settings: BTreeMap<String, String>) {
        self.settings = settings;
    }

    pub(crate) fn written(&self) -> &[String] {
        &self.write
    }

    /// Returns the topics to read, with the size limit of each one's records.
    pub(crate) fn read(&self) -> &[(String, usize)] {
        &self.read
    }

    pub(crate) const fn largest(&self) -> usize {
        self.largest
    }
}

impl fmt::Debug for TopicsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicsConfig")
            .field("brokers", &self.brokers)
            .field("client", &self.client)
            .field("settings", &self.settings.keys())
            .field("write", &self.write)
            .field("read", &self.read)
            .field("largest", &self.largest)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(config: &Value) -> Result<TopicsConfig, String> {
        serde_json::from_value(config.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_configuration_survives_serialization() {
        let config = TopicsConfig::new("a:1,b:2", "alice", 1000)
            .with_written("votes")
            .with_read("blocks", 5000)
            .with_setting("security.protocol", "ssl");
        let text = serde_json::to_value(&config).expect("a value");
        let again = read(&text).expect("it was valid");
        assert_eq!(serde_json::to_value(&again).expect("a value"), text);
        assert_eq!(again.read(), [("blocks".to_owned(), 1000)]);
    }

    #[test]
    fn deserialization_enforces_the_limits() {
        let good = serde_json::to_value(TopicsConfig::new("a:1", "alice", 1000)).expect("a value");
        let mut large = good.clone();
        large["read"] = json!([["blocks", usize::MAX]]);
        let read_largest = read(&large).expect("cut to the largest").read()[0].1;
        assert_eq!(read_largest, 1000);
        for (side, topic) in [("write", json!("votes")), ("read", json!(["votes", 1]))] {
            let mut many = good.clone();
            many[side] = Value::Array(vec![topic.clone(); MAX_TOPICS]);
            assert!(read(&many).is_ok(), "{side}");
            many[side] = Value::Array(vec![topic; MAX_TOPICS + 1]);
            let refused = read(&many).expect_err("too many");
            assert!(
                refused.contains(&format!("257 topics to {side} exceed the limit")),
                "{refused}"
            );
        }
    }
}
