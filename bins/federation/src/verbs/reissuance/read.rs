//! Reads the node's chain for the verbs.

use federation_chain::BlockHeight;
use federation_cli::{CliError, OrHelp, out};
use federation_ocean_rpc::Node;
use federation_operator::{Reading, follow};
use federation_reissuance::{AssetSettings, Chain, Ledger, LedgerEvent, TokenForm};

use super::args::ChainArgs;
use crate::{files, node, runtime};

/// The help for a node that does not answer.
const CHECK_NODE: &str = "check that the node is running and on the federation's chain";

/// The help for a node whose chain is not what the federation has signed.
const OTHER_CHAIN: &str = "this node does not serve the federation's chain: read it from another node, and investigate this one";

/// An event of an asset on the chain.
pub(super) struct AssetEvent {
    pub(super) height: BlockHeight,
    pub(super) index: usize,
    pub(super) event: LedgerEvent,
}

/// The result of reading the chain.
pub(super) struct ChainReading {
    pub(super) ledger: Ledger,
    /// The node's tip.
    pub(super) tip: BlockHeight,
    pub(super) events: Vec<AssetEvent>,
}

struct Collector {
    events: Vec<AssetEvent>,
    quiet: bool,
}

impl Reading for Collector {
    fn on_event(&mut self, height: BlockHeight, index: usize, event: &LedgerEvent) {
        self.events.push(AssetEvent {
            height,
            index,
            event: *event,
        });
    }

    fn on_progress(&mut self, height: BlockHeight, to: BlockHeight) {
        if !self.quiet {
            out::note(&format!("read {height} of {to} blocks"));
        }
    }
}

/// Reads the chain up to a height, or to its end.
pub(super) fn read(args: &ChainArgs, to: Option<u32>) -> Result<ChainReading, CliError> {
    let config = files::load(&args.config, &args.settings.overrides())?;
    let assets = chosen(&config.reissuance, args.asset.as_deref())?;
    let rules = config.federation.rules();
    let chain = Chain {
        genesis: config.federation.genesis(),
        tokens: TokenForm::of(rules.dialect()),
    };
    let node = node::client(&config)?;
    runtime::current_thread()?.block_on(async {
        let tip = node.block_count().await.or_help(CHECK_NODE)?;
        let to = to.map_or(tip, BlockHeight::new).min(tip);
        let mut ledger = Ledger::new(chain, assets);
        let mut collected = Collector {
            events: Vec::new(),
            quiet: args.json,
        };
        follow(&mut ledger, &node, rules, to, &mut collected)
            .await
            .or_help_for(|error| {
                if error.is_false_data() {
                    OTHER_CHAIN
                } else {
                    CHECK_NODE
                }
            })?;
        Ok(ChainReading {
            ledger,
            tip,
            events: collected.events,
        })
    })
}

fn chosen(assets: &[AssetSettings], one: Option<&str>) -> Result<Vec<AssetSettings>, CliError> {
    if assets.is_empty() {
        return Err(CliError::failure(
            "no asset is configured for reissuance",
            "add a [[reissuance]] table to federation.toml; `federation issue` prints one",
        ));
    }
    let Some(one) = one else {
        return Ok(assets.to_vec());
    };
    let found: Vec<_> = assets
        .iter()
        .filter(|settings| settings.asset().to_string() == one)
        .cloned()
        .collect();
    if found.is_empty() {
        let known: Vec<String> = assets.iter().map(|s| s.asset().to_string()).collect();
        return Err(CliError::usage(
            format!("asset {one} is not configured for reissuance"),
            format!("choose one of {}", known.join(", ")),
        ));
    }
    Ok(found)
}
