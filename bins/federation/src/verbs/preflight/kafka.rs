//! Checks Kafka: whether the brokers can be reached at their advertised addresses, whether the topics
//! exist and may be used, and which operators are received.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaHealth, TopicState};
use federation_operator::config::{Config, KafkaAccess};
use tokio::{net::TcpStream, time::Instant};

use super::messenger::{MESSENGER, POLL_INTERVAL, ReachedOperators, others, quorum, wait_for};
use crate::{checks::Checks, messenger};

/// How long one connection to a broker may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long to wait for the brokers, however short the wait for the other operators.
const BROKERS: Duration = Duration::from_secs(15);

/// The default port of brokers.
const PORT: u16 = 9092;

/// How often to broadcast, so that others receive it and the brokers confirm it.
const BROADCAST_INTERVAL: Duration = Duration::from_millis(500);

/// The payload. It is not an operator's message: running operators drop and count it.
const PROBE: Bytes = Bytes::from_static(b"federation preflight");

/// Runs the checks. Beside a running operator it checks only whether the brokers listen: a second client
/// of the same name would disturb the first.
pub(super) async fn check(
    config: &Config,
    access: &KafkaAccess,
    wait: Duration,
    running: bool,
    checks: &mut Checks,
) {
    listening(access, checks).await;
    if running {
        checks.yellow(
            MESSENGER,
            "Kafka",
            "topics and other operators are not checked beside a running operator",
            "see `federation status`, or stop the operator and omit --running",
        );
        return;
    }
    let messenger = match messenger::start_kafka(config, access).await {
        Ok(messenger) => messenger,
        Err(error) => {
            checks.red(MESSENGER, "started", error.what(), error.help());
            return;
        }
    };
    let started = Instant::now();
    let mut last = None;
    let mut broadcast_probe = async || {
        if last.is_none_or(|last: Instant| last.elapsed() >= BROADCAST_INTERVAL) {
            last = Some(Instant::now());
            // A failure shows as a missing confirmation.
            let _ = messenger.broadcast(PROBE).await;
        }
    };
    while !is_ready(config, &messenger.health()) && started.elapsed() < BROKERS.max(wait) {
        broadcast_probe().await;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let mut reached = BTreeSet::new();
    if messenger.health().is_reached() {
        let received = || {
            let heard: BTreeSet<_> = messenger.health().received_within(Duration::MAX).collect();
            ReachedOperators::among(config, |id, _| heard.contains(&id))
        };
        let speaking = async {
            loop {
                broadcast_probe().await;
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        let waiting = wait_for(config, &mut reached, started + wait, false, || {
            core::future::ready(received())
        });
        tokio::select! {
            () = waiting => {}
            () = speaking => {}
        }
    }
    let health = messenger.health();
    brokers(&health, checks);
    own_topic(config, &health, checks);
    for (id, operator) in others(config) {
        let topic = health.topics.iter().find(|topic| topic.operator == id);
        let state = topic.map_or(TopicState::Unknown, |topic| topic.state);
        let name = topic.map_or_else(String::new, |topic| topic.topic.clone());
        match state {
            TopicState::Forbidden => checks.red(
                MESSENGER,
                &operator.name,
                format!("this operator may not read {name}"),
                "allow it to describe and read all topics of the federation",
            ),
            _ if reached.contains(&id) => checks.green(MESSENGER, &operator.name, "messages received"),
            TopicState::Present => checks.yellow(
                MESSENGER,
                &operator.name,
                format!("no new messages in {name}"),
                "have its daemon or preflight run at the same time; all operators need the same topic_prefix",
            ),
            _ => checks.yellow(
                MESSENGER,
                &operator.name,
                format!("no messages: topic {name} does not exist"),
                "its daemon or preflight creates the topic when it first runs, if it is allowed to",
            ),
        }
    }
    quorum(config, &reached, checks);
    messenger.close().await;
}

/// Whether this operator can reach a broker and write to its topic.
fn is_ready(config: &Config, health: &KafkaHealth) -> bool {
    let mut topics = health.topics.iter();
    let own = topics.find(|topic| topic.operator == config.me);
    health.ready
        && health.is_reached()
        && health.confirmed > 0
        && own.is_some_and(|own| own.state == TopicState::Present)
}

/// Checks whether a server listens at the brokers' addresses.
async fn listening(access: &KafkaAccess, checks: &mut Checks) {
    for broker in &access.brokers {
        // The default is Kafka's own port.
        let has_port = broker
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.contains(']'));
        let address = if has_port {
            broker.clone()
        } else {
            format!("{broker}:{PORT}")
        };
        let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(address));
        let failed = match connecting.await {
            Ok(Ok(_)) => {
                checks.green(MESSENGER, broker, "listens");
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", CONNECT.as_secs()),
        };
        checks.yellow(MESSENGER, broker, failed, "check the address and firewalls");
    }
}

/// Checks whether the brokers can be reached at their advertised addresses.
fn brokers(health: &KafkaHealth, checks: &mut Checks) {
    let members = health.brokers.iter().filter(|broker| broker.member);
    let reached = members.clone().filter(|broker| broker.connected).count();
    let faults: Vec<_> = health
        .brokers
        .iter()
        .filter(|broker| !broker.connected)
        .filter_map(|broker| Some((broker, broker.fault.as_ref()?)))
        .map(|(broker, reason)| {
            let advertised = if broker.member { "advertised " } else { "" };
            format!("{advertised}{}: {reason}", broker.address)
        })
        .collect();
    if reached == 0 {
        let found = if faults.is_empty() {
            "no broker can be reached".to_owned()
        } else {
            format!("no broker can be reached: {}", faults.join("; "))
        };
        let help = if members.count() > 0 {
            "have the brokers advertise addresses that operators can reach (advertised.listeners), or open the network to them"
        } else {
            "start them, or correct [kafka]; security.protocol must match the brokers'"
        };
        checks.red(MESSENGER, "brokers", found, help);
    } else if faults.is_empty() {
        checks.green(MESSENGER, "brokers", format!("{reached} reached"));
    } else {
        checks.yellow(
            MESSENGER,
            "brokers",
            format!("{reached} reached, others not: {}", faults.join("; ")),
            "each broker must be reachable at the address that it advertises (advertised.listeners)",
        );
    }
}

/// Checks whether this operator's topic exists and accepts frames.
fn own_topic(config: &Config, health: &KafkaHealth, checks: &mut Checks) {
    let Some(own) = health.topics.iter().find(|own| own.operator == config.me) else {
        return;
    };
    let topic = &own.topic;
    let faults: Vec<_> = health.faults.iter().map(|fault| &*fault.reason).collect();
    let why = if faults.is_empty() {
        String::new()
    } else {
        format!(": {}", faults.join("; "))
    };
    let allow = "allow this operator to describe, create, read and write it, or create it yourself as the brokers' administrator: `federation help the-messenger`";
    match own.state {
        TopicState::Present if health.confirmed > 0 => {
            checks.green(MESSENGER, "own topic", format!("{topic} accepts frames"));
        }
        TopicState::Present => {
            let found = format!("{topic} has not accepted a frame{why}");
            checks.red(MESSENGER, "own topic", found, allow);
        }
        TopicState::Forbidden => {
            let found = format!("this operator may not describe {topic}{why}");
            checks.red(MESSENGER, "own topic", found, allow);
        }
        TopicState::Missing => {
            let found = format!("{topic} does not exist{why}");
            checks.red(MESSENGER, "own topic", found, allow);
        }
        _ => {
            let found = format!("the brokers have not reported {topic}{why}");
            checks.red(MESSENGER, "own topic", found, "see `brokers` above");
        }
    }
}
