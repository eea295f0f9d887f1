//! How the operators communicate.

use super::BundleError;

/// How the operators communicate. All operators of a federation must use the same transport, which
/// is documented in the README of every bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transport {
    /// ZeroMQ, with a connection between every two operators.
    #[default]
    Zmq,
    /// Kafka, with one broker per operator at its endpoint. The controller is on the next port above
    /// that the node does not use.
    KafkaPerOperator,
    /// An existing Kafka cluster with these brokers, `host:port`.
    Kafka(Vec<String>),
}

impl Transport {
    /// Checks the addresses of the brokers.
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
