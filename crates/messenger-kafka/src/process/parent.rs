//! The messenger of a process that keeps the client out.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use federation_messenger::{
    Inbox, Lane, MAX_FRAME, Messenger, MessengerError, MessengerStats, Peer, PeerStats,
};
use federation_roster::OperatorId;
use tokio::sync::watch;

use super::{
    messages::{Counters, Report, Setup, Task},
    pipe::invalid,
    supervisor::{Ears, Keeper, Supervisor, lock},
};
use crate::{Fault, KafkaConfig, KafkaError, KafkaHealth};

/// A messenger over Kafka whose client runs in a process of its own, which is started again should
/// it end, hang, or say what no client says.
///
/// Its tasks run on the tokio runtime on which it was made; dropping it ends them and the process.
///
/// # What the other process has
/// The configuration, with its secrets, and the frames; the standard error, where its log goes; of
/// the environment `PATH`, `LD_LIBRARY_PATH`, `RUST_LOG`, `RUST_BACKTRACE` and what OpenSSL,
/// Kerberos, SASL and the looking up of names read (`SSL_CERT_*`, `OPENSSL_*`, `KRB5*`, `SASL_*`,
/// `RES_OPTIONS`, `LOCALDOMAIN`, `HOSTALIASES`). No proxies: librdkafka has no use for them. It runs
/// in `/`; no other descriptors are open in it, and programs that it runs get no more rights than it
/// has. It is the same user on the same file system: what keeps it from files of this process is
/// what keeps that user from them.
#[derive(Debug)]
pub struct KafkaProcess {
    brokers: String,
    /// Frames on their way to the client.
    lane: Lane,
    inbox: Inbox,
    client: Arc<Supervisor<Operators>>,
    keeper: Keeper,
}

/// Where goes what the client says.
#[derive(Debug)]
struct Operators {
    ready: watch::Sender<bool>,
    /// What the client said last.
    report: Mutex<Report>,
    /// The counters of those that have ended.
    past: Mutex<(Counters, BTreeMap<OperatorId, Counters>)>,
    /// What comes from the other operators.
    lanes: BTreeMap<OperatorId, Lane>,
}

impl KafkaProcess {
    /// Starts the program with these arguments, which has to call [`run_client`](crate::run_client)
    /// at once, and hands it the configuration. Does not wait for any broker. Relative paths in the
    /// settings are taken from this process's folder.
    ///
    /// # Errors
    /// [`KafkaError::Process`] if the program does not run or is another, [`KafkaError::Client`] if
    /// the settings do not go together or name a file that cannot be read.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    pub async fn start(
        config: KafkaConfig,
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Self, KafkaError> {
        let (inbox, outbox) = (Inbox::new(), Inbox::new());
        let lanes = config.others();
        let lanes = lanes.map(|operator| (operator, inbox.lane(config.limits())));
        let operators = Operators {
            ready: watch::Sender::new(false),
            report: Mutex::default(),
            past: Mutex::default(),
            lanes: lanes.collect(),
        };
        let lane = outbox.lane(config.limits());
        let task = Task::Messenger(Setup::of(&config));
        let (client, keeper) =
            Supervisor::start(operators, &task, MAX_FRAME, outbox, program, arguments).await?;
        Ok(Self {
            brokers: config.brokers().join(","),
            lane,
            inbox,
            client,
            keeper,
        })
    }

    /// Waits until the topics are there and heard: what others send from then on arrives.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] if it is closed first.
    pub async fn ready(&self) -> Result<(), MessengerError> {
        let mut ready = self.client.ears.ready.subscribe();
        tokio::select! {
            // The sender is in the same object: it does not go away before.
            _ = ready.wait_for(|ready| *ready) => Ok(()),
            () = self.client.closed() => Err(MessengerError::Closed),
        }
    }

    /// What is known of the brokers, the topics and the other operators, a moment ago.
    #[must_use]
    pub fn health(&self) -> KafkaHealth {
        let mut health = lock(&self.client.ears.report).health.clone();
        health.restarts = self.client.restarts();
        if let Some(end) = self.client.end() {
            health.faults.push(Fault {
                subject: "client".to_owned(),
                reason: format!("its process ended, and was started again: {end}"),
            });
        }
        health
    }

