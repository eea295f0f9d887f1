//! Waits for a node that was just started to connect to a peer.

use std::time::{Duration, Instant};

use federation_ocean_rpc::{Node, NodeClient, RpcError};
use federation_operator::config::Config;

/// How often to query the node.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Waits until the node has a peer, for at most `wait`. Does not wait for a node that does not answer.
/// The checks then report the result.
pub(super) async fn wait_for(config: &Config, node: &NodeClient, wait: Duration) {
    if config.federation.size() < 2 {
        return;
    }
    let end = Instant::now() + wait;
    loop {
        match node.network_info().await {
            Ok(network) if network.connections == 0 => {}
            Err(RpcError::WarmingUp(_)) => {}
            _ => return,
        }
        if Instant::now() + POLL_INTERVAL > end {
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
