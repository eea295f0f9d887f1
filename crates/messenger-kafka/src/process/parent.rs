//! The messenger of a process that runs its client in another process.

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
    Inbox, Lane, MAX_FRAME, Messenger, MessengerError, MessengerStats, Peer, PeerStats, check_size,
};
use federation_roster::OperatorId;
use tokio::sync::watch;

use super::{
    messages::{Counters, Report, Setup, Task},
    pipe::invalid,
    supervisor::{Handler, Supervisor, SupervisorTask, lock},
};
use crate::{Fault, KafkaConfig, KafkaError, KafkaHealth};

/// A messenger over Kafka whose client runs in a separate process. The process is restarted if it
/// exits, hangs, or violates the protocol of the pipes.
///
/// Its tasks run on the tokio runtime it was created on; dropping it ends them and the process.
///
/// # What the other process can access
/// It receives the configuration, including secrets, and the frames. It inherits standard error for
/// its log, and of the environment `PATH`, `LD_LIBRARY_PATH`, `RUST_LOG`, `RUST_BACKTRACE` and the
/// variables of OpenSSL, Kerberos, SASL and name resolution (`SSL_CERT_*`, `OPENSSL_*`, `KRB5*`,
/// `SASL_*`, `RES_OPTIONS`, `LOCALDOMAIN`, `HOSTALIASES`), but no proxy settings, which librdkafka does
/// not use. It runs in `/`, has no other descriptors open, and programs it starts cannot gain
/// privileges. It runs as the same user on the same file system, so only that user's permissions keep
/// it from this process's files.
#[derive(Debug)]
pub struct KafkaProcess {
    brokers: String,
    /// Frames queued for the client.
    lane: Lane,
    inbox: Inbox,
    client: Arc<Supervisor<Operators>>,
    task: SupervisorTask,
}

/// Handles what the client sends.
#[derive(Debug)]
struct Operators {
    ready: watch::Sender<bool>,
    /// The client's last report.
    report: Mutex<Report>,
    /// The counters of former clients.
    past: Mutex<(Counters, BTreeMap<OperatorId, Counters>)>,
    /// Frames from the other operators.
    lanes: BTreeMap<OperatorId, Lane>,
}

impl KafkaProcess {
    /// Starts a program, which must call [`run_client`](crate::run_client) at once, with these
    /// arguments, and sends it the configuration. Does not wait for any broker. Relative paths in the
    /// settings refer to this process's working directory.
    ///
    /// # Errors
    /// [`KafkaError::Process`] if the program does not run or does not behave like a client,
    /// [`KafkaError::Client`] if the settings conflict or name a file that cannot be read.
    ///
    /// # Panics
    /// If called outside a tokio runtime with time and I/O enabled.
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
        let setup = Task::Messenger(Setup::of(&config));
        let (client, task) =
            Supervisor::start(operators, &setup, MAX_FRAME, outbox, program, arguments).await?;
        Ok(Self {
            brokers: config.brokers().join(","),
            lane,
            inbox,
            client,
            task,
        })
    }

    /// Waits until the topics exist and are read: frames that others send from then on arrive.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] if the messenger is closed first.
    pub async fn ready(&self) -> Result<(), MessengerError> {
        let mut ready = self.client.handler.ready.subscribe();
        tokio::select! {
            // Cannot fail: `self` owns the sender.
            _ = ready.wait_for(|ready| *ready) => Ok(()),
            () = self.client.closed() => Err(MessengerError::Closed),
        }
    }

    /// Returns the last reported state of the brokers, the topics and the other operators.
    #[must_use]
    pub fn health(&self) -> KafkaHealth {
        let mut health = lock(&self.client.handler.report).health.clone();
        health.restarts = self.client.restarts();
        if let Some(end) = self.client.end() {
            health.faults.push(Fault {
                subject: "client".to_owned(),
                reason: format!("process ended and was restarted: {end}"),
            });
        }
        health
    }

    /// Whether any broker is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_running() && lock(&self.client.handler.report).brokers.connected
    }

    /// Returns the id of the client's process, if one is running.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.client.process_id()
    }
}

impl Handler for Operators {
    fn received(&self, mut frame: Bytes) -> io::Result<()> {
        let operator = frame.split_to(1.min(frame.len()));
        let lane = operator
            .first()
            .and_then(|operator| self.lanes.get(&OperatorId::new(*operator)));
        lane.ok_or_else(|| invalid("it sent a frame of an unknown operator"))?
            .push(frame);
        Ok(())
    }

    fn report(&self, json: &[u8]) -> io::Result<()> {
        let report = Report::read(json, self.lanes.len() + 1)
            .map_err(|error| invalid(format!("it sent a malformed report: {error}")))?;
        let is_ready = report.health.ready;
        *lock(&self.report) = report;
        self.ready
            .send_if_modified(|ready| core::mem::replace(ready, is_ready) != is_ready);
        Ok(())
    }

    /// Keeps its counters and discards its report.
    fn ended(&self) {
        let report = core::mem::take(&mut *lock(&self.report));
        {
            let mut past = lock(&self.past);
            past.0.add(&report.brokers);
            for (operator, counters) in &report.operators {
                // Unknown operators are not shown.
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
        check_size(&frame)?;
        self.lane.push(frame);
        Ok(())
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        self.inbox.recv().await
    }

    fn stats(&self) -> MessengerStats {
        let operators = &self.client.handler;
        let report = lock(&operators.report);
        let past = lock(&operators.past);
        // The client's counters are not trusted: no sum may overflow.
        let sum = |counts: [u64; 3]| counts.into_iter().fold(0, u64::saturating_add);
        let mut stats = MessengerStats::default();
        let brokers = Counters {
            connected: report.brokers.connected,
            // Frames sent to the client are counted here.
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
            // Frames that the client did not forward.
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
        self.task.ended().await;
        self.client.record_end();
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
