//! The thread that hands frames to librdkafka.

use core::time::Duration;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    error::{KafkaError as LibraryError, RDKafkaErrorCode as Code},
    producer::{BaseProducer, BaseRecord, Producer},
};

use crate::{
    KafkaError,
    context::Context,
    health::Side,
    outbox::{Next, Waiting},
    settings,
    shared::Shared,
};

/// How long it waits for a frame before it looks after librdkafka's news.
const TURN: Duration = Duration::from_millis(50);

/// How long it waits for a place in librdkafka's queue at a time.
const FULL: Duration = Duration::from_millis(10);

/// How long it waits before it makes another producer.
const RENEWAL: Duration = Duration::from_secs(1);

/// How long the last frames may take to the brokers when the messenger is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// The name of the thread.
pub(crate) const OUT: &str = "kafka-out";

pub(crate) fn make(shared: &Arc<Shared>) -> Result<BaseProducer<Context>, KafkaError> {
    let context = Context {
        side: Side::Out,
        shared: Arc::clone(shared),
    };
    settings::producer(&shared.config)
        .create_with_context(context)
        .map_err(settings::translate)
}

/// Sends until the outbox is closed and empty.
pub(crate) fn run(shared: &Arc<Shared>, producer: BaseProducer<Context>) {
    deliver(shared, producer);
    shared.turns.done(OUT);
}

fn deliver(shared: &Arc<Shared>, mut producer: BaseProducer<Context>) {
    // To send to a topic that is not there would make it with the brokers' defaults.
    while !shared.is_ready() {
        if shared.is_closing() {
            return;
        }
        shared.turns.note(OUT);
        producer.poll(TURN);
    }
    loop {
        shared.turns.note(OUT);
        if shared.producer_dead.swap(false, Ordering::AcqRel) {
            match renew(shared, producer) {
                Some(renewed) => producer = renewed,
                None => return,
            }
        }
        match shared.outbox.next(TURN) {
            Next::Frame(waiting) => {
                send(shared, &producer, &waiting);
                producer.poll(Duration::ZERO);
            }
            Next::Nothing => producer.poll(Duration::from_millis(1)),
            Next::Closed => break,
        }
    }
    if shared.health.is_up() {
        // What is not taken in time is counted when the producer is dropped.
        let _ = producer.flush(FAREWELL);
    }
}

/// Hands one frame over, as soon as there is a place for it.
fn send(shared: &Shared, producer: &BaseProducer<Context>, waiting: &Waiting) {
    let me = shared.config.me().to_string();
    let since_epoch = waiting.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut record = BaseRecord::to(&shared.own_topic)
        .partition(0)
        .key(me.as_str())
        .payload(&waiting.frame[..])
        .timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    loop {
        record = match producer.send(record) {
            Ok(()) => return,
            Err((LibraryError::MessageProduction(Code::QueueFull), record)) => record,
            Err((error, _)) => {
                shared.count_failed();
                if error.rdkafka_error_code() == Some(Code::Fatal) {
                    shared.producer_dead.store(true, Ordering::Release);
                } else {
                    let complaint = format!("a frame was not taken: {error}");
                    shared.health.complain("delivery", &complaint);
                }
                return;
            }
        };
        producer.poll(FULL);
        shared.turns.note(OUT);
        let too_old = waiting.since.elapsed() > shared.config.lifetime();
        if too_old || shared.is_closing() || shared.producer_dead.load(Ordering::Acquire) {
            shared.count_failed();
            return;
        }
    }
}

/// A producer in place of one that librdkafka has given up; none if the messenger is closed first.
fn renew(shared: &Arc<Shared>, dead: BaseProducer<Context>) -> Option<BaseProducer<Context>> {
    drop(dead);
    loop {
        let until = SystemTime::now() + RENEWAL;
        while SystemTime::now() < until {
            if shared.is_closing() {
                return None;
            }
            shared.turns.note(OUT);
            std::thread::sleep(FULL);
        }
        match make(shared) {
            Ok(producer) => return Some(producer),
            Err(error) => shared.health.complain("producer", &error.to_string()),
        }
    }
}
