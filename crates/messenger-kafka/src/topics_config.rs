//! How a client of topics of any names is set up.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most topics on either side: each has a number of one byte.
const MAX_TOPICS: usize = 256;

/// Brokers, topics and limits of a [`TopicsProcess`](crate::TopicsProcess).
///
/// Its `Debug` form shows the names of settings, not their values, some of which are secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct TopicsConfig {
    brokers: String,
    client: String,
    settings: BTreeMap<String, String>,
    write: Vec<String>,
    read: Vec<(String, usize)>,
    largest: usize,
}

impl TopicsConfig {
    /// A client of this name (`client.id`, `group.id`) at these brokers, `host:port` with commas
    /// between, that writes records of at most so many bytes.
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

    /// A topic to write to; they are numbered in their order. There are at most 256, others are left
    /// out.
    #[must_use]
    pub fn with_written(mut self, topic: impl Into<String>) -> Self {
        self.write.push(topic.into());
        self.write.truncate(MAX_TOPICS);
        self
    }

    /// A topic to read, from its end on, and the most bytes of a record that is taken; they are
    /// numbered in their order. There are at most 256, others are left out.
    #[must_use]
    pub fn with_read(mut self, topic: impl Into<String>, largest: usize) -> Self {
        self.read.push((topic.into(), largest.min(self.largest)));
        self.read.truncate(MAX_TOPICS);
        self
    }

    /// Sets one of librdkafka's settings by its name, such as `security.protocol`.
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

    /// The topics that are read, with the most bytes of a record of each.
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
