//! The own node: its chain, its peers, its clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, Dialect, Header};
use federation_genesis::{Told, compare};
use federation_ocean_rpc::{
    Allowed, BlockchainInfo, Method, NetworkInfo, Node, NodeClient, RpcError,
};
use federation_operator::{MIN_EPOCH_LENGTH, config::Config, money_warnings};
use hex_conservative::DisplayHex;

use super::methods;
use crate::{
    checks::{Checks, Light},
    run::with_causes,
};

pub(super) const NODE: &str = "node";
const CLOCK: &str = "clock";

/// The operator refuses blocks that are further from its clock, in seconds.
const MAX_DRIFT: u64 = 10;
/// What NTP keeps easily, in seconds.
const USUAL_DRIFT: u64 = 2;
/// The versions of Elements with which the program is tried.
const ELEMENTS: core::ops::Range<u64> = 230_000..240_000;

/// Asks the node.
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
                "not looked at, and neither are its peers: the node does not tell",
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
            "look into the node's debug.log",
        );
    }
    checks
}

fn version(config: &Config, network: &NetworkInfo, checks: &mut Checks) {
    let known = match config.federation.rules().dialect() {
        Dialect::Ocean => true,
        Dialect::Elements | Dialect::Dynafed => ELEMENTS.contains(&network.version),
    };
    let (light, cure) = if known {
        (Light::Green, "")
    } else {
        (
            Light::Yellow,
            "use Elements Core 23, with which this program is tried",
        )
    };
    checks.add(light, NODE, "version", &network.subversion, cure);
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
                format!("{found}, and it should be {expected}"),
                "start the node with the configuration of your bundle, and an empty data folder",
            );
        }
    };
    match &config.certificate {
        Some(certificate) => {
            let answers = node.ask_chain().await?;
            let chain = certificate.chain();
            let told = Told {
                genesis: answers.genesis,
                blockchain: &answers.blockchain,
                sidechain: &answers.sidechain,
                first_block: answers.first_block.as_ref(),
            };
            for one in compare(chain.settings(), chain.genesis(), &told) {
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
    template(config, node, &info, checks).await;
    if let Some(network) = network {
        offset(network, checks);
    }
    Ok(())
}

/// Whether the chain keeps its form and its signers.
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
            format!("{blocks} blocks, of which one, two or three change who signs"),
            "begin another chain, with dynamic_epoch_length of 5 or more",
        ),
        (Dialect::Dynafed, Some(blocks)) => {
            checks.green(NODE, "epochs", format!("{blocks} blocks"));
        }
        (Dialect::Elements, _) if node.dynafed_can_begin().await? => checks.red(
            NODE,
            "form of blocks",
            "dynafed can begin on the way, and no operator could sign from there on",
            "start all nodes with evbparams=dynafed:-2:::",
        ),
        _ => {}
    }
    Ok(())
}

