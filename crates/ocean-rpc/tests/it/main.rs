//! The client against recorded responses of real nodes, misbehaving servers, and real nodes where
//! there are any.

mod api;
mod credentials;
mod faults;
mod methods;
mod real_node;
mod recorded;
mod repeat;
mod server;
mod wallet;

use std::time::Duration;

use federation_chain::Dialect;
use federation_ocean_rpc::{NodeClient, NodeConfig};
use serde_json::Value;
use server::Scripted;

/// A client with short timeouts and few retries.
fn client(server: &Scripted) -> NodeClient {
    let config = NodeConfig::new(&server.url)
        .with_timeout(Duration::from_millis(300))
        .with_retries(3, Duration::from_millis(5))
        .with_dialect(Dialect::Dynafed);
    NodeClient::new(config).expect("a client")
}

fn vectors(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("json")
}
