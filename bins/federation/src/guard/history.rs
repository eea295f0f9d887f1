//! What the chain says about the block key, and whether the node is where the chain is.

use std::time::Duration;

use federation_chain::{BlockHash, BlockHeight, Header, UnixTime};
use federation_cli::CliError;
use federation_ocean_rpc::{Node, NodeClient};

use super::{Place, repair::Wish, show::now};

/// A tip that is older than so many intervals, and what clocks may differ by, is not taken for the
/// chain's.
const OLD: u32 = 10;
const DRIFT: Duration = Duration::from_secs(10);

/// The node's tip and the highest header that it knows, once it is known to be on this chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) tip: BlockHeight,
    pub(super) hash: BlockHash,
    pub(super) headers: BlockHeight,
    pub(super) peers: u32,
    is_downloading: bool,
    tip_time: UnixTime,
    /// None without a block.
    first_block_time: Option<UnixTime>,
}

impl Seen {
    /// Why the node's tip may not be the chain's, if it may not. Whether a node that does not know of
    /// later blocks is behind, or the chain stands still, only others can tell.
    pub(super) fn behind(&self, interval: Duration, margin: u32, now: UnixTime) -> Option<String> {
        if self.headers > self.tip {
            return Some(self.missing_blocks());
        }
        let Some(first) = self.first_block_time else {
            return Some("the node has no block yet".to_owned());
        };
        let age = now.since(self.tip_time);
        let old = interval * margin.max(OLD) + DRIFT;
        if age <= old && !self.is_downloading {
            return None;
        }
        let scheduled = now.since(first).as_millis() / interval.as_millis().max(1) + 1;
        let download = if self.is_downloading {
            "is in its initial download, and "
        } else {
            ""
        };
        Some(format!(
            "the node {download}has a tip, {}, that is {} s old; by its schedule the chain can be at \
             height {scheduled}",
            self.tip,
            age.as_secs()
        ))
    }

    /// Refuses a node that knows of blocks which it does not have.
    pub(super) fn check_complete(&self) -> Result<(), String> {
        if self.headers > self.tip {
            Err(self.missing_blocks())
        } else {
            Ok(())
        }
    }

    /// Refuses a tip that is not the block which all operators agree to be the last one.
    pub(super) fn check_is_last(&self, agreed: BlockHash) -> Result<(), CliError> {
        self.check_complete()
            .map_err(|why| CliError::failure(why, "let the node catch up, and ask again"))?;
        if self.hash == agreed {
            return Ok(());
        }
        Err(CliError::failure(
            format!(
                "the node's tip is block {} at height {}, not {agreed}",
                self.hash, self.tip
            ),
            "let the node catch up, or compare the last block with the other operators again: the \
             highest that any of them has is the one to agree on",
        ))
    }

    fn missing_blocks(&self) -> String {
        format!(
            "the node has {} blocks of the {} that it knows of",
            self.tip, self.headers
        )
    }
}

/// Refuses to take a height from a node that may be behind, unless a person says how far others are; a
/// store that is to be trusted is compared with the whole chain besides.
pub(super) fn check_height(place: &Place, wish: &Wish, seen: &Seen) -> Result<(), CliError> {
    let interval = place.config.federation.interval();
    let behind = seen.behind(interval, wish.margin, now());
    match (behind, wish.at_least.map(BlockHeight::new)) {
        (Some(why), None) => Err(CliError::failure(
            format!("{why}: its height is not taken for the chain's"),
            "let it catch up and ask again; if the chain stands still, or the node cannot catch up, give \
             the height of the others (`height` of their `federation status`) with --at-least",
        )),
        (_, Some(others)) if wish.trust_store && seen.tip.next() < others => {
            Err(CliError::failure(
                format!(
                    "the node's tip is {}, and others are at height {others}: the store cannot be compared \
                 with all blocks",
                    seen.tip
                ),
                "let the node catch up, and ask again",
            ))
        }
        (Some(why), Some(_)) if wish.trust_store => seen
            .check_complete()
            .map_err(|_| CliError::failure(why, "let the node catch up, and ask again")),
        _ => Ok(()),
    }
}

