//! The messenger itself: two clients of librdkafka, each on a thread of its own.

use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{MAX_FRAME, Messenger, MessengerError, MessengerStats};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::{KafkaConfig, KafkaError, KafkaHealth, receiving, sending, shared::Shared};

/// How long closing waits for the threads. They end by themselves in any case.
const FAREWELL: Duration = Duration::from_secs(10);

/// Writes to its own topic, and hears those of all others.
///
/// Dropping it ends its threads, without waiting for them.
#[derive(Debug)]
pub struct KafkaMessenger {
    shared: Arc<Shared>,
    /// Each resolves when its thread has ended.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl KafkaMessenger {
    /// Makes the clients and begins to look for the brokers. Does not wait for any of them.
    ///
    /// # Errors
    /// [`KafkaError::Client`] if the settings do not go together or name a file that cannot be
    /// read, [`KafkaError::Thread`].
    pub fn start(config: KafkaConfig) -> Result<Self, KafkaError> {
        Self::start_shared(Shared::new(config))
    }

    /// The same, with the number of the operator before each frame that is received.
    pub(crate) fn start_tagged(config: KafkaConfig) -> Result<Self, KafkaError> {
        Self::start_shared(Shared::tagged(config))
    }

    fn start_shared(shared: Shared) -> Result<Self, KafkaError> {
        let shared = Arc::new(shared);
        let (producer, consumer) = (sending::make(&shared)?, receiving::make(&shared)?);
        info!(
            brokers = shared.config.brokers().join(","),
            topic = shared.own_topic,
            "looking for Kafka"
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

    /// What its threads share, for those that hand it on to another process.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), KafkaError> {
        let (done, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                work();
                // The work has dropped its client: its connections are closed.
                let _ = done.send(());
            })
            .map_err(|error| KafkaError::Thread(Arc::new(error)))?;
        self.lock().push(ended);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<oneshot::Receiver<()>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the topics are there and heard: what others send from then on arrives.
    ///
    /// Nothing depends on waiting; frames handed over before wait in their queue.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] if it is closed first.
    pub async fn ready(&self) -> Result<(), MessengerError> {
        let mut ready = self.shared.ready.subscribe();
        loop {
            if self.shared.is_closing() {
                return Err(MessengerError::Closed);
            }
            if *ready.borrow_and_update() {
                return Ok(());
            }
            // The sender is in the same object: it does not go away before.
            let _ = ready.changed().await;
        }
    }

    /// What is known of the brokers, the topics and the other operators.
    #[must_use]
    pub fn health(&self) -> KafkaHealth {
        self.shared.health()
    }

    /// Whether any broker is connected at this moment.
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
        if frame.len() > MAX_FRAME {
            return Err(MessengerError::TooLarge {
                len: frame.len(),
                limit: MAX_FRAME,
            });
        }
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
            // An error is an end as well.
            if tokio::time::timeout(FAREWELL, end).await.is_err() {
                warn!("a thread of Kafka's client does not end, going on without it");
            }
        }
    }
}

impl Drop for KafkaMessenger {
    fn drop(&mut self) {
        self.shared.close();
    }
}
