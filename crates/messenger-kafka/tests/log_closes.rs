//! The log for a broker that closes all connections. This test needs its own process, since
//! librdkafka's threads use the process-wide log.

#[path = "it/stub.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod stub;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaConfig, KafkaMessenger};
use federation_roster::{FederationId, OperatorId};
use stub::{Faults, Stub};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_broker_that_closes_connections_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
        .init();
    let stub = Stub::start(Faults {
        closes: true,
        ..Faults::default()
    })
    .await;
    let federation = FederationId::from_bytes([7; 32]);
    let config = KafkaConfig::new([stub.address()], federation, 2, OperatorId::new(0));
    let messenger = KafkaMessenger::start(config.expect("valid")).expect("valid settings");
    let named = format!("broker=\"{}\"", stub.address());
    let lines = || {
        let bytes = log.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).matches(&named).count()
    };
    // Both clients keep retrying.
    let waiting = async {
        while lines() == 0 || stub.connections() < 6 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("in time");
    assert_eq!(lines(), 1);
    messenger.close().await;
}
