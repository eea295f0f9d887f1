//! Checks the operator's node: its chain, its peers and its clock.

use std::time::Duration;

use federation_chain::{BlockHeight, Dialect, Header};
use federation_cli::with_causes;
use federation_genesis::{NodeReport, compare};
use federation_ocean_rpc::{
    Allowed, BlockchainInfo, Method, NetworkInfo, Node, NodeClient, RpcError,
};
use federation_operator::{MIN_EPOCH_LENGTH, config::Config, money_warnings};
use hex_conservative::DisplayHex;

use super::{methods, proposal};
use crate::checks::{Checks, Light};

pub(super) const NODE: &str = "node";
pub(super) const CLOCK: &str = "clock";

/// The operator rejects blocks whose time differs more from its clock, in seconds.
const MAX_DRIFT: u64 = 10;
/// A difference that NTP easily keeps, in seconds.
const USUAL_DRIFT: u64 = 2;
/// The versions that the program is tested with, and their names.
const ELEMENTS: (core::ops::Range<u64>, &str) = (230_000..240_000, "Elements Core 23");
const OCEAN: (core::ops::Range<u64>, &str) = (2_010_000..2_020_000, "Ocean 2.1");

/// Checks the node.
pub(super) async fn check(config: &Config, node: &NodeClient) -> Checks {
    let mut checks = Checks::default();
    let Some(methods) = methods::check(config, node, &mut checks).await else {
        return checks;
    };
    let looked = match methods.get(&Method::GetNetworkInfo) {
        Some(Allowed::Yes) => match node.network_info().await {
            Ok(network) => {
                version(config, &network, &mut checks);
                chain(config, node, Some(&network), &mut checks).await
            }
            Err(error) => Err(error),
        },
        _ => {
            checks.yellow(
                NODE,
                "version",
                "not checked, nor are its peers: the node does not reveal them",
                "see `methods` above",
            );
            chain(config, node, None, &mut checks).await
        }
    };
    if let Err(error) = looked {
        checks.red(
            NODE,
            "answers",
            with_causes(&error),
            "see the node's debug.log",
        );
    }
    checks
}

fn version(config: &Config, network: &NetworkInfo, checks: &mut Checks) {
    let (versions, name) = match config.federation.rules().dialect() {
        Dialect::Ocean => OCEAN,
        Dialect::Elements | Dialect::Dynafed => ELEMENTS,
    };
    let (light, help) = if versions.contains(&network.version) {
        (Light::Green, String::new())
    } else {
        (
            Light::Yellow,
            format!("use {name}, which this program is tested with"),
        )
    };
    checks.add(light, NODE, "version", &network.subversion, help);
}

async fn chain(
    config: &Config,
    node: &NodeClient,
    network: Option<&NetworkInfo>,
    checks: &mut Checks,
) -> Result<(), RpcError> {
    let federation = &config.federation;
    let mut same = |name: &str, expected: String, found: String| {
        if expected == found {
            checks.green(NODE, name, found);
        } else {
            checks.red(
                NODE,
                name,
                format!("{found}, expected {expected}"),
                "start the node with the configuration from your bundle, and an empty data directory",
            );
        }
    };
    match &config.certificate {
        Some(certificate) => {
            let answers = node.chain_report().await?;
            let chain = certificate.chain();
            let report = NodeReport {
                genesis: answers.genesis,
                blockchain: &answers.blockchain,
                sidechain: &answers.sidechain,
                first_block: answers.first_block.as_ref(),
            };
            for one in compare(chain.settings(), chain.genesis(), &report) {
                same(one.name, one.expected, one.found);
            }
        }
        None => {
            let found = node.block_hash(BlockHeight::GENESIS).await?;
            same(
                "genesis hash",
                federation.genesis().to_string(),
                found.to_string(),
            );
        }
    }
    let rules = federation.rules();
    same(
        "dialect",
        rules.dialect().to_string(),
        node.dialect().await?.to_string(),
    );
    let info = node.blockchain_info().await?;
    let signers = match &info.current_signblock_hex {
        Some(hex) => hex.clone(),
        None => {
            let header = node.header(info.best_block_hash).await?;
            Header::decode(rules.dialect(), &header).map_or_else(
                |error| error.to_string(),
                |header| header.signing_script().to_lower_hex_string(),
            )
        }
    };
    same(
        "signers of the next block",
        rules.signing_script().to_lower_hex_string(),
        signers,
    );
    form(rules.dialect(), node, &info, checks).await?;
    money(config, node, checks).await?;
    synced(&info, checks);
    if let Some(network) = network {
        peers(config, network, checks);
    }
    proposal::check(config, node, &info, checks).await;
    if let Some(network) = network {
        offset(network, checks);
    }
    Ok(())
}