    /// Whether any broker is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_running() && lock(&self.client.ears.report).brokers.connected
    }

    /// The id of the process that the client runs in; none while there is none.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.client.process_id()
    }
}

impl Ears for Operators {
    fn received(&self, mut frame: Bytes) -> io::Result<()> {
        let operator = frame.split_to(1.min(frame.len()));
        let lane = operator
            .first()
            .and_then(|operator| self.lanes.get(&OperatorId::new(*operator)));
        lane.ok_or_else(|| invalid("it handed on a frame of nobody"))?
            .push(frame);
        Ok(())
    }

    fn report(&self, json: &[u8]) -> io::Result<()> {
        let report = Report::read(json, self.lanes.len() + 1)
            .map_err(|error| invalid(format!("its report is none: {error}")))?;
        let is_ready = report.health.ready;
        *lock(&self.report) = report;
        self.ready
            .send_if_modified(|ready| core::mem::replace(ready, is_ready) != is_ready);
        Ok(())
    }

    /// Its counters stay, what it knew does not.
    fn ended(&self) {
        let report = core::mem::take(&mut *lock(&self.report));
        {
            let mut past = lock(&self.past);
            past.0.add(&report.brokers);
            for (operator, counters) in &report.operators {
                // Of others nothing is shown.
                if self.lanes.contains_key(operator) {
                    past.1.entry(*operator).or_default().add(counters);
                }
            }
        }
        self.ready.send_replace(false);
    }
}

#[async_trait]
impl Messenger for KafkaProcess {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        if self.client.is_closing() {
            return Err(MessengerError::Closed);
        }
        if frame.len() > MAX_FRAME {
            return Err(MessengerError::TooLarge {
                len: frame.len(),
                limit: MAX_FRAME,
            });
        }
        self.lane.push(frame);
        Ok(())
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        let operators = &self.client.ears;
        let report = lock(&operators.report);
        let past = lock(&operators.past);
        // What the client counts is not to be trusted: no sum may run over.
        let sum = |counts: [u64; 3]| counts.into_iter().fold(0, u64::saturating_add);
        let mut stats = MessengerStats::default();
        let brokers = Counters {
            connected: report.brokers.connected,
            // What a client was handed is counted here.
            frames_out: self.lane.frames_in(),
            bytes_out: self.lane.bytes_in(),
            dropped_out: sum([
                report.brokers.dropped_out,
                past.0.dropped_out,
                self.lane.dropped(),
            ]),
            reconnects: sum([
                report.brokers.reconnects,
                past.0.reconnects,
                self.client.restarts(),
            ]),
            ..Counters::default()
        };
        stats.push(peer(Peer::Address(self.brokers.as_str().into()), &brokers));
        for (operator, lane) in &operators.lanes {
            let now = report.operators.get(operator).copied().unwrap_or_default();
            let before = past.1.get(operator).copied().unwrap_or_default();
            // What the client has not handed on.
            let dropped = now.dropped_in.saturating_add(before.dropped_in);
            let counters = Counters {
                connected: now.connected,
                frames_in: lane.frames_in().saturating_add(dropped),
                bytes_in: lane.bytes_in(),
                dropped_in: lane.dropped().saturating_add(dropped),
                ..Counters::default()
            };
            stats.push(peer(Peer::Operator(*operator), &counters));
        }
        stats
    }

    async fn close(&self) {
        self.client.close();
        self.inbox.close();
        self.keeper.ended().await;
        self.client.note_end();
    }
}

fn peer(peer: Peer, counters: &Counters) -> PeerStats {
    let mut stats = PeerStats::new(peer);
    stats.connected = counters.connected;
    stats.frames_in = counters.frames_in;
    stats.bytes_in = counters.bytes_in;
    stats.frames_out = counters.frames_out;
    stats.bytes_out = counters.bytes_out;
    stats.dropped_in = counters.dropped_in;
    stats.dropped_out = counters.dropped_out;
    stats.reconnects = counters.reconnects;
    stats
}

impl Drop for KafkaProcess {
    fn drop(&mut self) {
        self.client.close();
        self.inbox.close();
    }
}
