//! What is said about the brokers: each fault in one line when it begins and one when it ends,
//! however often librdkafka meets it in between.

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

/// How long after a fault was said it is not said again, though it ended in between.
const QUIET: Duration = Duration::from_secs(60);

/// Most subjects remembered; a cluster has far fewer brokers.
const MAX_SUBJECTS: usize = 256;

/// Which of the two clients reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Out,
    In,
}

/// The brokers' health, as far as both clients know it.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The brokers that each client is connected to, by `host:port`.
    connected: BTreeMap<Side, BTreeSet<String>>,
    /// The brokers that the cluster itself names, by `host:port`.
    members: BTreeMap<Side, BTreeSet<String>>,
    topics: BTreeMap<OperatorId, TopicState>,
    subjects: BTreeMap<String, Subject>,
    /// Since when no broker is connected, if one was before.
    lost: Option<Instant>,
    was_up: bool,
    returns: u64,
}

/// A broker or another thing that faults are said of.
#[derive(Debug)]
struct Subject {
    said: Instant,
    faulty: bool,
    /// Whether the fault that lasts was said, so that its end is said too.
    open: bool,
    unsaid: u64,
    /// When it was last met, and what it was.
    met: Instant,
    reason: String,
    is_broker: bool,
}

/// Longest reason kept: a broker's words may be of any length.
const MAX_REASON: usize = 300;

/// For how long a fault that ends without notice is told after it was last met.
const FRESH: Duration = Duration::from_secs(60);

impl State {
    fn is_up(&self) -> bool {
        self.connected.values().any(|brokers| !brokers.is_empty())
    }

    /// Whether a fault of this subject is to be said now, and how many were not said before it.
    fn fault(&mut self, subject: &str, reason: &str, is_broker: bool) -> Option<u64> {
        let reason: String = reason.chars().take(MAX_REASON).collect();
        if let Some(known) = self.subjects.get_mut(subject) {
            known.met = Instant::now();
            known.reason = reason;
            let quiet = known.said.elapsed() < QUIET;
            if known.faulty || quiet {
                known.faulty = true;
                known.unsaid += 1;
                return None;
            }
            known.said = Instant::now();
            known.faulty = true;
            known.open = true;
            return Some(core::mem::take(&mut known.unsaid));
        }
        if self.subjects.len() >= MAX_SUBJECTS {
            return None;
        }
        let said = Instant::now();
        self.subjects.insert(
            subject.to_owned(),
            Subject {
                said,
                faulty: true,
                open: true,
                unsaid: 0,
                met: said,
                reason,
                is_broker,
            },
        );
        Some(0)
    }

    /// Whether the end of this subject's fault is to be said.
    fn well(&mut self, subject: &str) -> bool {
        self.subjects.get_mut(subject).is_some_and(|known| {
            known.faulty = false;
            core::mem::take(&mut known.open)
        })
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a broker failed. Said once, until it has been up again.
    pub(crate) fn broker_failed(&self, side: Side, broker: &str, reason: &str) {
        let mut state = self.lock();
        // The other client has a connection of its own, and finds out by itself.
        if let Some(brokers) = state.connected.get_mut(&side) {
            brokers.remove(broker);
        }
        if state.fault(broker, reason, true).is_some() {
            warn!(
                broker,
                reason, "Kafka broker cannot be reached, trying again"
            );
        }
        note_loss(&mut state);
    }

    /// What a client's statistics say of the brokers.
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

    /// Notes what the cluster says of an operator's topic.
    pub(crate) fn topic(&self, operator: OperatorId, state: TopicState) {
        self.lock().topics.insert(operator, state);
    }

    /// What the cluster has said of an operator's topic.
    pub(crate) fn topic_state(&self, operator: OperatorId) -> TopicState {
        let state = self.lock();
        state.topics.get(&operator).copied().unwrap_or_default()
    }

    /// The brokers that were given, those that the cluster names, and those that failed.
    pub(crate) fn brokers(&self, given: &[String]) -> Vec<BrokerHealth> {
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
        all.extend(given.iter().map(|broker| with_port(broker)));
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

    /// What else was wrong of late.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let state = self.lock();
        let fresh = state
            .subjects
            .iter()
            .filter(|(_, known)| !known.is_broker && known.met.elapsed() < FRESH);
        fresh
            .map(|(subject, known)| Fault {
                subject: subject.clone(),
                reason: known.reason.clone(),
            })
            .collect()
    }

    /// A broker, by its name at librdkafka, has just answered a client.
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
            if state.well(broker) {
                info!(broker, "Kafka broker is reached again");
            }
        }
        state.connected.insert(side, connected);
        if !state.is_up() {
            note_loss(&mut state);
            return;
        }
        if let Some(lost) = state.lost.take() {
            state.returns += 1;
            info!(after = ?lost.elapsed(), "connected to Kafka again");
        } else if !state.was_up {
            info!("connected to Kafka");
        }
        state.was_up = true;
    }

    /// Something else is wrong with a subject: said at once, then at most once in a while.
    pub(crate) fn complain(&self, subject: &str, complaint: &str) {
        let said = {
            let mut state = self.lock();
            // These end without notice: only time keeps them quiet.
            state.well(subject);
            state.fault(subject, complaint, false)
        };
        if let Some(unsaid) = said {
            warn!(subject, unsaid, "Kafka: {complaint}");
        }
    }

    /// Whether any broker is connected.
    pub(crate) fn is_up(&self) -> bool {
        self.lock().is_up()
    }

    /// How often a broker was connected again after there was none.
    pub(crate) fn returns(&self) -> u64 {
        self.lock().returns
    }
}

