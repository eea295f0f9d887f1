//! The brokers' health. Each fault is logged once when it starts and once when it ends, however often
//! librdkafka reports it in between.

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use federation_roster::OperatorId;
use rdkafka::Statistics;
use tracing::{info, warn};

use crate::report::{BrokerHealth, Fault, TopicState};

/// How long a fault stays quiet after it was logged, even if it clears in between.
const QUIET: Duration = Duration::from_secs(60);

/// Most subjects tracked; a cluster has far fewer brokers.
const MAX_SUBJECTS: usize = 256;

/// The two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Out,
    In,
}

/// The brokers' health as seen by both clients.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The brokers each client is connected to, as `host:port`.
    connected: BTreeMap<Side, BTreeSet<String>>,
    /// The brokers the cluster itself advertises, as `host:port`.
    members: BTreeMap<Side, BTreeSet<String>>,
    topics: BTreeMap<OperatorId, TopicState>,
    subjects: BTreeMap<String, Subject>,
    /// Since when no broker is connected, if one was before.
    lost: Option<Instant>,
    was_up: bool,
    reconnects: u64,
}

/// A broker, or anything else that can have a fault.
#[derive(Debug)]
struct Subject {
    logged: Instant,
    faulty: bool,
    /// Whether the current fault was logged, so that its end must be logged too.
    end_due: bool,
    suppressed: u64,
    /// When the fault was last reported, and why.
    last_seen: Instant,
    reason: String,
    is_broker: bool,
}

/// Longest reason kept, in characters: a broker's messages may have any length.
const MAX_REASON: usize = 300;

/// How long a fault is listed after it was last reported, if its end cannot be observed.
const LISTED: Duration = Duration::from_secs(60);

impl State {
    fn is_up(&self) -> bool {
        self.connected.values().any(|brokers| !brokers.is_empty())
    }

    /// Records a fault. Returns whether to log it now, as the number of reports suppressed before.
    fn fault(&mut self, subject: &str, reason: &str, is_broker: bool) -> Option<u64> {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        if let Some(known) = self.subjects.get_mut(subject) {
            known.last_seen = Instant::now();
            known.reason = reason;
            let quiet = known.logged.elapsed() < QUIET;
            if known.faulty || quiet {
                known.faulty = true;
                known.suppressed += 1;
                return None;
            }
            known.logged = Instant::now();
            known.faulty = true;
            known.end_due = true;
            return Some(core::mem::take(&mut known.suppressed));
        }
        if self.subjects.len() >= MAX_SUBJECTS {
            return None;
        }
        let now = Instant::now();
        self.subjects.insert(
            subject.to_owned(),
            Subject {
                logged: now,
                faulty: true,
                end_due: true,
                suppressed: 0,
                last_seen: now,
                reason,
                is_broker,
            },
        );
        Some(0)
    }

