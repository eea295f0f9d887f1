//! Callbacks of librdkafka: log lines, errors, statistics and delivery reports.

use std::sync::{Arc, atomic::Ordering};

use rdkafka::{
    ClientContext, Statistics,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{DeliveryResult, ProducerContext},
};
use tracing::debug;

use crate::{
    health::{Side, read_failure},
    shared::Shared,
};

/// Handles the callbacks of one client.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) side: Side,
    pub(crate) shared: Arc<Shared>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        debug!(target: "librdkafka", level = level as i32, facility, "{line}");
        // While the messenger closes, connections fail because it closes them.
        if facility == "FAIL"
            && !self.shared.is_closing()
            && let Some((broker, reason)) = read_failure(line)
        {
            self.shared.health.broker_failed(self.side, broker, reason);
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.shared.health.observe(self.side, &statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, reason, "error");
        if self.shared.is_closing() {
            return;
        }
        match error.rdkafka_error_code() {
            // Reported per broker, from the log.
            Some(
                Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::SSL
                | Code::Authentication
                | Code::NodeUpdate
                | Code::OperationTimedOut
                | Code::RequestTimedOut,
            ) => {}
            // Leadership changes are handled by librdkafka.
            Some(
                Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::PartitionEOF
                | Code::OffsetOutOfRange
                | Code::AutoOffsetReset,
            ) => {}
            // No consumer group is used.
            Some(Code::GroupAuthorizationFailed) => {}
            Some(Code::Fatal) => {
                self.shared.producer_dead.store(true, Ordering::Release);
                self.shared.health.report("producer", reason);
            }
            code => {
                let subject = code.map_or_else(|| "client".to_owned(), |code| format!("{code:?}"));
                self.shared.health.report(&subject, reason);
            }
        }
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, _)) = result else {
            self.shared.count_confirmed();
            return;
        };
        self.shared.count_failed();
        let fault = match error.rdkafka_error_code() {
            // No broker accepted it in time, or we are closing: it is counted, and unreachable brokers are
            // reported above.
            None | Some(Code::MessageTimedOut | Code::PurgeQueue | Code::PurgeInflight) => return,
            Some(Code::MessageSizeTooLarge) => {
                let topic = &self.shared.own_topic;
                format!(
                    "topic {topic} does not accept a frame of this size: set its max.message.bytes to {}",
                    crate::config::MAX_MESSAGE
                )
            }
            Some(Code::TopicAuthorizationFailed) => format!(
                "this operator is not allowed to write to its topic {}: grant it access",
                self.shared.own_topic
            ),
            // Brokers that lost their data assign producer ids anew: the id of this producer is now
            // unknown or another's, and everything it sends would be refused.
            Some(
                Code::ProducerFenced
                | Code::InvalidProducerEpoch
                | Code::InvalidProducerIdMapping
                | Code::UnknownProducerId
                | Code::OutOfOrderSequenceNumber,
            ) => {
                self.shared.producer_dead.store(true, Ordering::Release);
                format!("brokers no longer know this producer, so it is replaced: {error}")
            }
            Some(_) => format!("frame not accepted: {error}"),
        };
        self.shared.health.report("delivery", &fault);
    }
}