fn note_loss(state: &mut State) {
    if state.was_up && state.lost.is_none() && !state.is_up() {
        state.lost = Some(Instant::now());
        warn!("no Kafka broker is connected, operators do not hear each other until one is");
    }
}

/// `host:port` of a broker's name, which librdkafka writes as `host:port/id`, with `ssl://` or the
/// like before it where there is TLS or SASL.
pub(crate) fn address(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split_once('/').map_or(name, |(address, _)| address)
}

/// A broker as librdkafka names it, where only its host was given.
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

/// The broker and the reason in a line of librdkafka's log such as
/// `[thrd:kafka1:9092/1]: kafka1:9092/1: Connect to .. failed: Connection refused (after ..)`.
pub(crate) fn read_failure(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once("]: ")?;
    let (name, reason) = rest.split_once(": ")?;
    let broker = address(name);
    // Others, such as the coordinator of groups, are roles of a broker that fails by its name too.
    broker.contains(':').then_some((broker, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(brokers: &[&str]) -> BTreeSet<String> {
        brokers.iter().map(|broker| (*broker).to_owned()).collect()
    }

    #[test]
    fn failures_are_read_from_the_librarys_lines() {
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
        assert_eq!(read_failure("nothing of it"), None);
    }

    #[test]
    fn a_fault_is_said_once_until_it_has_ended() {
        let mut state = State::default();
        assert_eq!(state.fault("a:1", "refused", true), Some(0));
        assert_eq!(state.fault("a:1", "refused", true), None);
        assert_eq!(state.fault("b:1", "refused", true), Some(0));
        assert!(state.well("a:1"));
        assert!(!state.well("a:1"), "its end is said once");
        assert_eq!(
            state.fault("a:1", "refused", true),
            None,
            "a broker that comes and goes is no flood"
        );
        assert!(
            !state.well("a:1"),
            "the end of what was not said is not said"
        );
        let known = state.subjects.get_mut("a:1").expect("known");
        known.said -= QUIET;
        assert_eq!(state.fault("a:1", "refused", true), Some(2));
    }

    #[test]
    fn strangers_names_do_not_fill_the_memory() {
        let mut state = State::default();
        let said = (0..10_000).filter(|n| state.fault(&n.to_string(), "refused", true).is_some());
        assert_eq!(said.count(), MAX_SUBJECTS);
    }

    #[test]
    fn it_is_up_while_either_client_has_a_broker() {
        let health = Health::default();
        assert!(!health.is_up());
        health.connected(Side::In, set(&["a:1"]));
        health.connected(Side::Out, set(&["a:1", "b:1"]));
        health.broker_failed(Side::Out, "a:1", "refused");
        health.broker_failed(Side::Out, "b:1", "refused");
        assert!(health.is_up());
        health.broker_failed(Side::In, "a:1", "refused");
        assert!(!health.is_up());
        assert_eq!(health.returns(), 0);
        health.connected(Side::Out, set(&["b:1"]));
        health.connected(Side::In, set(&["b:1"]));
        assert_eq!(health.returns(), 1);
    }
}
