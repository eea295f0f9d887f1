//! The thread that passes frames to librdkafka.

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

/// How long to wait for a frame before serving librdkafka's callbacks.
const POLL: Duration = Duration::from_millis(50);

/// Pause before retrying when librdkafka's queue is full.
const QUEUE_RETRY: Duration = Duration::from_millis(10);

/// Pause before a producer is replaced.
const RENEWAL: Duration = Duration::from_secs(1);

/// How long sending the last frames may take when the messenger is closed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

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
    shared.watchdog.done(OUT);
}

fn deliver(shared: &Arc<Shared>, mut producer: BaseProducer<Context>) {
    // Sending to a missing topic would create it with the brokers' defaults.
    while !shared.is_ready() {
        if shared.is_closing() {
            return;
        }
        shared.watchdog.alive(OUT);
        producer.poll(POLL);
    }
    loop {
        shared.watchdog.alive(OUT);
        if shared.producer_dead.swap(false, Ordering::AcqRel) {
            match renew(shared, producer) {
                Some(renewed) => producer = renewed,
                None => return,
            }
        }
        match shared.outbox.next(POLL) {
            Next::Frame(waiting) => {
                send(shared, &producer, &waiting);
                producer.poll(Duration::ZERO);
            }
            Next::Nothing => producer.poll(Duration::from_millis(1)),
            Next::Closed => break,
        }
    }
    if shared.health.is_up() {
        // Frames not delivered in time are counted when the producer is dropped.
        let _ = producer.flush(FLUSH_TIMEOUT);
    }
}

/// Passes one frame to librdkafka, waiting while its queue is full.
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
                    let fault = format!("frame not accepted: {error}");
                    shared.health.report("delivery", &fault);
                }
                return;
            }
        };
        producer.poll(QUEUE_RETRY);
        shared.watchdog.alive(OUT);
        let too_old = waiting.since.elapsed() > shared.config.lifetime();
        if too_old || shared.is_closing() || shared.producer_dead.load(Ordering::Acquire) {
            shared.count_failed();
            return;
        }
    }
}

/// Replaces a producer that librdkafka has given up; `None` if the messenger is closed first.
fn renew(shared: &Arc<Shared>, dead: BaseProducer<Context>) -> Option<BaseProducer<Context>> {
    drop(dead);
    loop {
        let until = SystemTime::now() + RENEWAL;
        while SystemTime::now() < until {
            if shared.is_closing() {
                return None;
            }
            shared.watchdog.alive(OUT);
            std::thread::sleep(QUEUE_RETRY);
        }
        match make(shared) {
            Ok(producer) => return Some(producer),
            Err(error) => shared.health.report("producer", &error.to_string()),
        }
    }
}
