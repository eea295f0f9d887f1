//! The messenger: two clients of librdkafka, each on its own thread.

use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{Messenger, MessengerError, MessengerStats, check_size};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::{KafkaConfig, KafkaError, KafkaHealth, receiving, sending, shared::Shared};

/// How long closing waits for the threads, which end by themselves in any case.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes to its own topic and reads those of all others.
///
/// Dropping it ends its threads, without waiting for them.
#[derive(Debug)]
pub struct KafkaMessenger {
    shared: Arc<Shared>,
    /// Each resolves when its thread has ended.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl KafkaMessenger {
    /// Creates the clients and starts connecting to the brokers without waiting for them.
    ///
    /// # Errors
    /// [`KafkaError::Client`] if the settings conflict or name a file that cannot be read,
    /// [`KafkaError::Thread`] if a thread cannot be started.
    pub fn start(config: KafkaConfig) -> Result<Self, KafkaError> {
        Self::start_shared(Shared::new(config))
    }

    /// Starts a messenger that prefixes each received frame with its operator's number.
    pub(crate) fn start_tagged(config: KafkaConfig) -> Result<Self, KafkaError> {
        Self::start_shared(Shared::tagged(config))
    }

    fn start_shared(shared: Shared) -> Result<Self, KafkaError> {
        let shared = Arc::new(shared);
        let (producer, consumer) = (sending::make(&shared)?, receiving::make(&shared)?);
        info!(
            brokers = shared.config.brokers().join(","),
            topic = shared.own_topic,
            "connecting to Kafka"
        );
        let messenger = Self {
            shared: Arc::clone(&shared),
            ended: Mutex::default(),
        };
        let sender = Arc::clone(&shared);
        messenger.spawn(sending::OUT, move || sending::run(&sender, producer))?;
        messenger.spawn(receiving::IN, move || receiving::run(&shared, &consumer))?;
        Ok(messenger)
    }

    /// Returns the state shared by its threads, for code that forwards it to another process.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), KafkaError> {
        let (done, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                work();
                // `work` has dropped its client, so its connections are closed.
                let _ = done.send(());
            })
            .map_err(|error| KafkaError::Thread(Arc::new(error)))?;
        self.lock().push(ended);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<oneshot::Receiver<()>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the topics exist and are read: frames that others send from then on arrive.
    ///
    /// Waiting is optional; frames broadcast earlier are queued.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] if the messenger is closed first.
    pub async fn ready(&self) -> Result<(), MessengerError> {
        let mut ready = self.shared.ready.subscribe();
        loop {
            if self.shared.is_closing() {
                return Err(MessengerError::Closed);
            }
            if *ready.borrow_and_update() {
                return Ok(());
            }
            // Cannot fail: `self` owns the sender.
            let _ = ready.changed().await;
        }
    }

    /// Returns the state of the brokers, the topics and the other operators.
    #[must_use]
    pub fn health(&self) -> KafkaHealth {
        self.shared.health()
    }

    /// Whether any broker is connected right now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.health.is_up()
    }
}

#[async_trait]
impl Messenger for KafkaMessenger {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        if self.shared.is_closing() {
            return Err(MessengerError::Closed);
        }
        check_size(&frame)?;
        self.shared.count_out(frame.len());
        self.shared.outbox.push(frame);
        Ok(())
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.shared.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        self.shared.stats()
    }

    async fn close(&self) {
        self.shared.close();
        self.shared.ready.send_modify(|_| {});
        let ended = core::mem::take(&mut *self.lock());
        for end in ended {
            // An error also means that the thread has ended.
            if tokio::time::timeout(CLOSE_TIMEOUT, end).await.is_err() {
                warn!("a thread of the Kafka client does not end, closing without it");
            }
        }
    }
}

impl Drop for KafkaMessenger {
    fn drop(&mut self) {
        self.shared.close();
    }
}
