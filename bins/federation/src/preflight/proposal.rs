//! The block that the node would propose: whether it is one that operators sign, and its time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, CheckError, Dialect, Header, ParamsRoot, SigningRules};
use federation_ocean_rpc::{BlockchainInfo, Node, NodeClient, RpcError};
use federation_operator::config::Config;
use hex_conservative::DisplayHex;

use super::node::{CLOCK, NODE, drift};
use crate::{checks::Checks, run::with_causes};

/// The block that the node would propose, and its time.
pub(super) async fn check(
    config: &Config,
    node: &NodeClient,
    info: &BlockchainInfo,
    checks: &mut Checks,
) {
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
    match (judge(rules, block.header(), info), verdict) {
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
        (Err(Foreign { what, cure }), _) => checks.red(NODE, "proposal", what, cure),
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

/// Why an operator does not propose what its node gives it, and what to do.
struct Foreign {
    what: String,
    cure: &'static str,
}

impl From<CheckError> for Foreign {
    fn from(error: CheckError) -> Self {
        Self {
            cure: match error {
                // No node of this chain does so by itself.
                CheckError::Proposes { .. } | CheckError::Parameters { .. } => {
                    "the node, or what stands between it and this operator, is not yours any more: take it off the network, and set it up anew"
                }
                _ => {
                    "start the node with the configuration of your bundle, or the settings that all others have"
                }
            },
            what: error.to_string(),
        }
    }
}

/// Judges the node's next block as the operator does before it proposes it.
fn judge(rules: &SigningRules, header: &Header, info: &BlockchainInfo) -> Result<(), Foreign> {
    rules.check_challenge(header)?;
    rules.check_proposed(header)?;
    if rules.dialect() != Dialect::Dynafed {
        return Ok(());
    }
    let told = info.current_params_root.as_deref().unwrap_or_default();
    let in_force: ParamsRoot = told.parse().map_err(|error| Foreign {
        what: format!("the node tells no parameters of its next block: {error}"),
        cure: "check the node's version and evbparams, and what stands between it and this operator",
    })?;
    rules.check_parameters(header, in_force)?;
    Ok(())
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
