//! Creating the topics, one for each operator.

use core::time::Duration;
use std::{collections::BTreeSet, sync::Arc};

use futures::executor::block_on;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use tracing::{debug, info};

use crate::{
    config::MAX_MESSAGE, context::Context, health::Side, report::TopicState, settings,
    shared::Shared,
};

/// Timeout of a query to the cluster.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);

/// Timeout for creating topics.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the required topics do not exist.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicsError {
    #[error("cannot list the topics: {0}")]
    Metadata(Code),
    #[error("cannot create topics: {0}")]
    Admin(KafkaError),
    #[error(
        "cannot create topic {topic} with {wanted} replicas on {brokers} brokers: lower the \
         replication factor"
    )]
    Replication {
        topic: String,
        wanted: u8,
        brokers: usize,
    },
    #[error(
        "this operator is not allowed to create topic {topic}: grant it access, or create the topic \
         by hand with max.message.bytes={MAX_MESSAGE}"
    )]
    NotAllowed { topic: String },
    #[error("cannot create topic {topic}: {code}")]
    Refused { topic: String, code: Code },
}

/// The topics and brokers found in the cluster.
struct Found {
    missing: BTreeSet<String>,
    existing: BTreeSet<String>,
    brokers: usize,
}

/// Finds the topics and creates missing ones; returns those still missing. An operator that may only
/// create its own topic continues with that, and reads the others once they exist.
pub(crate) fn ensure(
    shared: &Arc<Shared>,
    consumer: &BaseConsumer<Context>,
) -> Result<BTreeSet<String>, TopicsError> {
    let mut found = find(shared, consumer)?;
    if !shared.is_ready() && !found.existing.is_empty() {
        let (shared, existing) = (Arc::clone(shared), found.existing.clone());
        // In the background: nothing depends on it, so it is skipped if no thread can be started.
        let _ = std::thread::Builder::new()
            .name("kafka-check".to_owned())
            .spawn(move || check(&shared, &existing));
    }
    if found.missing.is_empty() {
        return Ok(found.missing);
    }
    let created = create(shared, &found);
    found = find(shared, consumer)?;
    match created {
        // New topics may take a moment to be listed.
        Ok(()) => Ok(BTreeSet::new()),
        Err(error) if found.missing.contains(&shared.own_topic) => Err(error),
        Err(error) => {
            shared.health.report("topics", &error.to_string());
            Ok(found.missing)
        }
    }
}

/// Queries the topics with the consumer: a producer's query would create them with the broker's
/// defaults.
fn find(shared: &Shared, consumer: &BaseConsumer<Context>) -> Result<Found, TopicsError> {
    let mut found = Found {
        missing: BTreeSet::new(),
        existing: BTreeSet::new(),
        brokers: 0,
    };
    for operator in shared.config.operator_ids() {
        let topic = shared.config.topic_of(operator);
        let metadata = consumer
            .fetch_metadata(Some(&topic), QUERY_TIMEOUT)
            .map_err(|error| TopicsError::Metadata(code(&error)))?;
        shared
            .health
            .answered(Side::In, metadata.orig_broker_name());
        found.brokers = metadata.brokers().len();
        let known = metadata.topics().iter().find(|known| known.name() == topic);
        let error = known.and_then(|known| known.error()).map(Code::from);
        let state = match error {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => TopicState::Missing,
            // Forbidden does not mean missing; reading it will show.
            Some(Code::TopicAuthorizationFailed) => TopicState::Forbidden,
            Some(_) => TopicState::Unknown,
            None if known.is_none_or(|known| known.partitions().is_empty()) => TopicState::Missing,
            None => TopicState::Present,
        };
        shared.health.set_topic(operator, state);
        let is_missing = state == TopicState::Missing;
        if is_missing {
            found.missing.insert(topic);
        } else {
            found.existing.insert(topic);
        }
    }
    Ok(found)
}

fn admin(shared: &Shared) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    let mut config = settings::producer(&shared.config);
    config.remove("statistics.interval.ms");
    config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    config.create()
}

fn create(shared: &Shared, found: &Found) -> Result<(), TopicsError> {
    let admin = admin(shared).map_err(TopicsError::Admin)?;
    let config = &shared.config;
    let retention = config.retention().as_millis().to_string();
    let size = MAX_MESSAGE.to_string();
    let replication = i32::from(config.replication());
    let topics: Vec<_> = found
        .missing
        .iter()
        .map(|name| {
            // One partition, for one order.
            NewTopic::new(name, 1, TopicReplication::Fixed(replication))
                .set("cleanup.policy", "delete")
                .set("retention.ms", &retention)
                // Only whole segments are deleted.
                .set("segment.ms", &retention)
                .set("retention.bytes", "268435456")
                .set("segment.bytes", "67108864")
                .set("max.message.bytes", &size)
                // The protocol retransmits a frame lost with its broker; a topic that refuses writes
                // while one broker restarts is worse.
                .set("min.insync.replicas", "1")
                .set("message.timestamp.type", "CreateTime")
                // The broker decompresses, within its size limit: no small record can expand to a
                // large one in a reader's memory.
                .set("compression.type", "uncompressed")
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(CREATE_TIMEOUT))
        .operation_timeout(Some(CREATE_TIMEOUT));
    let created = block_on(admin.create_topics(&topics, &options)).map_err(TopicsError::Admin)?;
    for result in created {
        match result {
            Ok(topic) => info!(topic, replication, "topic created"),
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((topic, Code::InvalidReplicationFactor)) => {
                return Err(TopicsError::Replication {
                    topic,
                    wanted: config.replication(),
                    brokers: found.brokers,
                });
            }
            Err((
                topic,
                Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::PolicyViolation,
            )) => return Err(TopicsError::NotAllowed { topic }),
            Err((topic, code)) => return Err(TopicsError::Refused { topic, code }),
        }
    }
    Ok(())
}

/// Reports existing topics with unsuitable settings. A failed query is not reported as a fault.
fn check(shared: &Shared, existing: &BTreeSet<String>) {
    let Ok(admin) = admin(shared) else {
        return;
    };
    let resources: Vec<_> = existing
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(QUERY_TIMEOUT));
    let described = match block_on(admin.describe_configs(&resources, &options)) {
        Ok(described) => described,
        Err(error) => {
            debug!(%error, "cannot read the settings of the topics");
            return;
        }
    };
    for resource in described.into_iter().flatten() {
        let rdkafka::admin::OwnedResourceSpecifier::Topic(topic) = &resource.specifier else {
            continue;
        };
        let value = |name| resource.get(name).and_then(|entry| entry.value.as_deref());
        let size = value("max.message.bytes").and_then(|text| text.parse::<usize>().ok());
        let fault = match size {
            Some(size) if size < MAX_MESSAGE => "does not accept large blocks",
            Some(size) if size > 2 * MAX_MESSAGE => "accepts messages larger than any block",
            _ => continue,
        };
        shared.health.report(
            topic,
            &format!("topic {topic} {fault}: set its max.message.bytes to {MAX_MESSAGE}"),
        );
    }
}

fn code(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Fail)
}
