//! Checks the node's block template: whether operators would sign it, and its time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, CheckError, Dialect, Header, ParamsRoot, SigningRules};
use federation_cli::with_causes;
use federation_ocean_rpc::{BlockchainInfo, Node, NodeClient, RpcError};
use federation_operator::config::Config;
use hex_conservative::DisplayHex;

use super::node::{CLOCK, NODE, drift};
use crate::checks::Checks;

/// Checks the block that the node would propose, and its time.
pub(super) async fn check(
    config: &Config,
    node: &NodeClient,
    info: &BlockchainInfo,
    checks: &mut Checks,
) {
    let rules = config.federation.rules();
    let template = match test_template(node).await {
        Ok(template) => template,
        Err(error) => {
            checks.red(
                NODE,
                "proposal",
                with_causes(&error),
                "wait until the node has caught up, or see its debug.log",
            );
            return;
        }
    };
    let TestedTemplate { template, verdict } = template;
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
    match (check_signable(rules, block.header(), info), verdict) {
        (Ok(()), Ok(())) => checks.green(
            NODE,
            "proposal",
            format!(
                "block {} can be signed, and the node accepts it",
                block.height()
            ),
        ),
        (Ok(()), Err(error)) => checks.red(
            NODE,
            "proposal",
            format!(
                "the node rejects its own next block: {}",
                with_causes(&error)
            ),
            "see `methods` above, and the node's debug.log",
        ),
        (Err(Rejection { what, help }), _) => checks.red(NODE, "proposal", what, help),
    }
    coinbase(config, &block, checks);
    if block.height() == BlockHeight::new(1) {
        sweep(config, checks);
    }
    let own = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let theirs = u64::from(block.header().time());
    // The chain is ahead of the node's clock: the block has the lowest time that is allowed.
    if theirs == info.median_time + 1 && theirs > own {
        checks.yellow(
            CLOCK,
            "node",
            format!("the chain is {} s ahead of this machine", theirs - own),
            "synchronise the clock with NTP",
        );
        return;
    }
    let apart = Duration::from_secs(own.abs_diff(theirs));
    drift("node", apart, "of this machine", checks);
}

/// Why an operator would not propose its node's template, and what to do.
struct Rejection {
    what: String,
    help: &'static str,
}

impl From<CheckError> for Rejection {
    fn from(error: CheckError) -> Self {
        Self {
            help: match error {
                // No node of this chain does so on its own.
                CheckError::Proposes { .. } | CheckError::Parameters { .. } => {
                    "the node, or a proxy in front of it, is no longer under your control: take it off the network and set it up again"
                }
                _ => {
                    "start the node with the configuration from your bundle, or the same settings as all others"
                }
            },
            what: error.to_string(),
        }
    }
}

/// Checks the node's next block as the operator does before proposing it.
fn check_signable(
    rules: &SigningRules,
    header: &Header,
    info: &BlockchainInfo,
) -> Result<(), Rejection> {
    rules.check_challenge(header)?;
    rules.check_proposed(header)?;
    if rules.dialect() != Dialect::Dynafed {
        return Ok(());
    }
    let root = info.current_params_root.as_deref().unwrap_or_default();
    let in_force: ParamsRoot = root.parse().map_err(|error| Rejection {
        what: format!("the node does not report valid parameters of its next block: {error}"),
        help: "check the node's version and evbparams, and any proxy in front of it",
    })?;
    rules.check_parameters(header, in_force)?;
    Ok(())
}

/// The node's next block, and whether the node would accept it.
struct TestedTemplate {
    template: Bytes,
    verdict: Result<(), RpcError>,
}

/// Has the node test its own template, as operators have it test the proposals of others.
async fn test_template(node: &NodeClient) -> Result<TestedTemplate, RpcError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let template = node.new_block().await?;
        let verdict = node.test_proposed_block(&template).await;
        // A block may have arrived in between.
        if tries == 2 || !matches!(verdict, Err(RpcError::Node { .. })) {
            return Ok(TestedTemplate { template, verdict });
        }
    }
}

/// Checks that the template pays only to `con_mandatorycoinbase`, if that is agreed. A template without
/// fees does not show whether the node has the setting.
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
                "check the node's version: its proposal cannot be decoded",
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
            format!("the block pays to {other}"),
            format!("set con_mandatorycoinbase={wanted}, as agreed"),
        ),
    }
}

fn sweep(config: &Config, checks: &mut Checks) {
    if let Some(sweep) = &config.sweep {
        checks.green(
            NODE,
            "sweep",
            format!("block 1 will contain the transaction {}", sweep.txid()),
        );
    }
}
