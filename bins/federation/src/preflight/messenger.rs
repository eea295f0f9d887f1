//! The messenger: whether the other operators, or the brokers, are reached.

use std::{sync::Arc, time::Duration};

use federation_messenger::{Messenger, Peer};
use federation_messenger_zmq::Endpoint;
use federation_operator::config::{Config, KafkaAccess, MessengerAccess};
use tokio::{net::TcpStream, time::Instant};

use crate::{checks::Checks, messenger};

const MESSENGER: &str = "messenger";

/// How often the links are looked at while they are waited for.
const LOOK: Duration = Duration::from_millis(50);
/// How long one connection to a broker may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Connects, waits, and says who is there. Beside a running operator it listens nowhere.
pub(super) async fn check(config: &Config, wait: Duration, running: bool) -> Checks {
    let mut checks = Checks::default();
    let mut config = config.clone();
    match &mut config.messenger {
        MessengerAccess::Zmq { listen, .. } if running => "127.0.0.1:0".clone_into(listen),
        MessengerAccess::Kafka(access) => {
            brokers(access, &mut checks).await;
            // A second client of one name would disturb the first.
            if running {
                return checks;
            }
        }
        _ => {}
    }
    let messenger = match messenger::start(&config).await {
        Ok(messenger) => messenger,
        Err(error) => {
            let cure = "if the operator runs, and has the port, add --running";
            let cure = format!("{}; {cure}", error.cure());
            checks.red(MESSENGER, "started", error.what(), cure);
            return checks;
        }
    };
    match &config.messenger {
        MessengerAccess::Zmq { listen, .. } => {
            if !running {
                checks.green(MESSENGER, "listens", listen);
            }
            operators(&config, &messenger, wait, &mut checks).await;
        }
        _ => connected(&messenger, wait, &mut checks).await,
    }
    messenger.close().await;
    checks
}

/// Every other operator at its endpoint.
async fn operators(
    config: &Config,
    messenger: &Arc<dyn Messenger>,
    wait: Duration,
    checks: &mut Checks,
) {
    let federation = &config.federation;
    let others: Vec<_> = federation
        .ids()
        .filter(|id| *id != config.me)
        .filter_map(|id| federation.operator(id))
        .collect();
    let is_there = |endpoint: &str| {
        let address = endpoint
            .parse::<Endpoint>()
            .map_or_else(|_| endpoint.to_owned(), |parsed| parsed.to_string());
        messenger.stats().peers.iter().any(|link| {
            link.connected && matches!(&link.peer, Peer::Address(known) if **known == *address)
        })
    };
    let deadline = Instant::now() + wait;
    while !others.iter().all(|other| is_there(&other.endpoint)) && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
    }
    let there = others.iter().filter(|other| is_there(&other.endpoint));
    let count = 1 + there.count();
    let threshold = federation.threshold();
    let enough = count >= threshold;
    for other in &others {
        if is_there(&other.endpoint) {
            checks.green(
                MESSENGER,
                &other.name,
                format!("{} answers", other.endpoint),
            );
            continue;
        }
        let found = format!(
            "{} does not answer as an operator of this federation",
            other.endpoint
        );
        let cure = "let it start its operator, or its preflight at the same time; check firewalls and endpoint";
        checks.yellow(MESSENGER, &other.name, found, cure);
    }
    let found = format!("{count} operators with this one, {threshold} make a block");
    if enough {
        checks.green(MESSENGER, "quorum", found);
    } else {
        checks.red(
            MESSENGER,
            "quorum",
            found,
            "wait for more of the above, with --wait 10m",
        );
    }
}

/// Whether anybody listens at the brokers' addresses.
async fn brokers(access: &KafkaAccess, checks: &mut Checks) {
    let mut reached = 0;
    for broker in &access.brokers {
        let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(broker.as_str()));
        let failed = match connecting.await {
            Ok(Ok(_)) => {
                reached += 1;
                checks.green(MESSENGER, broker, "somebody listens");
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", CONNECT.as_secs()),
        };
        checks.yellow(MESSENGER, broker, failed, "check the address and firewalls");
    }
    let found = format!("{reached} of {} brokers", access.brokers.len());
    if reached > 0 {
        checks.green(MESSENGER, "brokers", found);
    } else {
        checks.red(
            MESSENGER,
            "brokers",
            found,
            "start them, or correct [kafka]",
        );
    }
}

/// Whether Kafka takes this client, with its settings and secrets.
async fn connected(messenger: &Arc<dyn Messenger>, wait: Duration, checks: &mut Checks) {
    let is_connected = || {
        let stats = messenger.stats();
        let mut links = stats.peers.iter();
        links.any(|link| link.connected && matches!(link.peer, Peer::Address(_)))
    };
    let deadline = Instant::now() + wait;
    while !is_connected() && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
    }
    if is_connected() {
        checks.green(MESSENGER, "Kafka", "connected");
    } else {
        checks.red(
            MESSENGER,
            "Kafka",
            format!("not connected after {} s", wait.as_secs()),
            "check [kafka.settings]; RUST_LOG=warn tells what the client says",
        );
    }
}