/// Asks the node how far its chain is.
pub(super) async fn look(place: &Place, node: &NodeClient) -> Result<Seen, String> {
    let genesis = ask(node.block_hash(BlockHeight::GENESIS)).await?;
    if genesis != place.pin.genesis {
        return Err(format!(
            "the node is on another chain: its genesis is {genesis}, the federation's {}",
            place.pin.genesis
        ));
    }
    let info = ask(node.blockchain_info()).await?;
    let network = ask(node.network_info()).await?;
    let tip = ask(node.header_info(info.best_block_hash)).await?;
    let first_block_time = if info.blocks == BlockHeight::GENESIS {
        None
    } else {
        let first = ask(node.block_hash(BlockHeight::new(1))).await?;
        let first = ask(node.header_info(first)).await?;
        Some(UnixTime::from_secs(first.time))
    };
    Ok(Seen {
        tip: info.blocks,
        hash: info.best_block_hash,
        headers: info.headers,
        peers: network.connections,
        is_downloading: info.initial_block_download,
        tip_time: UnixTime::from_secs(tip.time),
        first_block_time,
    })
}

/// The highest block above a height that has a signature by the operator's key. Finding none proves
/// nothing: a block has the M signatures that came first.
pub(super) async fn signed_above(
    place: &Place,
    node: &NodeClient,
    seen: &Seen,
    above: Option<BlockHeight>,
) -> Result<Option<BlockHeight>, String> {
    let lowest = above.unwrap_or(BlockHeight::GENESIS);
    let mut hash = seen.hash;
    loop {
        let header = header(place, node, hash).await?;
        if header.height() <= lowest {
            return Ok(None);
        }
        if is_signed(place, &header) {
            return Ok(Some(header.height()));
        }
        hash = header.previous();
    }
}

/// Whether a block has a signature by the operator's key; one of another script has none.
fn is_signed(place: &Place, header: &Header) -> bool {
    let federation = &place.config.federation;
    let signers = federation.rules().signers(header).unwrap_or_default();
    federation
        .script_position(place.config.me)
        .is_some_and(|own| signers.contains(&own))
}

async fn header(place: &Place, node: &NodeClient, hash: BlockHash) -> Result<Header, String> {
    let bytes = ask(node.header(hash)).await?;
    let dialect = place.config.federation.rules().dialect();
    let header =
        Header::decode(dialect, &bytes).map_err(|error| format!("block {hash}: {error}"))?;
    if header.block_hash() == hash {
        Ok(header)
    } else {
        Err(format!(
            "block {hash}: the node gave {}",
            header.block_hash()
        ))
    }
}

async fn ask<T>(
    question: impl Future<Output = Result<T, federation_ocean_rpc::RpcError>>,
) -> Result<T, String> {
    question
        .await
        .map_err(|error| format!("the node does not answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn seen(tip: u32, headers: u32, tip_time: u64) -> Seen {
        Seen {
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
    fn a_node_that_is_behind_is_not_believed_to_know_the_chains_height() {
        let now = UnixTime::from_secs(100 * 60 + 30);
        let behind = |seen: Seen| seen.behind(MINUTE, 10, now);
        assert_eq!(behind(seen(100, 100, 100 * 60)), None);
        // Nine blocks are missing: within the margin.
        assert_eq!(behind(seen(91, 91, 91 * 60)), None);
        let old = behind(seen(80, 80, 80 * 60)).expect("too old");
        assert!(old.contains("at height 100"), "{old}");
        // A larger margin covers more.
        let wide = seen(80, 80, 80 * 60).behind(MINUTE, 50, now);
        assert_eq!(wide, None);
        let partial = behind(seen(99, 100, 99 * 60)).expect("a block is missing");
        assert!(partial.contains("99 blocks of the 100"), "{partial}");
        let mut downloading = seen(100, 100, 100 * 60);
        downloading.is_downloading = true;
        assert!(behind(downloading).is_some());
        let mut empty = seen(0, 0, 0);
        empty.first_block_time = None;
        assert!(behind(empty).is_some());
    }
}