/// Who can take coins and fees without a key.
async fn money(config: &Config, node: &NodeClient, checks: &mut Checks) -> Result<(), RpcError> {
    let dialect = config.federation.rules().dialect();
    let certificate = config.certificate.as_deref();
    let found = money_warnings(node, dialect, certificate, config.sweep.as_ref()).await?;
    if found.is_empty() {
        checks.green(
            NODE,
            "coins and fees",
            "nothing is seen that anyone could take",
        );
    }
    for warning in found {
        checks.yellow(
            NODE,
            "coins and fees",
            warning,
            "before the chain begins, set con_mandatorycoinbase on all nodes, and agree on a sweep of the coins",
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
    let cure = "check `addnode` in the node's configuration, and that the others' nodes run";
    match network.connections as usize {
        0 if others > 0 => checks.red(NODE, "peers", found, cure),
        some if some < others => checks.yellow(
            NODE,
            "peers",
            format!("{found}, and there are {others} other operators"),
            cure,
        ),
        _ => checks.green(NODE, "peers", found),
    }
}

/// The block that the node would propose, and its time.
async fn template(config: &Config, node: &NodeClient, info: &BlockchainInfo, checks: &mut Checks) {
    let rules = config.federation.rules();
    let template = match tested(node).await {
        Ok(template) => template,
        Err(error) => {
            checks.red(
                NODE,
                "proposal",
                with_causes(&error),
                "wait until the node has caught up, or look into its debug.log",
            );
            return;
        }
    };
    let Tested { template, verdict } = template;
    let block = match Block::decode(rules.dialect(), template) {
        Ok(block) => block,
        Err(error) => {
            checks.red(
                NODE,
                "proposal",
                error,
                "check the node's evbparams and version",
            );
            return;
        }
    };
    let in_force = info.current_params_root.as_deref().unwrap_or_default();
    let judged = rules
        .check_challenge(block.header())
        .and_then(|()| rules.check_proposed(block.header()))
        .and_then(|()| match in_force.parse() {
            Ok(in_force) => rules.check_parameters(block.header(), in_force),
            Err(_) => Ok(()),
        });
    match (judged, verdict) {
        (Ok(()), Ok(())) => checks.green(
            NODE,
            "proposal",
            format!(
                "block {} can be signed, and the node takes it",
                block.height()
            ),
        ),
        (Ok(()), Err(error)) => checks.red(
            NODE,
            "proposal",
            format!(
                "the node does not take its own next block: {}",
                with_causes(&error)
            ),
            "see `methods` above, and the node's debug.log",
        ),
        (Err(error), _) => checks.red(
            NODE,
            "proposal",
            error,
            "start the node with the configuration of your bundle",
        ),
    }
    coinbase(config, &block, checks);
    if block.height() == BlockHeight::new(1) {
        sweep(config, checks);
    }
    let own = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let theirs = u64::from(block.header().time());
    // The chain is ahead of the node's clock: the time is the lowest that is allowed.
    if theirs == info.median_time + 1 && theirs > own {
        checks.yellow(
            CLOCK,
            "node",
            format!("the chain is {} s ahead of this machine", theirs - own),
            "set the clock by NTP",
        );
        return;
    }
    let apart = Duration::from_secs(own.abs_diff(theirs));
    drift("node", apart, "of this machine", checks);
}

/// The node's next block, and whether the node would take it.
struct Tested {
    template: Bytes,
    verdict: Result<(), RpcError>,
}

/// Has the node test what it would propose, as operators have it test what others propose.
async fn tested(node: &NodeClient) -> Result<Tested, RpcError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let template = node.new_block().await?;
        let verdict = node.test_proposed_block(&template).await;
        // A block may have come in between.
        if tries == 2 || !matches!(verdict, Err(RpcError::Node { .. })) {
            return Ok(Tested { template, verdict });
        }
    }
}

/// Where `con_mandatorycoinbase` is set, every block pays to it what it pays at all. A template
/// without fees does not show whether the node has the setting.
fn coinbase(config: &Config, block: &Block, checks: &mut Checks) {
    let Some(certificate) = &config.certificate else {
        return;
    };
    let wanted = certificate
        .chain()
        .settings()
        .iter()
        .find(|setting| setting.name == "con_mandatorycoinbase")
        .and_then(|setting| setting.values.first().cloned())
        .filter(|script| !script.is_empty());
    let Some(wanted) = wanted else {
        return;
    };
    let coinbase = match block.coinbase() {
        Ok(coinbase) => coinbase,
        Err(error) => {
            checks.red(
                NODE,
                "mandatory coinbase",
                error,
                "check the node's version: its proposal cannot be read",
            );
            return;
        }
    };
    let other = coinbase.outputs().find_map(|output| {
        let script = output.script_pubkey.to_lower_hex_string();
        let pays = output.value.explicit().is_none_or(|value| value > 0);
        (pays && script != wanted).then_some(script)
    });
    match other {
        None => checks.green(NODE, "mandatory coinbase", wanted),
        Some(other) => checks.red(
            NODE,
            "mandatory coinbase",
            other,
            format!("set con_mandatorycoinbase={wanted}, as was agreed on"),
        ),
    }
}

fn sweep(config: &Config, checks: &mut Checks) {
    if let Some(sweep) = &config.sweep {
        checks.green(
            NODE,
            "sweep",
            format!("block 1 will have the transaction {}", sweep.txid()),
        );
    }
}

/// What the node's peers say of its clock.
fn offset(network: &NetworkInfo, checks: &mut Checks) {
    if network.connections > 0 {
        let apart = Duration::from_secs(network.time_offset.unsigned_abs());
        drift("peers", apart, "of the node, in the median", checks);
    }
}

fn drift(name: &str, apart: Duration, of: &str, checks: &mut Checks) {
    let apart = apart.as_secs();
    let found = format!("{apart} s from the clock {of}");
    let cure = "set both by NTP";
    if apart <= USUAL_DRIFT {
        checks.green(CLOCK, name, found);
    } else if apart <= MAX_DRIFT {
        checks.yellow(CLOCK, name, found, cure);
    } else {
        checks.red(CLOCK, name, found, cure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_green_yellow_or_red_by_how_far_it_is() {
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
