//! `federation preflight` with a node that has just been started.

#[path = "recovery/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod world;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use federation_chain::Dialect;
use federation_devnet::{DevNode, DevNodeConfig};
use serde_json::Value;
use world::{Daemon, World, change, script_of, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_waits_for_a_node_to_connect_to_its_peers() {
    let world = World::new().await;
    let others = [1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(1).await;
    let config = DevNodeConfig::new(Dialect::Dynafed, script_of(&world.fed)).with_chain("fedchain");
    let young = DevNode::spawn(config).await.expect("a node");
    let config = world.config(0);
    change(&config, &world.nodes[0].rpc_url(), &young.rpc_url());
    let preflight = Command::new(env!("CARGO_BIN_EXE_federation"))
        .args(["preflight", "--json", "--wait", "90s", "--config"])
        .arg(text(&config))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    // By then preflight may have queried the node.
    tokio::time::sleep(Duration::from_secs(2)).await;
    young.connect(world.nodes[1].p2p_address());
    let done = tokio::task::spawn_blocking(|| preflight.wait_with_output());
    let done = done.await.expect("no panic").expect("it ends");
    let answer: Value = serde_json::from_slice(&done.stdout).expect("json");
    let mut checks = answer["checks"].as_array().expect("a list").iter();
    let peers = checks.find(|check| check["about"] == "node" && check["name"] == "peers");
    assert_ne!(peers.expect("looked at")["light"], "red", "{answer}");
    for daemon in others {
        daemon.stop().await;
    }
}
