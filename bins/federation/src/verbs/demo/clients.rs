//! The demo's clients: they issue, transfer and reissue an asset, so that blocks contain transactions.

use std::time::Duration;

use elements::AssetId;
use federation_chain::{Dialect, TransactionView};
use federation_ocean_rpc::{Amount, Node, NodeClient, RpcError};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{inflation::Inflation, session::ClientEvent};

/// The wallet that the clients use on nodes with several wallets.
const WALLET: &str = "demo";
/// One coin, in satoshi.
const COIN: u64 = 100_000_000;

/// Issues, transfers and reissues until the demo ends or a call to a node fails.
pub(crate) async fn run(
    nodes: Vec<NodeClient>,
    interval: Duration,
    inflation: Option<Inflation>,
    news: mpsc::Sender<ClientEvent>,
) {
    if let Err(reason) = trade(&nodes, interval, inflation.as_ref(), &news).await {
        // The demo may have ended.
        let _ = news.send(ClientEvent::Stopped(reason)).await;
    }
}

async fn trade(
    nodes: &[NodeClient],
    interval: Duration,
    inflation: Option<&Inflation>,
    news: &mpsc::Sender<ClientEvent>,
) -> Result<(), String> {
    let [issuer, other] = match nodes {
        [first, second, ..] => [first, second],
        [first] => [first, first],
        [] => return Ok(()),
    };
    for node in [issuer, other] {
        node.ensure_wallet(WALLET).await.map_err(node_error)?;
        if node.dialect().await.map_err(node_error)? != Dialect::Ocean {
            // A new wallet has not scanned the genesis block, which creates the first coins.
            node.call::<Value>("rescanblockchain", &[])
                .await
                .map_err(node_error)?;
        }
    }
    // The first coins are spendable once there is a block.
    wait_for_block(issuer, interval).await.map_err(node_error)?;
    let asset = match inflation {
        Some(inflation) => {
            let settings = inflation.begin(issuer, other).await?;
            let asset = settings.asset().to_string();
            // The demo may have ended.
            let _ = news.send(ClientEvent::Issued(Box::new(settings))).await;
            asset
        }
        None => {
            let (amount, tokens) = (Amount::from_sat(1000 * COIN), Amount::from_sat(COIN));
            issuer
                .issue_asset(amount, tokens)
                .await
                .map_err(node_error)?
                .asset
        }
    };
    report(news, format!("a client issues 1000 of {}", short(&asset))).await;
    let mut turn = 0u32;
    loop {
        wait_for_block(issuer, interval).await.map_err(node_error)?;
        turn += 1;
        if inflation.is_none() && turn.is_multiple_of(4) {
            issuer
                .reissue_asset(&asset, Amount::from_sat(50 * COIN))
                .await
                .map_err(node_error)?;
            report(news, format!("a client reissues 50 of {}", short(&asset))).await;
        } else {
            let address = other.new_address().await.map_err(node_error)?;
            issuer
                .send_asset(&address, Amount::from_sat(COIN), &asset)
                .await
                .map_err(node_error)?;
        }
    }
}

/// Converts a node's error to text.
fn node_error(error: RpcError) -> String {
    error.to_string()
}

async fn report(news: &mpsc::Sender<ClientEvent>, text: String) {
    // The demo may have ended.
    let _ = news.send(ClientEvent::Acted(text)).await;
}

async fn wait_for_block(node: &NodeClient, interval: Duration) -> Result<(), RpcError> {
    let before = node.best_block_hash().await?;
    while node.best_block_hash().await? == before {
        tokio::time::sleep((interval / 10).max(Duration::from_millis(20))).await;
    }
    Ok(())
}

pub(crate) fn short(asset: &str) -> &str {
    asset.get(..8).unwrap_or(asset)
}

/// Describes a transaction in a few words.
pub(crate) fn describe(transaction: &TransactionView<'_>) -> String {
    let issuing = transaction
        .inputs()
        .find_map(|input| Some((input.issuance?, input.issuance_entropy()?)));
    if let Some((issuance, entropy)) = issuing {
        let asset = AssetId::from_entropy(entropy);
        let verb = if issuance.is_reissuance() {
            "reissued"
        } else {
            "issued"
        };
        let amount = issuance
            .amount
            .explicit()
            .map_or_else(String::new, |amount| format!(" {}", in_coins(amount)));
        return format!("{verb}{amount} of {}", short(&asset.to_string()));
    }
    let mut assets: Vec<String> = transaction
        .outputs()
        .filter(|output| !output.is_fee())
        .filter_map(|output| output.asset.explicit())
        .map(|asset| short(&asset.to_string()).to_owned())
        .collect();
    assets.sort_unstable();
    assets.dedup();
    format!("moved {}", assets.join("+"))
}

/// Formats an amount in coins, without trailing zeros.
fn in_coins(satoshi: u64) -> String {
    let text = Amount::from_sat(satoshi).to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
