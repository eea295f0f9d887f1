//! Making the topics, one for each operator.

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

/// How long one question to the cluster may take.
const WITHIN: Duration = Duration::from_secs(3);

/// How long the cluster may take to make topics.
const MAKING: Duration = Duration::from_secs(5);

/// Why topics that are needed are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicsError {
    #[error("the cluster does not tell its topics: {0}")]
    Metadata(Code),
    #[error("the cluster makes no topics: {0}")]
    Admin(KafkaError),
    #[error(
        "topic {topic} cannot be made with {wanted} replicas, there are {brokers} brokers: set the \
         replication factor to at most that"
    )]
    Replication {
        topic: String,
        wanted: u8,
        brokers: usize,
    },
    #[error(
        "this operator may not make topic {topic}: allow it to, or make the topic by hand with \
         max.message.bytes={MAX_MESSAGE}"
    )]
    NotAllowed { topic: String },
    #[error("topic {topic} cannot be made: {code}")]
    Refused { topic: String, code: Code },
}

/// What the cluster has.
struct Found {
    missing: BTreeSet<String>,
    existing: BTreeSet<String>,
    brokers: usize,
}

/// Looks for the topics and makes those that are missing; which are missing still. An operator that
/// may make its own topic only goes on with that, and hears the others once they are there.
pub(crate) fn ensure(
    shared: &Arc<Shared>,
    consumer: &BaseConsumer<Context>,
) -> Result<BTreeSet<String>, TopicsError> {
    let mut found = look(shared, consumer)?;
    if !shared.is_ready() && !found.existing.is_empty() {
        let (shared, existing) = (Arc::clone(shared), found.existing.clone());
        // Beside the work: nothing waits for it, and without a thread it is left out.
        let _ = std::thread::Builder::new()
            .name("kafka-check".to_owned())
            .spawn(move || check(&shared, &existing));
    }
    if found.missing.is_empty() {
        return Ok(found.missing);
    }
    let made = make(shared, &found);
    found = look(shared, consumer)?;
    match made {
        // What was made may take a moment to be told of.
        Ok(()) => Ok(BTreeSet::new()),
        Err(error) if found.missing.contains(&shared.own_topic) => Err(error),
        Err(error) => {
            shared.health.complain("topics", &error.to_string());
            Ok(found.missing)
        }
    }
}

/// The consumer asks, as a producer's question would make topics with the broker's defaults.
fn look(shared: &Shared, consumer: &BaseConsumer<Context>) -> Result<Found, TopicsError> {
    let mut found = Found {
        missing: BTreeSet::new(),
        existing: BTreeSet::new(),
        brokers: 0,
    };
    for operator in shared.config.everyone() {
        let topic = shared.config.topic_of(operator);
        let metadata = consumer
            .fetch_metadata(Some(&topic), WITHIN)
            .map_err(|error| TopicsError::Metadata(code(&error)))?;
        shared
            .health
            .answered(Side::In, metadata.orig_broker_name());
        found.brokers = metadata.brokers().len();
        let known = metadata.topics().iter().find(|known| known.name() == topic);
        let error = known.and_then(|known| known.error()).map(Code::from);
        let state = match error {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => TopicState::Missing,
            // Not allowed to know is not the same as missing, and the reading will tell.
            Some(Code::TopicAuthorizationFailed) => TopicState::Forbidden,
            Some(_) => TopicState::Unknown,
            None if known.is_none_or(|known| known.partitions().is_empty()) => TopicState::Missing,
            None => TopicState::Present,
        };
        shared.health.topic(operator, state);
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

fn make(shared: &Shared, found: &Found) -> Result<(), TopicsError> {
    let admin = admin(shared).map_err(TopicsError::Admin)?;
    let config = &shared.config;
    let retention = config.retention().as_millis().to_string();
    let size = MAX_MESSAGE.to_string();
    let replication = i32::from(config.replication());
    let topics: Vec<_> = found
        .missing
        .iter()
        .map(|name| {
            // One partition: one order.
            NewTopic::new(name, 1, TopicReplication::Fixed(replication))
                .set("cleanup.policy", "delete")
                .set("retention.ms", &retention)
                // Only whole segments are deleted.
                .set("segment.ms", &retention)
                .set("retention.bytes", "268435456")
                .set("segment.bytes", "67108864")
                .set("max.message.bytes", &size)
                // A frame lost with its broker is sent again by the protocol; a topic that takes
                // none because one broker restarts is worse.
                .set("min.insync.replicas", "1")
                .set("message.timestamp.type", "CreateTime")
                // The broker unpacks, under its limit of size: no small record becomes a large one
                // in a reader's memory.
                .set("compression.type", "uncompressed")
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(MAKING))
        .operation_timeout(Some(MAKING));
    let made = block_on(admin.create_topics(&topics, &options)).map_err(TopicsError::Admin)?;
    for result in made {
        match result {
            Ok(topic) => info!(topic, replication, "topic made"),
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

/// Says which topics, made by others, are not as they have to be. Not knowing is no fault.
fn check(shared: &Shared, existing: &BTreeSet<String>) {
    let Ok(admin) = admin(shared) else {
        return;
    };
    let resources: Vec<_> = existing
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(WITHIN));
    let described = match block_on(admin.describe_configs(&resources, &options)) {
        Ok(described) => described,
        Err(error) => {
            debug!(%error, "the topics' settings are not told");
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
            Some(size) if size < MAX_MESSAGE => "takes no large block",
            Some(size) if size > 2 * MAX_MESSAGE => "takes more than any block has",
            _ => continue,
        };
        shared.health.complain(
            topic,
            &format!("topic {topic} {fault}: set its max.message.bytes to {MAX_MESSAGE}"),
        );
    }
}

fn code(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Fail)
}