    /// Records that a subject has recovered; returns whether to log that.
    fn recovered(&mut self, subject: &str) -> bool {
        self.subjects.get_mut(subject).is_some_and(|known| {
            known.faulty = false;
            core::mem::take(&mut known.end_due)
        })
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, so the data is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a connection to a broker failed. Logged once, until it has been up again.
    pub(crate) fn broker_failed(&self, side: Side, broker: &str, reason: &str) {
        let mut state = self.lock();
        // The other client has its own connection and will notice by itself.
        if let Some(brokers) = state.connected.get_mut(&side) {
            brokers.remove(broker);
        }
        if state.fault(broker, reason, true).is_some() {
            warn!(broker, reason, "Kafka broker unreachable, retrying");
        }
        log_loss(&mut state);
    }

    /// Records the brokers in a client's statistics.
    pub(crate) fn observe(&self, side: Side, statistics: &Statistics) {
        let connected: BTreeSet<String> = statistics
            .brokers
            .values()
            .filter(|broker| broker.state == "UP" || broker.state == "UPDATE")
            .map(|broker| address(&broker.nodename).to_owned())
            .filter(|address| !address.is_empty())
            .collect();
        let members = statistics.brokers.values();
        let members = members
            .filter(|broker| broker.nodeid >= 0 && broker.source != "logical")
            .map(|broker| address(&broker.nodename).to_owned())
            .filter(|address| !address.is_empty())
            .take(MAX_SUBJECTS)
            .collect();
        self.lock().members.insert(side, members);
        self.connected(side, connected);
    }

    /// Records the state of an operator's topic.
    pub(crate) fn set_topic(&self, operator: OperatorId, state: TopicState) {
        self.lock().topics.insert(operator, state);
    }

    /// Returns the last known state of an operator's topic.
    pub(crate) fn topic_state(&self, operator: OperatorId) -> TopicState {
        let state = self.lock();
        state.topics.get(&operator).copied().unwrap_or_default()
    }

    /// Returns the configured brokers, those the cluster advertises, and those that failed.
    pub(crate) fn brokers(&self, configured: &[String]) -> Vec<BrokerHealth> {
        let state = self.lock();
        let faulty = |broker: &str| {
            let known = state.subjects.get(broker)?;
            (known.is_broker && known.faulty).then(|| known.reason.clone())
        };
        let is_in = |sets: &BTreeMap<Side, BTreeSet<String>>, broker: &str| {
            sets.values().any(|brokers| brokers.contains(broker))
        };
        let failed = state.subjects.iter().filter(|(_, known)| known.is_broker);
        let mut all: BTreeSet<String> = failed.map(|(broker, _)| broker.clone()).collect();
        all.extend(configured.iter().map(|broker| with_port(broker)));
        for brokers in state.members.values().chain(state.connected.values()) {
            all.extend(brokers.iter().cloned());
        }
        all.into_iter()
            .map(|address| BrokerHealth {
                connected: is_in(&state.connected, &address),
                member: is_in(&state.members, &address),
                fault: faulty(&address),
                address,
            })
            .collect()
    }

    /// Returns the recent faults other than unreachable brokers.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let state = self.lock();
        let recent = state
            .subjects
            .iter()
            .filter(|(_, known)| !known.is_broker && known.last_seen.elapsed() < LISTED);
        recent
            .map(|(subject, known)| Fault {
                subject: subject.clone(),
                reason: known.reason.clone(),
            })
            .collect()
    }

    /// Records that a broker, by librdkafka's name for it, has just answered a client.
    pub(crate) fn answered(&self, side: Side, broker: &str) {
        let mut connected = self
            .lock()
            .connected
            .get(&side)
            .cloned()
            .unwrap_or_default();
        connected.insert(address(broker).to_owned());
        self.connected(side, connected);
    }

    fn connected(&self, side: Side, connected: BTreeSet<String>) {
        let mut state = self.lock();
        for broker in &connected {
            if state.recovered(broker) {
                info!(broker, "Kafka broker reachable again");
            }
        }
        state.connected.insert(side, connected);
        if !state.is_up() {
            log_loss(&mut state);
            return;
        }
        if let Some(lost) = state.lost.take() {
            state.reconnects += 1;
            info!(
                after_ms = lost.elapsed().as_millis(),
                "connected to Kafka again"
            );
        } else if !state.was_up {
            info!("connected to Kafka");
        }
        state.was_up = true;
    }

    /// Reports any other fault: logged at once, then at most once in a while.
    pub(crate) fn report(&self, subject: &str, fault: &str) {
        let log = {
            let mut state = self.lock();
            // The end of these faults cannot be observed: only time limits the log lines.
            state.recovered(subject);
            state.fault(subject, fault, false)
        };
        if let Some(suppressed) = log {
            warn!(subject, suppressed, "Kafka: {fault}");
        }
    }

    /// Whether any broker is connected.
    pub(crate) fn is_up(&self) -> bool {
        self.lock().is_up()
    }

    /// Returns how often a broker was connected again after none was.
    pub(crate) fn reconnects(&self) -> u64 {
        self.lock().reconnects
    }
}

fn log_loss(state: &mut State) {
    if state.was_up && state.lost.is_none() && !state.is_up() {
        state.lost = Some(Instant::now());
        warn!(
            "no Kafka broker is connected: operators receive nothing from each other until one is"
        );
    }
}

