//! What the chain says about the block key.

use federation_chain::{BlockHash, BlockHeight, Header};
use federation_ocean_rpc::{Node, NodeClient};

use super::Place;

/// How many blocks are searched: with a majority signing each, an operator that takes part is among
/// the signers of some of the last ones.
const SEARCHED: u32 = 100;

/// The node's tip and the highest header that it knows, once it is known to be on this chain.
pub(super) struct Seen {
    pub(super) tip: BlockHeight,
    pub(super) headers: BlockHeight,
    pub(super) peers: u32,
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
    Ok(Seen {
        tip: info.blocks,
        headers: info.headers,
        peers: network.connections,
    })
}

/// The highest of the last blocks above a height that has a signature by the operator's key.
pub(super) async fn signed_above(
    place: &Place,
    node: &NodeClient,
    above: Option<BlockHeight>,
) -> Result<Option<BlockHeight>, String> {
    let tip = look(place, node).await?.tip;
    let lowest = tip
        .to_u32()
        .saturating_sub(SEARCHED)
        .max(above.map_or(0, BlockHeight::to_u32))
        .saturating_add(1);
    for height in (lowest..=tip.to_u32()).rev().map(BlockHeight::new) {
        let hash = ask(node.block_hash(height)).await?;
        if is_signed(place, node, hash).await? {
            return Ok(Some(height));
        }
    }
    Ok(None)
}

/// Whether a block has a signature by the operator's key.
async fn is_signed(place: &Place, node: &NodeClient, hash: BlockHash) -> Result<bool, String> {
    let federation = &place.config.federation;
    let rules = federation.rules();
    let bytes = ask(node.header(hash)).await?;
    let header = Header::decode(rules.dialect(), &bytes)
        .map_err(|error| format!("block {hash}: {error}"))?;
    let signers = rules
        .signers(&header)
        .map_err(|error| format!("block {hash}: {error}"))?;
    Ok(federation
        .script_position(place.config.me)
        .is_some_and(|own| signers.contains(&own)))
}

async fn ask<T>(
    question: impl Future<Output = Result<T, federation_ocean_rpc::RpcError>>,
) -> Result<T, String> {
    question
        .await
        .map_err(|error| format!("the node does not answer: {error}"))
}
