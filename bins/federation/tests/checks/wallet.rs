//! A block key that is said to be in the node's wallet: `preflight` asks whether it is.

use federation_multisig::Network;
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig};
use federation_signer::key_file;
use serde_json::Value;

use crate::{
    Found,
    world::{World, change},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_without_the_key_is_red_and_green_once_it_has_it() {
    let world = World::new().await;
    let config = world.config(0);
    let network = Network::ELEMENTS_CUSTOM;
    let secret = key_file::read(&world.folder(0).join("block.key"), &network).expect("a key");
    change(
        &config,
        "block_key_file = \"block.key\"\n",
        "keys = { block = { kind = \"node\" } }\n",
    );
    let found = Found::ask(&config, &[]);
    let (light, what, cure) = found.of("keys", "block key");
    assert_eq!(light, "red", "{}", found.0);
    assert!(what.contains("does not have the block key"), "{what}");
    assert!(!cure.is_empty());
    assert_eq!(found.of("node", "methods").0, "green", "{}", found.0);
    let (user, password) = world.nodes[0].rpc_credentials();
    let reach = NodeConfig::new(world.nodes[0].rpc_url()).with_auth(Auth::basic(user, password));
    let client = NodeClient::new(reach).expect("a client");
    let params = [Value::from(secret.to_wif(&network).as_str())];
    client
        .call::<Value>("importprivkey", &params)
        .await
        .expect("imported");
    let found = Found::ask(&config, &[]);
    let (light, what, _) = found.of("keys", "block key");
    assert_eq!(light, "green", "{}", found.0);
    assert!(what.contains("in the node's legacy wallet"), "{what}");
}
