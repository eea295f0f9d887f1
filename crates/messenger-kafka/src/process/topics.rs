//! A client for topics of any name, in a separate process.

use std::{ffi::OsString, io, path::PathBuf, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use federation_messenger::{Inbox, Lane, MessengerError, QueueLimits};

use super::{
    messages::{Task, absolute_files},
    pipe::invalid,
    supervisor::{Handler, Supervisor, SupervisorTask},
};
use crate::{KafkaError, TopicsConfig};

/// Most records queued for the client, and for the reader per topic.
const QUEUED: usize = 16;

/// Reads and writes topics through a client in a separate process, with the same protection as
/// [`KafkaProcess`](crate::KafkaProcess). A slow reader misses the oldest records of a topic.
#[derive(Debug)]
pub struct TopicsProcess {
    written: usize,
    largest: usize,
    lane: Lane,
    inbox: Inbox,
    client: Arc<Supervisor<Topics>>,
    task: SupervisorTask,
}

/// A lane per topic that is read, with the size limit of its records.
#[derive(Debug)]
struct Topics(Vec<(Lane, usize)>);

impl Handler for Topics {
    fn received(&self, record: Bytes) -> io::Result<()> {
        let index = record.first().copied().map(usize::from);
        let (lane, largest) = index
            .and_then(|index| self.0.get(index))
            .ok_or_else(|| invalid("it sent a record of an unknown topic"))?;
        if record.len() > largest.saturating_add(1) {
            return Err(invalid("it sent a record that is too large"));
        }
        lane.push(record);
        Ok(())
    }

    fn report(&self, _: &[u8]) -> io::Result<()> {
        Err(invalid("it sent an unexpected report"))
    }

    fn ended(&self) {}
}

impl TopicsProcess {
    /// Starts a program, which must call [`run_client`](crate::run_client) at once, with these
    /// arguments, and sends it the configuration. Does not wait for any broker. Relative paths in the
    /// settings refer to this process's working directory.
    ///
    /// # Errors
    /// [`KafkaError::Process`] if the program does not run or does not behave like a client,
    /// [`KafkaError::Client`] if librdkafka refuses the configuration.
    ///
    /// # Panics
    /// If called outside a tokio runtime with time and I/O enabled.
    pub async fn start(
        mut config: TopicsConfig,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, KafkaError> {
        config.set_settings(absolute_files(config.settings()));
        let (inbox, outbox) = (Inbox::new(), Inbox::new());
        // An empty lane accepts one record of any size.
        let limits = |largest: usize| QueueLimits::new(QUEUED, largest.saturating_mul(2));
        let read = config.read().iter();
        let lanes = read.map(|(_, largest)| (inbox.lane(limits(*largest)), *largest));
        let topics = Topics(lanes.collect());
        let (written, largest) = (config.written().len(), config.largest());
        let lane = outbox.lane(limits(largest));
        let setup = Task::Topics(config);
        let (client, task) =
            Supervisor::start(topics, &setup, largest, outbox, program, arguments).await?;
        Ok(Self {
            written,
            largest,
            lane,
            inbox,
            client,
            task,
        })
    }

    /// Queues a record for the topic to write with this number. There is no confirmation that a broker
    /// accepted it. A record for an unknown number is ignored.
    ///
    /// # Errors
    /// [`MessengerError::TooLarge`], [`MessengerError::Closed`].
    pub fn write(&self, topic: usize, record: &[u8]) -> Result<(), MessengerError> {
        if self.client.is_closing() {
            return Err(MessengerError::Closed);
        }
        if record.len() > self.largest {
            return Err(MessengerError::TooLarge {
                len: record.len(),
                limit: self.largest,
            });
        }
        if let Some(number) = u8::try_from(topic).ok().filter(|_| topic < self.written) {
            let mut bytes = BytesMut::with_capacity(record.len() + 1);
            bytes.put_u8(number);
            bytes.put_slice(record);
            self.lane.push(bytes.freeze());
        }
        Ok(())
    }

    /// Waits for the next record; returns it with the number of its topic among those read. Dropping
    /// the future loses no record.
    ///
    /// # Errors
    /// [`MessengerError::Closed`].
    pub async fn read(&self) -> Result<(usize, Bytes), MessengerError> {
        loop {
            let mut record = self.inbox.recv().await?;
            // Every record is pushed with its number.
            if let Some(topic) = record.split_to(1.min(record.len())).first() {
                return Ok((usize::from(*topic), record));
            }
        }
    }

    /// Returns how often the client was restarted because its process ended.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.client.restarts()
    }

    /// Returns the id of the client's process, if one is running.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.client.process_id()
    }

    /// Lets the client send the queued records and exit.
    pub async fn close(&self) {
        self.client.close();
        self.inbox.close();
        self.task.ended().await;
        self.client.record_end();
    }
}

impl Drop for TopicsProcess {
    fn drop(&mut self) {
        self.client.close();
        self.inbox.close();
    }
}
