//! The demo's clients: they issue an asset, move it, and make more of it, so that blocks carry
//! something.

use std::time::Duration;

use elements::AssetId;
use federation_chain::{Dialect, TransactionView};
use federation_ocean_rpc::{Amount, Node, NodeClient, RpcError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{inflation::Inflation, session::News};

/// The wallet that the clients use on nodes that have several.
const WALLET: &str = "demo";
/// One coin, in satoshi.
const COIN: u64 = 100_000_000;

/// Issues, moves and reissues until the demo ends or the node does not carry it.
pub(crate) async fn run(
    nodes: Vec<NodeClient>,
    interval: Duration,
    inflation: Option<Inflation>,
    news: mpsc::Sender<News>,
) {
    if let Err(reason) = trade(&nodes, interval, inflation.as_ref(), &news).await {
        // The demo may be over.
        let _ = news.send(News::ClientsStopped(reason)).await;
    }
}

async fn trade(
    nodes: &[NodeClient],
    interval: Duration,
    inflation: Option<&Inflation>,
    news: &mpsc::Sender<News>,
) -> Result<(), String> {
    let [issuer, other] = match nodes {
        [first, second, ..] => [first, second],
        [first] => [first, first],
        [] => return Ok(()),
    };
    for node in [issuer, other] {
        node.ensure_wallet(WALLET).await.map_err(said)?;
        if node.dialect().await.map_err(said)? != Dialect::Ocean {
            // A new wallet has not looked at the genesis block, where the first coins are.
            node.call::<Value>("rescanblockchain", &[])
                .await
                .map_err(said)?;
        }
    }
    // The first coins are in a block that needs no signature.
    wait_for_block(issuer, interval).await.map_err(said)?;
    let asset = match inflation {
        Some(inflation) => {
            let settings = inflation.begin(issuer, other).await?;
            let asset = settings.asset().to_string();
            // The demo may be over.
            let _ = news.send(News::Issued(Box::new(settings))).await;
            asset
        }
        None => {
            let (amount, tokens) = (Amount::from_sat(1000 * COIN), Amount::from_sat(COIN));
            issuer
                .issue_asset(amount, tokens)
                .await
                .map_err(said)?
                .asset
        }
    };
    tell(news, format!("a client issues 1000 of {}", short(&asset))).await;
    let mut turn = 0u32;
    loop {
        wait_for_block(issuer, interval).await.map_err(said)?;
        turn += 1;
        if inflation.is_none() && turn.is_multiple_of(4) {
            issuer
                .reissue_asset(&asset, Amount::from_sat(50 * COIN))
                .await
                .map_err(said)?;
            tell(news, format!("a client reissues 50 of {}", short(&asset))).await;
        } else {
            let address = other.new_address().await.map_err(said)?;
            send(issuer, &address, &asset).await.map_err(said)?;
        }
    }
}

/// What a node said.
fn said(error: RpcError) -> String {
    error.to_string()
}

async fn tell(news: &mpsc::Sender<News>, text: String) {
    // The demo may be over.
    let _ = news.send(News::Client(text)).await;
}

/// Sends one unit of an asset, by the parameters of the node's family.
async fn send(node: &NodeClient, address: &str, asset: &str) -> Result<(), RpcError> {
    let params = match node.dialect().await? {
        Dialect::Ocean => json!([address, 1, "", "", false, asset]),
        _ => json!([address, 1, "", "", false, false, 1, "unset", false, asset]),
    };
    let params = params.as_array().cloned().unwrap_or_default();
    node.call::<Value>("sendtoaddress", &params)
        .await
        .map(|_| ())
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

/// What a transaction does, in a few words.
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

/// An amount in coins, without the zeros at its end.
fn in_coins(satoshi: u64) -> String {
    let text = Amount::from_sat(satoshi).to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
