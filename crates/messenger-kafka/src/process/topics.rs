//! A client of topics of any names, in a process of its own.

use std::{ffi::OsString, io, path::PathBuf, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use federation_messenger::{Inbox, Lane, MessengerError, QueueLimits};

use super::{
    messages::{Task, absolute_files},
    pipe::invalid,
    supervisor::{Ears, Keeper, Supervisor},
};
use crate::{KafkaError, TopicsConfig};

/// How many records wait at most for the client, and of each topic for the reader.
const WAITING: usize = 16;

/// Reads and writes topics by way of a client in a process of its own, as
/// [`KafkaProcess`](crate::KafkaProcess) does, and with the same protection. Of topics that are read,
/// a reader that is slow misses the oldest records.
#[derive(Debug)]
pub struct TopicsProcess {
    written: usize,
    largest: usize,
    lane: Lane,
    inbox: Inbox,
    client: Arc<Supervisor<Topics>>,
    keeper: Keeper,
}

/// What comes from each topic.
#[derive(Debug)]
struct Topics(Vec<(Lane, usize)>);

impl Ears for Topics {
    fn received(&self, record: Bytes) -> io::Result<()> {
        let place = record.first().copied().map(usize::from);
        let (lane, largest) = place
            .and_then(|place| self.0.get(place))
            .ok_or_else(|| invalid("it handed on a record of no topic"))?;
        if record.len() > largest.saturating_add(1) {
            return Err(invalid("it handed on a record that is too large"));
        }
        lane.push(record);
        Ok(())
    }

    fn report(&self, _: &[u8]) -> io::Result<()> {
        Err(invalid("it reported what nobody asked for"))
    }

    fn ended(&self) {}
}

impl TopicsProcess {
    /// Starts the program with these arguments, which has to call [`run_client`](crate::run_client)
    /// at once, and hands it the configuration. Does not wait for any broker. Relative paths in the
    /// settings are taken from this process's folder.
    ///
    /// # Errors
    /// [`KafkaError::Process`] if the program does not run or is another, [`KafkaError::Client`] if
    /// librdkafka refuses the configuration.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub async fn start(
        mut config: TopicsConfig,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, KafkaError> {
        config.set_settings(absolute_files(config.settings()));
        let (inbox, outbox) = (Inbox::new(), Inbox::new());
        // A lane takes one record of any size.
        let limits = |largest: usize| QueueLimits::new(WAITING, largest.saturating_mul(2));
        let read = config.read().iter();
        let lanes = read.map(|(_, largest)| (inbox.lane(limits(*largest)), *largest));
        let topics = Topics(lanes.collect());
        let (written, largest) = (config.written().len(), config.largest());
        let lane = outbox.lane(limits(largest));
        let task = Task::Topics(config);
        let (client, keeper) =
            Supervisor::start(topics, &task, largest, outbox, program, arguments).await?;
        Ok(Self {
            written,
            largest,
            lane,
            inbox,
            client,
            keeper,
        })
    }

    /// Hands a record over for the topic of this number among those that are written. Whether a
    /// broker takes it is never known. A number that there is not takes nothing.
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

    /// Waits for the next record; the number of its topic among those that are read. Dropping the
    /// future loses none.
    ///
    /// # Errors
    /// [`MessengerError::Closed`].
    pub async fn read(&self) -> Result<(usize, Bytes), MessengerError> {
        loop {
            let mut record = self.inbox.recv().await?;
            // None is pushed without its number.
            if let Some(topic) = record.split_to(1.min(record.len())).first() {
                return Ok((usize::from(*topic), record));
            }
        }
    }

    /// How often the client was started again because its process had ended.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.client.restarts()
    }

    /// The id of the process that the client runs in; none while there is none.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.client.process_id()
    }

    /// Lets the client hand over what it was given, and end.
    pub async fn close(&self) {
        self.client.close();
        self.inbox.close();
        self.keeper.ended().await;
        self.client.note_end();
    }
}

impl Drop for TopicsProcess {
    fn drop(&mut self) {
        self.client.close();
        self.inbox.close();
    }
}
