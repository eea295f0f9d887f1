//! The log while brokers are down: one line per broker, not a flood. This test needs its own process,
//! since librdkafka's threads use the process-wide log.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaMessenger, mock::MockBrokers};
use federation_roster::{FederationId, OperatorId};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self, part: &str) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }
}

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

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_broker_that_is_down_is_logged_once() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .init();
    let brokers = MockBrokers::start(2).expect("ports");
    let federation = FederationId::from_bytes([7; 32]);
    let config = brokers
        .config(federation, 2, OperatorId::new(0))
        .and_then(|config| config.with_setting("reconnect.backoff.max.ms", "100"))
        .expect("valid");
    let messenger = KafkaMessenger::start(config).expect("valid");
    messenger.ready().await.expect("open");
    let until = async |up: bool| {
        while messenger.is_connected() != up {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until(true).await;
    brokers.take_all_down().expect("they run");
    until(false).await;
    for _ in 0..300 {
        messenger
            .broadcast("for nobody".into())
            .await
            .expect("open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let warnings = log.lines("WARN");
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    for broker in brokers.brokers().expect("they are known") {
        let lines = log.lines(&format!(
            "Kafka broker unreachable, retrying broker=\"{broker}\""
        ));
        assert_eq!(lines.len(), 1, "{warnings:#?}");
        assert!(lines[0].contains("reason="), "{lines:?}");
    }
    assert_eq!(log.lines("no Kafka broker is connected").len(), 1);
    brokers.bring_all_up().expect("they were down");
    until(true).await;
    assert_eq!(log.lines("connected to Kafka again").len(), 1);
    messenger.close().await;
    assert_eq!(log.lines("WARN").len(), 3, "closing is not a fault");
}
