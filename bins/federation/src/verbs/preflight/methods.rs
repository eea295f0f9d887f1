//! Checks which of the node's RPC methods may be called.

use std::collections::BTreeMap;

use federation_chain::Dialect;
use federation_ocean_rpc::{Allowed, Method, Need, NodeClient, RpcError};
use federation_operator::config::Config;
use federation_signer::KeySource;

use super::node::NODE;
use crate::checks::Checks;

const NAME: &str = "methods";

/// The user name of a cookie file.
const COOKIE_USER: &str = "__cookie__";

/// Tries every method that this operator calls, and returns which may be called. None, with a red check,
/// if the node does not answer or forbids everything.
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
                "allow this machine with rpcallowip; or {}",
                help(config, &needed)
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
            help(config, &needed),
        );
    }
    if !for_checks.is_empty() {
        checks.yellow(
            NODE,
            NAME,
            format!(
                "the node forbids {} to this user; only checks and repairs need it",
                list(&for_checks)
            ),
            help(config, &needed),
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
            "check the node's version, and that its wallet is enabled if it holds a key",
        );
    }
    if for_daemon.is_empty() && for_checks.is_empty() && lacking.is_empty() {
        checks.green(NODE, NAME, format!("all {} required", called.len()));
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

/// Returns the purposes for which this operator calls methods.
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

/// Whether this operator calls the method: some methods that every operator should allow are called only
/// on some chains.
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

/// Whether some family or version of nodes lacks the method.
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

/// Returns the help, with the line for the node's configuration. If a user has several such lines, the
/// node allows only what is in all of them.
fn help(config: &Config, needed: &[Method]) -> String {
    let user = config.node.user.as_deref().unwrap_or(COOKIE_USER);
    let names: Vec<_> = needed.iter().map(|method| method.as_str()).collect();
    format!(
        "put this single line for the user into the node's configuration: rpcwhitelist={user}:{}",
        names.join(",")
    )
}
