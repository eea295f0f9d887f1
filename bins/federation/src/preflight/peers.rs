//! A node that was started a moment ago finds its peers soon.

use std::time::{Duration, Instant};

use federation_ocean_rpc::{Node, NodeClient, RpcError};
use federation_operator::config::Config;

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until the node has a peer, or as long as is said. A node that does not answer is not waited
/// for. What there is then is for the checks to say.
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
        if Instant::now() + LOOK > end {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
