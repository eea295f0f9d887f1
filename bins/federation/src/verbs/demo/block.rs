//! The demo's description of a block.

use federation_block_signing::HeightReport;
use federation_chain::Block;
use federation_local::{LocalError, LocalFederation};
use federation_ocean_rpc::Node;

use super::{clients, state::BlockRow};

/// Describes a block, which is read from the node.
pub(super) async fn row(
    federation: &LocalFederation,
    index: usize,
    report: &HeightReport,
    took: Option<u64>,
) -> Result<BlockRow, LocalError> {
    let roster = federation.federation();
    let bytes = federation.node(index).client().block(report.hash).await?;
    let rules = roster.rules();
    let block = Block::decode(rules.dialect(), bytes).ok();
    let signers = block
        .as_ref()
        .and_then(|block| rules.signers(block.header()).ok())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|position| roster.at_script_position(position))
        .map(|id| roster.name(id))
        .collect();
    let mut described = Vec::new();
    if let Some(block) = &block {
        let read = block.each_transaction(|transaction| {
            if !transaction.is_coinbase() {
                described.push(clients::describe(&transaction));
            }
        });
        if let Err(error) = read {
            described.push(error.to_string());
        }
    }
    Ok(BlockRow {
        height: report.height.to_u32(),
        hash: report.hash.to_string(),
        round: report.round.map_or(0, federation_roster::Round::to_u32),
        leader: report.leader.map(|id| roster.name(id)).unwrap_or_default(),
        signers,
        ms: took.unwrap_or_default(),
        transactions: block.map_or(0, |block| block.transaction_count()),
        assets: described,
    })
}
