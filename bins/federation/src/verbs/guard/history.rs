//! What the node's chain says about the block key, and whether the node is up to date.

use std::time::Duration;

use federation_chain::{BlockHash, BlockHeight, Header, UnixTime};
use federation_cli::{CliError, OrHelp};
use federation_ocean_rpc::{Node, NodeClient};

use super::{OperatorFiles, repair::RepairOptions, show::now};

/// A tip older than this many intervals, plus the drift of clocks, may not be the chain's.
const OLD: u32 = 10;
const DRIFT: Duration = Duration::from_secs(10);

/// The state of a node on this chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeView {
    pub(super) tip: BlockHeight,
    pub(super) hash: BlockHash,
    pub(super) headers: BlockHeight,
    pub(super) peers: u32,
    is_downloading: bool,
    tip_time: UnixTime,
    /// None if the chain has no block yet.
    first_block_time: Option<UnixTime>,
}

impl NodeView {
    /// Returns why the node's tip may not be the chain's; none if it is. If the node does not know later
    /// blocks, only the other operators can tell whether it is behind or the chain has stopped.
    pub(super) fn behind(&self, interval: Duration, margin: u32, now: UnixTime) -> Option<String> {
        if self.headers > self.tip {
            return Some(self.missing_blocks());
        }
        let Some(first) = self.first_block_time else {
            return Some("the node has no block yet".to_owned());
        };
        let age = now.saturating_duration_since(self.tip_time);
        let old = interval * margin.max(OLD) + DRIFT;
        if age <= old && !self.is_downloading {
            return None;
        }
        let scheduled =
            now.saturating_duration_since(first).as_millis() / interval.as_millis().max(1) + 1;
        let download = if self.is_downloading {
            "is in its initial download, and "
        } else {
            ""
        };
        Some(format!(
            "the node {download}has tip {}, which is {} s old; by its schedule the chain may be at \
             height {scheduled}",
            self.tip,
            age.as_secs()
        ))
    }

    /// Checks that the node has every block that it knows of.
    pub(super) fn check_complete(&self) -> Result<(), String> {
        if self.headers > self.tip {
            Err(self.missing_blocks())
        } else {
            Ok(())
        }
    }

    /// Checks that the tip is the block that all operators agree to be the last one.
    pub(super) fn check_is_last(&self, agreed: BlockHash) -> Result<(), CliError> {
        self.check_complete()
            .or_help("let the node catch up, then try again")?;
        if self.hash == agreed {
            return Ok(());
        }
        Err(CliError::failure(
            format!(
                "the node's tip is block {} at height {}, not {agreed}",
                self.hash, self.tip
            ),
            "let the node catch up, or compare the last block with the other operators again: agree on \
             the highest that any of them has",
        ))
    }

    fn missing_blocks(&self) -> String {
        format!(
            "the node has {} blocks of the {} that it knows of",
            self.tip, self.headers
        )
    }
}

/// Refuses to trust the height of a node that may be behind, unless the user says how far others are. A
/// trusted store additionally requires a node with all blocks.
pub(super) fn check_height(
    files: &OperatorFiles,
    options: &RepairOptions,
    view: &NodeView,
) -> Result<(), CliError> {
    let interval = files.config.federation.interval();
    let behind = view.behind(interval, options.margin, now());
    match (behind, options.at_least.map(BlockHeight::new)) {
        (Some(why), None) => Err(CliError::failure(
            format!("{why}: its height may not be the chain's"),
            "let it catch up, then try again; if the chain has stopped or the node cannot catch up, pass \
             the others' height (`height` in their `federation status`) with --at-least",
        )),
        (_, Some(others)) if options.trust_store && view.tip.next() < others => {
            Err(CliError::failure(
                format!(
                    "the node's tip is {}, but others are at height {others}: the store cannot be compared \
                     with all blocks",
                    view.tip
                ),
                "let the node catch up, then try again",
            ))
        }
        (Some(why), Some(_)) if options.trust_store => view
            .check_complete()
            .map_err(|_| CliError::failure(why, "let the node catch up, then try again")),
        _ => Ok(()),
    }
}