/// Extracts `host:port` from librdkafka's name of a broker, `host:port/id`, which begins with `ssl://`
/// or the like if TLS or SASL is used.
pub(crate) fn address(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split_once('/').map_or(name, |(address, _)| address)
}

/// Adds the default port to a broker configured without one, as librdkafka does.
fn with_port(broker: &str) -> String {
    let has_port = match broker.rsplit_once(']') {
        Some((_, rest)) => rest.starts_with(':'),
        None => broker.contains(':'),
    };
    if has_port {
        broker.to_owned()
    } else {
        format!("{broker}:9092")
    }
}

/// Extracts the broker and the reason from a line of librdkafka's log such as
/// `[thrd:kafka1:9092/1]: kafka1:9092/1: Connect to .. failed: Connection refused (after ..)`.
pub(crate) fn read_failure(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once("]: ")?;
    let (name, reason) = rest.split_once(": ")?;
    let broker = address(name);
    // Names without a port, such as the group coordinator, are roles of a broker whose failure is
    // logged under its own name too.
    broker.contains(':').then_some((broker, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(brokers: &[&str]) -> BTreeSet<String> {
        brokers.iter().map(|broker| (*broker).to_owned()).collect()
    }

    #[test]
    fn failures_are_read_from_librdkafkas_log() {
        let line = "[thrd:kafka1:9092/bootstrap]: kafka1:9092/bootstrap: Connect to \
                    ipv4#192.0.2.1:9092 failed: Connection refused (after 0ms in state CONNECT)";
        let (broker, reason) = read_failure(line).expect("a failure");
        assert_eq!(broker, "kafka1:9092");
        assert!(reason.starts_with("Connect to ipv4#192.0.2.1:9092 failed: Connection refused"));
        let line =
            "[thrd:ssl://kafka1:9092/1]: ssl://kafka1:9092/1: SSL handshake failed: certificate";
        let failure = read_failure(line);
        assert_eq!(
            failure,
            Some(("kafka1:9092", "SSL handshake failed: certificate"))
        );
        assert_eq!(read_failure("[thrd:main]: GroupCoordinator: no host"), None);
        assert_eq!(read_failure("unrelated"), None);
    }

    #[test]
    fn a_fault_is_logged_once_until_it_has_ended() {
        let mut state = State::default();
        assert_eq!(state.fault("a:1", "refused", true), Some(0));
        assert_eq!(state.fault("a:1", "refused", true), None);
        assert_eq!(state.fault("b:1", "refused", true), Some(0));
        assert!(state.recovered("a:1"));
        assert!(!state.recovered("a:1"), "its end is logged once");
        assert_eq!(
            state.fault("a:1", "refused", true),
            None,
            "a flapping broker does not flood the log"
        );
        assert!(
            !state.recovered("a:1"),
            "the end of a fault is logged only if the fault was"
        );
        let known = state.subjects.get_mut("a:1").expect("known");
        known.logged -= QUIET;
        assert_eq!(state.fault("a:1", "refused", true), Some(2));
    }

    #[test]
    fn the_number_of_tracked_names_is_bounded() {
        let mut state = State::default();
        let logged = (0..10_000).filter(|n| state.fault(&n.to_string(), "refused", true).is_some());
        assert_eq!(logged.count(), MAX_SUBJECTS);
    }

    #[test]
    fn it_is_up_while_either_client_is_connected_to_a_broker() {
        let health = Health::default();
        assert!(!health.is_up());
        health.connected(Side::In, set(&["a:1"]));
        health.connected(Side::Out, set(&["a:1", "b:1"]));
        health.broker_failed(Side::Out, "a:1", "refused");
        health.broker_failed(Side::Out, "b:1", "refused");
        assert!(health.is_up());
        health.broker_failed(Side::In, "a:1", "refused");
        assert!(!health.is_up());
        assert_eq!(health.reconnects(), 0);
        health.connected(Side::Out, set(&["b:1"]));
        health.connected(Side::In, set(&["b:1"]));
        assert_eq!(health.reconnects(), 1);
    }
}
