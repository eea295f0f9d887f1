//! How the operators are to talk.

use crate::BundleError;

/// How the operators are to talk. All of a federation need the same, so it is said once, and stands
/// in the README of every bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transport {
    /// ZeroMQ, each with each at its endpoint.
    #[default]
    Zmq,
    /// Kafka, of which each operator runs one broker, at its endpoint; its controller is at the
    /// port above, or at the next one if the node has that.
    OwnKafka,
    /// Kafka of these brokers, `host:port`, that somebody runs already.
    Kafka(Vec<String>),
}

impl Transport {
    /// Checks what stands in files later.
    pub(crate) fn check(&self) -> Result<(), BundleError> {
        let Self::Kafka(brokers) = self else {
            return Ok(());
        };
        if brokers.is_empty() {
            return Err(BundleError::NoBrokers);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]_".contains(c);
        for broker in brokers {
            let fine = broker.len() <= 255
                && broker.chars().all(plain)
                && broker.rsplit_once(':').is_some_and(|(host, port)| {
                    !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0)
                });
            if !fine {
                return Err(BundleError::Broker(broker.clone()));
            }
        }
        Ok(())
    }
}
