//! Kafka: whether the brokers are reached where they say that they are, whether the topics are there
//! and may be used, and who is heard.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaHealth, TopicState};
use federation_operator::config::{Config, KafkaAccess};
use tokio::{net::TcpStream, time::Instant};

use super::messenger::{LOOK, MESSENGER, Seen, others, quorum, wait_for};
use crate::{checks::Checks, messenger};

/// How long one connection to a broker may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the brokers may take to show what they are like, however short the wait for the others.
const BROKERS: Duration = Duration::from_secs(15);

/// Where brokers listen if nothing is said of it.
const PORT: u16 = 9092;

/// How often something is said: to be heard by the others, and to see that it is taken.
const SAY: Duration = Duration::from_millis(500);

/// What is said. It is no message of an operator: those who run drop it and count it.
const WORD: Bytes = Bytes::from_static(b"federation preflight");

/// Looks at it all. Beside a running operator only whether somebody listens: a second client of one
/// name would disturb the first.
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
            "beside a running operator neither topics nor other operators are looked at",
            "see `federation status`, or stop the operator and leave --running away",
        );
        return;
    }
    let messenger = match messenger::start_kafka(config, access).await {
        Ok(messenger) => messenger,
        Err(error) => {
            checks.red(MESSENGER, "started", error.what(), error.cure());
            return;
        }
    };
    let started = Instant::now();
    let mut said = None;
    let mut say = async || {
        if said.is_none_or(|said: Instant| said.elapsed() >= SAY) {
            said = Some(Instant::now());
            // One that cannot be handed over is seen by what is not confirmed.
            let _ = messenger.broadcast(WORD).await;
        }
    };
    while !is_well(config, &messenger.health()) && started.elapsed() < BROKERS.max(wait) {
        say().await;
        tokio::time::sleep(LOOK).await;
    }
    let mut seen = BTreeSet::new();
    if messenger.health().is_reached() {
        let heard = || {
            let heard: BTreeSet<_> = messenger.health().received_within(Duration::MAX).collect();
            Seen::among(config, |id, _| heard.contains(&id))
        };
        let speaking = async {
            loop {
                say().await;
                tokio::time::sleep(LOOK).await;
            }
        };
        let waiting = wait_for(config, &mut seen, started + wait, false, || {
            core::future::ready(heard())
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
            _ if seen.contains(&id) => checks.green(MESSENGER, &operator.name, "heard"),
            TopicState::Present => checks.yellow(
                MESSENGER,
                &operator.name,
                format!("not heard: nothing new in {name}"),
                "let it start its operator, or its preflight at the same time; the same topic_prefix for all",
            ),
            _ => checks.yellow(
                MESSENGER,
                &operator.name,
                format!("not heard: there is no {name}"),
                "its operator or its preflight makes the topic when it first runs, if it may",
            ),
        }
    }
    quorum(config, &seen, checks);
    messenger.close().await;
}

/// Whether what is this operator's own is as it should be.
fn is_well(config: &Config, health: &KafkaHealth) -> bool {
    let mut topics = health.topics.iter();
    let own = topics.find(|topic| topic.operator == config.me);
    health.ready
        && health.is_reached()
        && health.confirmed > 0
        && own.is_some_and(|own| own.state == TopicState::Present)
}

/// Whether anybody listens at the brokers' addresses.
async fn listening(access: &KafkaAccess, checks: &mut Checks) {
    for broker in &access.brokers {
        // Without a port it is Kafka's own.
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
                checks.green(MESSENGER, broker, "somebody listens");
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", CONNECT.as_secs()),
        };
        checks.yellow(MESSENGER, broker, failed, "check the address and firewalls");
    }
}

/// Whether brokers are reached where they say that they are.
fn brokers(health: &KafkaHealth, checks: &mut Checks) {
    let members = health.brokers.iter().filter(|broker| broker.member);
    let reached = members.clone().filter(|broker| broker.connected).count();
    let faults: Vec<_> = health
        .brokers
        .iter()
        .filter(|broker| !broker.connected)
        .filter_map(|broker| Some((broker, broker.fault.as_ref()?)))
        .map(|(broker, reason)| {
            let said = if broker.member { "advertised " } else { "" };
            format!("{said}{}: {reason}", broker.address)
        })
        .collect();
    if reached == 0 {
        let found = if faults.is_empty() {
            "no broker is reached".to_owned()
        } else {
            format!("no broker is reached: {}", faults.join("; "))
        };
        let cure = if members.count() > 0 {
            "let the brokers advertise addresses that operators reach (advertised.listeners), or open the way to them"
        } else {
            "start them, or correct [kafka]; security.protocol must be that of the brokers"
        };
        checks.red(MESSENGER, "brokers", found, cure);
    } else if faults.is_empty() {
        checks.green(MESSENGER, "brokers", format!("{reached} reached"));
    } else {
        checks.yellow(
            MESSENGER,
            "brokers",
            format!("{reached} reached, others not: {}", faults.join("; ")),
            "each must be reached at the address that it advertises (advertised.listeners)",
        );
    }
}

/// Whether the own topic is there and takes frames.
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
    let allow = "allow this operator to describe, create, read and write it, or make it by hand as the brokers' administrator: `federation help the-messenger`";
    match own.state {
        TopicState::Present if health.confirmed > 0 => {
            checks.green(MESSENGER, "own topic", format!("{topic} takes frames"));
        }
        TopicState::Present => {
            let found = format!("{topic} has taken no frame{why}");
            checks.red(MESSENGER, "own topic", found, allow);
        }
        TopicState::Forbidden => {
            let found = format!("this operator may not know of {topic}{why}");
            checks.red(MESSENGER, "own topic", found, allow);
        }
        TopicState::Missing => {
            let found = format!("there is no {topic}{why}");
            checks.red(MESSENGER, "own topic", found, allow);
        }
        _ => {
            let found = format!("the brokers have told nothing of {topic}{why}");
            checks.red(MESSENGER, "own topic", found, "see `brokers` above");
        }
    }
}
