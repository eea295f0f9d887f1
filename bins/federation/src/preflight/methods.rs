//! Which methods of the node may be called.

use std::collections::BTreeMap;

use federation_chain::Dialect;
use federation_ocean_rpc::{Allowed, Method, Need, NodeClient, RpcError};
use federation_operator::config::Config;
use federation_signer::KeySource;

use super::node::NODE;
use crate::checks::Checks;

const NAME: &str = "methods";

/// What a node calls whoever shows its cookie.
const COOKIE_USER: &str = "__cookie__";

/// Tries every method that an operator of this kind calls; what may be called. None if the node gives
/// no answer or forbids everything, which is told then.
pub(super) async fn check(
    config: &Config,
    node: &NodeClient,
    checks: &mut Checks,
) -> Option<BTreeMap<Method, Allowed>> {
    let needed: Vec<_> = Method::needed_for(&needs(config)).collect();
    let called = needed
        .iter()
        .copied()
        .filter(|method| is_called(config, *method));
    let called: Vec<_> = called.collect();
    let found = match try_all(node, &called).await {
        Ok(found) => found,
        Err(error) => {
            checks.red(
                NODE,
                "reachable",
                error,
                "start the node, and check [node] in operator.toml",
            );
            return None;
        }
    };
    let are = |allowed| {
        let these = found.iter().filter(move |(_, found)| **found == allowed);
        these.map(|(method, _)| *method).collect::<Vec<_>>()
    };
    let (forbidden, unknown) = (are(Allowed::No), are(Allowed::Unknown));
    if forbidden.len() == called.len() {
        checks.red(
            NODE,
            "reachable",
            format!("{}: the node forbids everything", node.url()),
            format!(
                "allow this machine by rpcallowip; or {}",
                cure(config, &needed)
            ),
        );
        return None;
    }
    checks.green(NODE, "reachable", node.url());
    let (for_checks, for_daemon): (Vec<_>, Vec<_>) = forbidden
        .into_iter()
        .partition(|method| is_for_checks(*method));
    if !for_daemon.is_empty() {
        checks.red(
            NODE,
            NAME,
            format!("the node forbids {} to this user", list(&for_daemon)),
            cure(config, &needed),
        );
    }
    if !for_checks.is_empty() {
        checks.yellow(
            NODE,
            NAME,
            format!(
                "the node forbids {} to this user, which only checks and repairs ask",
                list(&for_checks)
            ),
            cure(config, &needed),
        );
    }
    let lacking: Vec<_> = unknown
        .into_iter()
        .filter(|method| !is_optional(*method))
        .collect();
    if !lacking.is_empty() {
        checks.red(
            NODE,
            NAME,
            format!("the node does not know {}", list(&lacking)),
            "check the node's version, and that it runs with a wallet if it holds a key",
        );
    }
    if for_daemon.is_empty() && for_checks.is_empty() && lacking.is_empty() {
        checks.green(NODE, NAME, format!("the {} that are needed", called.len()));
    }
    Some(found)
}

async fn try_all(
    node: &NodeClient,
    methods: &[Method],
) -> Result<BTreeMap<Method, Allowed>, RpcError> {
    let mut found = BTreeMap::new();
    for method in methods {
        found.insert(*method, node.may_call(*method).await?);
    }
    Ok(found)
}

/// What this operator calls methods for.
fn needs(config: &Config) -> Vec<Need> {
    let mut needs = vec![Need::Run, Need::Check];
    if config.sweep.is_some() || !config.reissuance.is_empty() {
        needs.push(Need::Transactions);
    }
    if let KeySource::Node { .. } = config.keys.block {
        needs.extend([Need::Wallet, Need::WalletCheck]);
    }
    needs
}

/// Whether it is called on this chain: a few of those that every daemon's user should be allowed are
/// called by some only.
fn is_called(config: &Config, method: Method) -> bool {
    let dialect = config.federation.rules().dialect();
    match method {
        Method::GetDeploymentInfo => dialect == Dialect::Elements,
        Method::ValidateAddress => dialect == Dialect::Ocean,
        Method::GetAddressInfo => dialect != Dialect::Ocean,
        Method::GetSidechainInfo => config.certificate.is_some(),
        Method::GetBlockCount => config.classic_until.is_some() || !config.reissuance.is_empty(),
        _ => true,
    }
}

fn is_for_checks(method: Method) -> bool {
    matches!(method.need(), Need::Check | Need::WalletCheck)
}

/// Whether nodes of some family or version do without it.
const fn is_optional(method: Method) -> bool {
    matches!(
        method,
        Method::GetDeploymentInfo | Method::GetSidechainInfo | Method::PrioritiseTransaction
    )
}

fn list(methods: &[Method]) -> String {
    let names: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    names.join(", ")
}

/// The line of the node's configuration. Of several for one user the node takes what all have.
fn cure(config: &Config, needed: &[Method]) -> String {
    let user = config.node.user.as_deref().unwrap_or(COOKIE_USER);
    let names: Vec<_> = needed.iter().map(|method| method.as_str()).collect();
    format!(
        "let the user's one line in the node's configuration be rpcwhitelist={user}:{}",
        names.join(",")
    )
}
