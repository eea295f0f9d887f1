//! The devnet's node fulfils the contract of nodes, as `elementsd` and `oceand` do.

use std::collections::BTreeMap;

use federation_chain::{Block, Dialect, SigningRules};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::{Auth, NodeClient, NodeConfig, contract};
use secp256k1::{Message, SECP256K1, SecretKey};

async fn the_contract_holds(dialect: Dialect) {
    let keys: Vec<SecretKey> = (1..=3)
        .map(|byte| SecretKey::from_slice(&[byte; 32]).expect("a key"))
        .collect();
    let public = keys.iter().map(|key| key.public_key(SECP256K1)).collect();
    let threshold = Threshold::new(2).expect("a threshold");
    let script = MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script");
    let size = SigningRules::required_signature_size(dialect, &script);
    let rules = SigningRules::new(dialect, script.clone(), size).expect("rules");
    let node = DevNode::spawn(DevNodeConfig::new(dialect, script)).await;
    let node = node.expect("a node");
    let (user, password) = node.rpc_credentials();
    let config = NodeConfig::new(node.rpc_url()).with_auth(Auth::basic(user, password));
    let client = NodeClient::new(config).expect("a client");
    let sign = |unsigned: &Block| {
        let message = Message::from_digest(unsigned.block_hash().to_bytes());
        let signatures: BTreeMap<_, _> = keys[..2]
            .iter()
            .map(|key| SECP256K1.sign_ecdsa(&message, key))
            .enumerate()
            .collect();
        rules.assemble(unsigned, &signatures).expect("complete")
    };
    contract::node(&client, dialect, sign).await;
    node.stop().await;
}

#[tokio::test]
async fn ocean() {
    the_contract_holds(Dialect::Ocean).await;
}

#[tokio::test]
async fn elements() {
    the_contract_holds(Dialect::Elements).await;
}

#[tokio::test]
async fn dynafed() {
    the_contract_holds(Dialect::Dynafed).await;
}