/// Checks that the chain cannot change its block format or its signers unexpectedly.
async fn form(
    dialect: Dialect,
    node: &NodeClient,
    info: &BlockchainInfo,
    checks: &mut Checks,
) -> Result<(), RpcError> {
    match (dialect, info.epoch_length) {
        (Dialect::Dynafed, Some(blocks)) if blocks < MIN_EPOCH_LENGTH => checks.red(
            NODE,
            "epochs",
            format!("{blocks} blocks: so short that a few blocks can change the signers"),
            "create another chain, with a dynamic_epoch_length of at least 5",
        ),
        (Dialect::Dynafed, Some(blocks)) => {
            checks.green(NODE, "epochs", format!("{blocks} blocks"));
        }
        (Dialect::Elements, _) if node.dynafed_can_begin().await? => checks.red(
            NODE,
            "form of blocks",
            "dynafed may activate later, after which no operator could sign",
            "start all nodes with evbparams=dynafed:-2:::",
        ),
        _ => {}
    }
    Ok(())
}

/// Checks whether anyone can take coins or fees without a key.
async fn money(config: &Config, node: &NodeClient, checks: &mut Checks) -> Result<(), RpcError> {
    let dialect = config.federation.rules().dialect();
    let certificate = config.certificate.as_deref();
    let found = money_warnings(node, dialect, certificate, config.sweep.as_ref()).await?;
    if found.is_empty() {
        checks.green(NODE, "coins and fees", "none that anyone could take");
    }
    for warning in found {
        checks.yellow(
            NODE,
            "coins and fees",
            warning,
            "before the chain starts, set con_mandatorycoinbase on all nodes, and agree on a sweep of the coins",
        );
    }
    Ok(())
}

fn synced(info: &BlockchainInfo, checks: &mut Checks) {
    let found = format!("block {} of {}", info.blocks, info.headers);
    if info.blocks >= info.headers {
        checks.green(NODE, "synced", found);
    } else {
        checks.yellow(NODE, "synced", found, "wait until the node has caught up");
    }
}

fn peers(config: &Config, network: &NetworkInfo, checks: &mut Checks) {
    let others = config.federation.size() - 1;
    let found = format!("{} connections", network.connections);
    let help =
        "check `addnode` in the node's configuration, and that the others' nodes are running";
    match network.connections as usize {
        0 if others > 0 => checks.red(NODE, "peers", found, help),
        some if some < others => checks.yellow(
            NODE,
            "peers",
            format!("{found}, but there are {others} other operators"),
            help,
        ),
        _ => checks.green(NODE, "peers", found),
    }
}

/// Checks the node's clock against those of its peers.
fn offset(network: &NetworkInfo, checks: &mut Checks) {
    if network.connections > 0 {
        let apart = Duration::from_secs(network.time_offset.unsigned_abs());
        drift("peers", apart, "of the node, on median", checks);
    }
}

pub(super) fn drift(name: &str, apart: Duration, of: &str, checks: &mut Checks) {
    let apart = apart.as_secs();
    let found = format!("{apart} s from the clock {of}");
    let help = "synchronise both clocks with NTP";
    if apart <= USUAL_DRIFT {
        checks.green(CLOCK, name, found);
    } else if apart <= MAX_DRIFT {
        checks.yellow(CLOCK, name, found, help);
    } else {
        checks.red(CLOCK, name, found, help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_green_yellow_or_red_by_its_offset() {
        for (seconds, light) in [
            (0, Light::Green),
            (2, Light::Green),
            (3, Light::Yellow),
            (10, Light::Yellow),
            (11, Light::Red),
        ] {
            let mut checks = Checks::default();
            drift("node", Duration::from_secs(seconds), "of x", &mut checks);
            assert_eq!(checks.light(), light, "{seconds}");
        }
    }
}
