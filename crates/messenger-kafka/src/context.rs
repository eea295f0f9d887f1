//! What librdkafka tells: log lines, faults, statistics and what became of each frame.

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

/// The ear of one client.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) side: Side,
    pub(crate) shared: Arc<Shared>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        debug!(target: "librdkafka", ?level, facility, "{line}");
        // While it closes, its connections fail because it closes them.
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
            // Said broker by broker, from the log.
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
            // Leaders change, and are found again.
            Some(
                Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::PartitionEOF
                | Code::OffsetOutOfRange
                | Code::AutoOffsetReset,
            ) => {}
            // No group is used.
            Some(Code::GroupAuthorizationFailed) => {}
            Some(Code::Fatal) => {
                self.shared.producer_dead.store(true, Ordering::Release);
                self.shared.health.complain("producer", reason);
            }
            code => {
                let subject = code.map_or_else(|| "client".to_owned(), |code| format!("{code:?}"));
                self.shared.health.complain(&subject, reason);
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
        let complaint = match error.rdkafka_error_code() {
            // Nobody to take it in time, or closing: counted, and the brokers are spoken of above.
            None | Some(Code::MessageTimedOut | Code::PurgeQueue | Code::PurgeInflight) => return,
            Some(Code::MessageSizeTooLarge) => {
                let topic = &self.shared.own_topic;
                format!(
                    "topic {topic} takes no frame of this size: set its max.message.bytes to {}",
                    crate::config::MAX_MESSAGE
                )
            }
            Some(Code::TopicAuthorizationFailed) => format!(
                "this operator may not write to its topic {}: allow it",
                self.shared.own_topic
            ),
            // Brokers that lost their data give the numbers of producers out anew: this one's is
            // another's now, or nobody's, and it would be refused for as long as it lives.
            Some(
                Code::ProducerFenced
                | Code::InvalidProducerEpoch
                | Code::InvalidProducerIdMapping
                | Code::UnknownProducerId
                | Code::OutOfOrderSequenceNumber,
            ) => {
                self.shared.producer_dead.store(true, Ordering::Release);
                format!(
                    "brokers do not know this producer any more, another takes its place: {error}"
                )
            }
            Some(_) => format!("a frame was not taken: {error}"),
        };
        self.shared.health.complain("delivery", &complaint);
    }
}