/// Queries the node's state.
pub(super) async fn node_view(
    files: &OperatorFiles,
    node: &NodeClient,
) -> Result<NodeView, String> {
    let genesis = call(node.block_hash(BlockHeight::GENESIS)).await?;
    if genesis != files.pin.genesis {
        return Err(format!(
            "the node is on another chain: its genesis block is {genesis}, the federation's is {}",
            files.pin.genesis
        ));
    }
    let info = call(node.blockchain_info()).await?;
    let network = call(node.network_info()).await?;
    let tip = call(node.header_info(info.best_block_hash)).await?;
    let first_block_time = if info.blocks == BlockHeight::GENESIS {
        None
    } else {
        let first = call(node.block_hash(BlockHeight::new(1))).await?;
        let first = call(node.header_info(first)).await?;
        Some(UnixTime::from_secs(first.time))
    };
    Ok(NodeView {
        tip: info.blocks,
        hash: info.best_block_hash,
        headers: info.headers,
        peers: network.connections,
        is_downloading: info.initial_block_download,
        tip_time: UnixTime::from_secs(tip.time),
        first_block_time,
    })
}

/// Returns the highest block above a height that has a signature by the operator's key. Finding none
/// proves nothing: a block contains only the M signatures that arrived first.
pub(super) async fn signed_above(
    files: &OperatorFiles,
    node: &NodeClient,
    view: &NodeView,
    above: Option<BlockHeight>,
) -> Result<Option<BlockHeight>, String> {
    let lowest = above.unwrap_or(BlockHeight::GENESIS);
    let mut hash = view.hash;
    loop {
        let header = header(files, node, hash).await?;
        if header.height() <= lowest {
            return Ok(None);
        }
        if is_signed(files, &header) {
            return Ok(Some(header.height()));
        }
        hash = header.previous();
    }
}

/// Whether a block has a signature by the operator's key; false for a block of another script.
fn is_signed(files: &OperatorFiles, header: &Header) -> bool {
    let federation = &files.config.federation;
    let signers = federation.rules().signers(header).unwrap_or_default();
    federation
        .script_position(files.config.me)
        .is_some_and(|own| signers.contains(&own))
}

async fn header(
    files: &OperatorFiles,
    node: &NodeClient,
    hash: BlockHash,
) -> Result<Header, String> {
    let bytes = call(node.header(hash)).await?;
    let dialect = files.config.federation.rules().dialect();
    let header =
        Header::decode(dialect, &bytes).map_err(|error| format!("block {hash}: {error}"))?;
    if header.block_hash() == hash {
        Ok(header)
    } else {
        Err(format!(
            "block {hash}: the node returned {}",
            header.block_hash()
        ))
    }
}

async fn call<T>(
    request: impl Future<Output = Result<T, federation_ocean_rpc::RpcError>>,
) -> Result<T, String> {
    request
        .await
        .map_err(|error| format!("the node does not answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn view(tip: u32, headers: u32, tip_time: u64) -> NodeView {
        NodeView {
            tip: BlockHeight::new(tip),
            hash: BlockHash::from_bytes([1; 32]),
            headers: BlockHeight::new(headers),
            peers: 3,
            is_downloading: false,
            tip_time: UnixTime::from_secs(tip_time),
            first_block_time: Some(UnixTime::from_secs(60)),
        }
    }

    #[test]
    fn a_node_that_may_be_behind_is_not_trusted_for_the_chains_height() {
        let now = UnixTime::from_secs(100 * 60 + 30);
        let behind = |view: NodeView| view.behind(MINUTE, 10, now);
        assert_eq!(behind(view(100, 100, 100 * 60)), None);
        // Nine blocks are missing: within the margin.
        assert_eq!(behind(view(91, 91, 91 * 60)), None);
        let old = behind(view(80, 80, 80 * 60)).expect("too old");
        assert!(old.contains("at height 100"), "{old}");
        // A larger margin covers more.
        let wide = view(80, 80, 80 * 60).behind(MINUTE, 50, now);
        assert_eq!(wide, None);
        let partial = behind(view(99, 100, 99 * 60)).expect("a block is missing");
        assert!(partial.contains("99 blocks of the 100"), "{partial}");
        let mut downloading = view(100, 100, 100 * 60);
        downloading.is_downloading = true;
        assert!(behind(downloading).is_some());
        let mut empty = view(0, 0, 0);
        empty.first_block_time = None;
        assert!(behind(empty).is_some());
    }
}
