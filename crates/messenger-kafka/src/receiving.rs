//! The thread that makes the topics and hears them.

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

/// How long it waits for a message before it looks whether to end.
const TURN: Duration = Duration::from_millis(50);

/// How long between two attempts to find or make the topics.
const RETRY: Duration = Duration::from_secs(1);

/// How long between two looks whether all topics are there: others may have yet to make theirs, and
/// a cluster may have lost them, of which librdkafka says nothing.
const LOOK: Duration = Duration::from_secs(20);

/// How long the end of a topic may take to be told.
const WITHIN: Duration = Duration::from_secs(2);

/// How far the clocks of operators may be apart: the protocol allows less.
const CLOCKS: Duration = Duration::from_secs(30);

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
    shared.turns.done(IN);
}

fn receive(shared: &Arc<Shared>, consumer: &BaseConsumer<Context>) {
    let Some(missing) = prepare(shared, consumer) else {
        return;
    };
    if let Err(error) = consumer.assign(&ends(shared, consumer, &missing)) {
        // Not a matter of the brokers, but of this library.
        shared.health.complain("consumer", &error.to_string());
    }
    shared.ready.send_replace(true);
    let mut looked = Instant::now();
    let mut returns = shared.health.returns();
    while !shared.is_closing() {
        shared.turns.note(IN);
        // Errors are said by the context.
        if let Some(Ok(message)) = consumer.poll(TURN) {
            take(shared, &message);
        }
        // Brokers that are back may have come back without their topics.
        let back = shared.health.returns();
        let is_back = core::mem::replace(&mut returns, back) != back;
        if (is_back || looked.elapsed() > LOOK) && shared.health.is_up() {
            if let Err(error) = topics::ensure(shared, consumer) {
                shared.health.complain("topics", &error.to_string());
            }
            looked = Instant::now();
        }
    }
}

/// Waits until the own topic is there; which of the others are not. None if the messenger is closed
/// first.
fn prepare(shared: &Arc<Shared>, consumer: &BaseConsumer<Context>) -> Option<BTreeSet<String>> {
    loop {
        shared.turns.note(IN);
        match topics::ensure(shared, consumer) {
            Ok(missing) => return Some(missing),
            // Brokers that cannot be reached are spoken of by their names.
            Err(topics::TopicsError::Metadata(
                Code::BrokerTransportFailure | Code::OperationTimedOut | Code::AllBrokersDown,
            )) => {}
            Err(error) => shared.health.complain("topics", &error.to_string()),
        }
        let until = Instant::now() + RETRY;
        while Instant::now() < until {
            if shared.is_closing() {
                return None;
            }
            // Nothing is assigned: this only hears librdkafka's news.
            consumer.poll(TURN);
        }
    }
}

/// Where each topic ends now: from there on everything is heard.
fn ends(
    shared: &Shared,
    consumer: &BaseConsumer<Context>,
    missing: &BTreeSet<String>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for topic in shared.sources.keys() {
        shared.turns.note(IN);
        let end = if missing.contains(topic) {
            // All that it will have is new.
            Offset::Beginning
        } else {
            consumer
                .fetch_watermarks(topic, 0, WITHIN)
                .map_or(Offset::End, |(_, high)| Offset::Offset(high))
        };
        let added: KafkaResult<()> = list.add_partition_offset(topic, 0, end);
        if let Err(error) = added {
            shared.health.complain("consumer", &error.to_string());
        }
    }
    list
}

/// Passes a message on, unless it is over the limit or too old.
fn take(shared: &Shared, message: &BorrowedMessage<'_>) {
    let Some(source) = shared.sources.get(message.topic()) else {
        return;
    };
    let payload = message.payload().unwrap_or_default();
    if payload.len() > MAX_FRAME {
        source.refuse();
        return;
    }
    if is_stale(
        message.timestamp().to_millis(),
        SystemTime::now(),
        shared.config.lifetime(),
    ) {
        source.refuse();
        shared.health.complain(
            message.topic(),
            "frames are skipped as too old: they waited while brokers were down, or a clock is wrong",
        );
        return;
    }
    shared.receive(source, payload);
}

/// Whether a frame has outlived its use, if its time is known.
fn is_stale(sent: Option<i64>, now: SystemTime, lifetime: Duration) -> bool {
    let Some(sent) = sent.and_then(|sent| u64::try_from(sent).ok()) else {
        return false;
    };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(sent)) > lifetime + CLOCKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_stale_after_their_lifetime_and_the_difference_of_clocks() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let lifetime = Duration::from_secs(60);
        let stale = |sent| is_stale(sent, now, lifetime);
        assert!(!stale(Some(1_000_000)));
        assert!(!stale(Some(910_000)));
        assert!(stale(Some(909_999)));
        assert!(stale(Some(0)));
        assert!(!stale(Some(5_000_000)), "a clock ahead makes nothing old");
        assert!(!stale(Some(i64::MAX)));
        assert!(!stale(Some(-1)), "no time is no age");
        assert!(!stale(None));
    }
}
