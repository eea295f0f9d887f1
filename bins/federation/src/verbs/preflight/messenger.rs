//! Checks the messenger: whether the other operators, or the brokers, can be reached.

use std::{collections::BTreeSet, time::Duration};

use federation_messenger::{Messenger, Peer};
use federation_messenger_zmq::Endpoint;
use federation_operator::config::{Config, MessengerAccess};
use federation_roster::OperatorId;
use tokio::time::Instant;

use super::kafka;
use crate::{checks::Checks, messenger};

pub(super) const MESSENGER: &str = "messenger";

/// How often to look at the links while waiting for them.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long to stay connected after all are reached, for others that have just started.
const LINGER: Duration = Duration::from_secs(5);

/// How long to stay connected at least: the operator reached last may not have reached this one yet.
const MIN_LINGER: Duration = Duration::from_secs(1);

/// Connects, waits, and reports who is reached. Beside a running operator it does not listen.
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
            let help = "if the operator is running and uses the port, add --running";
            let help = format!("{}; {help}", error.help());
            checks.red(MESSENGER, "started", error.what(), help);
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

/// Checks every other operator at its endpoint.
async fn operators(
    config: &Config,
    messenger: &dyn Messenger,
    wait: Duration,
    running: bool,
    checks: &mut Checks,
) {
    let mut reached = BTreeSet::new();
    let deadline = Instant::now() + wait;
    let look = || {
        let stats = messenger.stats();
        let links = stats.peers.into_iter().filter(|link| link.connected);
        let links: Vec<_> = links.map(|link| link.peer).collect();
        ReachedOperators::among(config, |id, endpoint| {
            let address = endpoint
                .parse::<Endpoint>()
                .map_or_else(|_| endpoint.to_owned(), |parsed| parsed.to_string());
            links.iter().any(|peer| match peer {
                Peer::Address(known) => **known == *address,
                // It connected to this operator, and is reached over that connection.
                Peer::Operator(known) => *known == id,
                _ => false,
            })
        })
    };
    wait_for(config, &mut reached, deadline, running, || {
        core::future::ready(look())
    })
    .await;
    for (id, operator) in others(config) {
        let endpoint = &operator.endpoint;
        if reached.contains(&id) {
            checks.green(MESSENGER, &operator.name, format!("{endpoint} answers"));
            continue;
        }
        let found = format!("{endpoint}: no operator of this federation answers");
        let help =
            "have its daemon or preflight run at the same time; check firewalls and the endpoint";
        checks.yellow(MESSENGER, &operator.name, found, help);
    }
    quorum(config, &reached, checks);
}

/// The operators reached at one moment.
pub(super) struct ReachedOperators(BTreeSet<OperatorId>);

impl ReachedOperators {
    /// Returns the other operators for which `is` holds.
    pub(super) fn among(config: &Config, is: impl Fn(OperatorId, &str) -> bool) -> Self {
        let there = others(config).filter(|(id, operator)| is(*id, &operator.endpoint));
        Self(there.map(|(id, _)| id).collect())
    }
}

/// Looks until all others were reached at some moment, or the deadline. One that was reached may have
/// gone since, such as a preflight that has ended. After that it stays for a while, so that others can
/// reach this one.
pub(super) async fn wait_for<F>(
    config: &Config,
    reached: &mut BTreeSet<OperatorId>,
    deadline: Instant,
    running: bool,
    mut look: impl FnMut() -> F,
) where
    F: Future<Output = ReachedOperators>,
{
    let all = others(config).count();
    loop {
        reached.extend(look().await.0);
        if reached.len() >= all || Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    if running || reached.is_empty() {
        return;
    }
    let now = Instant::now();
    let until = (now + LINGER).min(deadline.max(now + MIN_LINGER));
    while Instant::now() < until {
        reached.extend(look().await.0);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

pub(super) fn others(
    config: &Config,
) -> impl Iterator<Item = (OperatorId, &federation_roster::Member)> {
    let federation = &config.federation;
    federation
        .ids()
        .filter(|id| *id != config.me)
        .filter_map(|id| Some((id, federation.member(id)?)))
}

/// Checks whether enough operators were reached to make a block.
pub(super) fn quorum(config: &Config, reached: &BTreeSet<OperatorId>, checks: &mut Checks) {
    let count = 1 + reached.len();
    let threshold = config.federation.threshold();
    let found = format!("{count} operators including this one, {threshold} needed for a block");
    if count >= threshold {
        checks.green(MESSENGER, "quorum", found);
    } else {
        checks.red(
            MESSENGER,
            "quorum",
            found,
            "wait for more operators, for example with --wait 10m",
        );
    }
}
