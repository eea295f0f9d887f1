//! The thread that creates the topics and reads them.

use core::time::Duration;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use federation_messenger::MAX_FRAME;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaResult, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
};

use crate::{KafkaError, context::Context, health::Side, settings, shared::Shared, topics};

/// How long to wait for a message before checking whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// Pause between two attempts to find or create the topics.
const RETRY: Duration = Duration::from_secs(1);

/// Time between two checks that all topics exist: others may not have created theirs yet, and a
/// cluster may have lost them, which librdkafka does not report.
const TOPICS_CHECK: Duration = Duration::from_secs(20);

/// Timeout of a query for the end of a topic.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// How far the operators' clocks may differ; the protocol allows less.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The name of the thread.
pub(crate) const IN: &str = "kafka-in";

pub(crate) fn make(shared: &Arc<Shared>) -> Result<BaseConsumer<Context>, KafkaError> {
    let context = Context {
        side: Side::In,
        shared: Arc::clone(shared),
    };
    settings::consumer(&shared.config)
        .create_with_context(context)
        .map_err(settings::translate)
}

/// Receives until the messenger is closed.
pub(crate) fn run(shared: &Arc<Shared>, consumer: &BaseConsumer<Context>) {
    receive(shared, consumer);
    shared.watchdog.done(IN);
}

fn receive(shared: &Arc<Shared>, consumer: &BaseConsumer<Context>) {
    let Some(missing) = prepare(shared, consumer) else {
        return;
    };
    if let Err(error) = consumer.assign(&ends(shared, consumer, &missing)) {
        // Caused by this crate, not by the brokers.
        shared.health.report("consumer", &error.to_string());
    }
    shared.ready.send_replace(true);
    let mut checked = Instant::now();
    let mut reconnects = shared.health.reconnects();
    while !shared.is_closing() {
        shared.watchdog.alive(IN);
        // Errors are reported by the context.
        if let Some(Ok(message)) = consumer.poll(POLL) {
            receive_message(shared, &message);
        }
        // Brokers may have lost their topics while they were down.
        let now = shared.health.reconnects();
        let has_reconnected = core::mem::replace(&mut reconnects, now) != now;
        if (has_reconnected || checked.elapsed() > TOPICS_CHECK) && shared.health.is_up() {
            if let Err(error) = topics::ensure(shared, consumer) {
                shared.health.report("topics", &error.to_string());
            }
            checked = Instant::now();
        }
    }
}

/// Waits until our own topic exists; returns the missing topics of others, or `None` if the messenger
/// is closed first.
fn prepare(shared: &Arc<Shared>, consumer: &BaseConsumer<Context>) -> Option<BTreeSet<String>> {
    loop {
        shared.watchdog.alive(IN);
        match topics::ensure(shared, consumer) {
            Ok(missing) => return Some(missing),
            // Unreachable brokers are reported by name.
            Err(topics::TopicsError::Metadata(
                Code::BrokerTransportFailure | Code::OperationTimedOut | Code::AllBrokersDown,
            )) => {}
            Err(error) => shared.health.report("topics", &error.to_string()),
        }
        let until = Instant::now() + RETRY;
        while Instant::now() < until {
            if shared.is_closing() {
                return None;
            }
            // Nothing is assigned: this only serves librdkafka's callbacks.
            consumer.poll(POLL);
        }
    }
}

/// Returns where each topic ends now: everything from there on is read.
fn ends(
    shared: &Shared,
    consumer: &BaseConsumer<Context>,
    missing: &BTreeSet<String>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for topic in shared.sources.keys() {
        shared.watchdog.alive(IN);
        let end = if missing.contains(topic) {
            // It will contain new frames only.
            Offset::Beginning
        } else {
            consumer
                .fetch_watermarks(topic, 0, QUERY_TIMEOUT)
                .map_or(Offset::End, |(_, high)| Offset::Offset(high))
        };
        let added: KafkaResult<()> = list.add_partition_offset(topic, 0, end);
        if let Err(error) = added {
            shared.health.report("consumer", &error.to_string());
        }
    }
    list
}

/// Queues a message for the reader, unless it is over the limit or too old.
fn receive_message(shared: &Shared, message: &BorrowedMessage<'_>) {
    let Some(source) = shared.sources.get(message.topic()) else {
        return;
    };
    let payload = message.payload().unwrap_or_default();
    if payload.len() > MAX_FRAME {
        source.count_dropped();
        return;
    }
    if is_stale(
        message.timestamp().to_millis(),
        SystemTime::now(),
        shared.config.lifetime(),
    ) {
        source.count_dropped();
        shared.health.report(
            message.topic(),
            "frames skipped as too old: brokers were down, or a clock is wrong",
        );
        return;
    }
    shared.receive(source, payload);
}

/// Whether a frame is past its lifetime; `false` if its time is unknown.
fn is_stale(sent: Option<i64>, now: SystemTime, lifetime: Duration) -> bool {
    let Some(sent) = sent.and_then(|sent| u64::try_from(sent).ok()) else {
        return false;
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(sent)) > lifetime + CLOCK_SKEW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_stale_after_their_lifetime_and_the_clock_skew() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let lifetime = Duration::from_secs(60);
        let stale = |sent| is_stale(sent, now, lifetime);
        assert!(!stale(Some(1_000_000)));
        assert!(!stale(Some(910_000)));
        assert!(stale(Some(909_999)));
        assert!(stale(Some(0)));
        assert!(
            !stale(Some(5_000_000)),
            "a clock that is ahead makes no frame old"
        );
        assert!(!stale(Some(i64::MAX)));
        assert!(!stale(Some(-1)), "an invalid time has no age");
        assert!(!stale(None));
    }
}
