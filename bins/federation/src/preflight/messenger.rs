//! The messenger: whether the other operators, or the brokers, are reached.

use std::{collections::BTreeSet, time::Duration};

use federation_messenger::{Messenger, Peer};
use federation_messenger_zmq::Endpoint;
use federation_operator::config::{Config, MessengerAccess};
use federation_roster::OperatorId;
use tokio::time::Instant;

use super::kafka;
use crate::{checks::Checks, messenger};

pub(super) const MESSENGER: &str = "messenger";

/// How often the links are looked at while they are waited for.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// How long it stays, once all is well, for others who have just come.
const LINGER: Duration = Duration::from_secs(5);

/// How long it stays at least: whoever was seen last may not have seen it yet.
const PARTING: Duration = Duration::from_secs(1);

/// Connects, waits, and says who is there. Beside a running operator it listens nowhere.
pub(super) async fn check(config: &Config, wait: Duration, running: bool) -> Checks {
    let mut checks = Checks::default();
    if let MessengerAccess::Kafka(access) = &config.messenger {
        kafka::check(config, access, wait, running, &mut checks).await;
        return checks;
    }
    let mut config = config.clone();
    if let MessengerAccess::Zmq { listen, .. } = &mut config.messenger
        && running
    {
        "127.0.0.1:0".clone_into(listen);
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
    if let MessengerAccess::Zmq { listen, .. } = &config.messenger
        && !running
    {
        checks.green(MESSENGER, "listens", listen);
    }
    operators(&config, messenger.as_ref(), wait, running, &mut checks).await;
    messenger.close().await;
    checks
}

/// Every other operator at its endpoint.
async fn operators(
    config: &Config,
    messenger: &dyn Messenger,
    wait: Duration,
    running: bool,
    checks: &mut Checks,
) {
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + wait;
    let look = || {
        let stats = messenger.stats();
        let links = stats.peers.into_iter().filter(|link| link.connected);
        let links: Vec<_> = links.map(|link| link.peer).collect();
        Seen::among(config, |id, endpoint| {
            let address = endpoint
                .parse::<Endpoint>()
                .map_or_else(|_| endpoint.to_owned(), |parsed| parsed.to_string());
            links.iter().any(|peer| match peer {
                Peer::Address(known) => **known == *address,
                // It called, and is heard over that connection.
                Peer::Operator(known) => *known == id,
                _ => false,
            })
        })
    };
    wait_for(config, &mut seen, deadline, running, || {
        core::future::ready(look())
    })
    .await;
    for (id, operator) in others(config) {
        let endpoint = &operator.endpoint;
        if seen.contains(&id) {
            checks.green(MESSENGER, &operator.name, format!("{endpoint} answers"));
            continue;
        }
        let found = format!("{endpoint} does not answer as an operator of this federation");
        let cure = "let it start its operator, or its preflight at the same time; check firewalls and endpoint";
        checks.yellow(MESSENGER, &operator.name, found, cure);
    }
    quorum(config, &seen, checks);
}

/// Those who are seen at one look.
pub(super) struct Seen(BTreeSet<OperatorId>);

impl Seen {
    /// The other operators of whom this is so.
    pub(super) fn among(config: &Config, is: impl Fn(OperatorId, &str) -> bool) -> Self {
        let there = others(config).filter(|(id, operator)| is(*id, &operator.endpoint));
        Self(there.map(|(id, _)| id).collect())
    }
}

/// Looks until all others were seen at some time, or it is late. Who was seen may have gone since: a
/// preflight that is done. When all were, it stays a moment, so that others see this one.
pub(super) async fn wait_for<F>(
    config: &Config,
    seen: &mut BTreeSet<OperatorId>,
    deadline: Instant,
    running: bool,
    mut look: impl FnMut() -> F,
) where
    F: Future<Output = Seen>,
{
    let all = others(config).count();
    loop {
        seen.extend(look().await.0);
        if seen.len() >= all || Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    if running || seen.is_empty() {
        return;
    }
    let now = Instant::now();
    let until = (now + LINGER).min(deadline.max(now + PARTING));
    while Instant::now() < until {
        seen.extend(look().await.0);
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) fn others(
    config: &Config,
) -> impl Iterator<Item = (OperatorId, &federation_roster::Operator)> {
    let federation = &config.federation;
    federation
        .ids()
        .filter(|id| *id != config.me)
        .filter_map(|id| Some((id, federation.operator(id)?)))
}

/// Whether enough were seen to make a block.
pub(super) fn quorum(config: &Config, seen: &BTreeSet<OperatorId>, checks: &mut Checks) {
    let count = 1 + seen.len();
    let threshold = config.federation.threshold();
    let found = format!("{count} operators with this one, {threshold} make a block");
    if count >= threshold {
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
