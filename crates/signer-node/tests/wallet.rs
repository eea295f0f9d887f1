//! Node wallets sign blocks that are accepted: devnet nodes always, real ones if `ELEMENTSD` and
//! `OCEAND` name them.

use std::{collections::BTreeMap, path::PathBuf};

use federation_chain::{Block, BlockHash, BlockHeight, Dialect, SigningRules};
use federation_devnet::{DevNode, DevNodeConfig};
use federation_multisig::{KeyOrder, MultisigScript, Network, Threshold};
use federation_ocean_rpc::{
    Auth, Node, NodeClient, NodeConfig, RpcError, SubmitOutcome,
    process::{NodeLaunch, NodeProcess, free_port},
};
use federation_signer::{GuardError, GuardedSigner, MemoryGuardStore, Secret, Signer, SignerError};
use federation_signer_node::{NodeWalletSigner, WalletFault};
use serde_json::{Value, json};

/// One key in the wallet, one in memory, of a 2-of-3 script.
struct Keys {
    wallet: Secret,
    memory: Secret,
    rules: SigningRules,
}

fn keys(dialect: Dialect) -> Keys {
    let (wallet, memory) = (Secret::generate(), Secret::generate());
    let public = vec![
        Secret::generate().public_key(),
        wallet.public_key(),
        memory.public_key(),
    ];
    let threshold = Threshold::new(2).expect("two");
    let script = MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script");
    let size = SigningRules::required_signature_size(dialect, &script);
    let rules = SigningRules::new(dialect, script, size).expect("rules");
    Keys {
        wallet,
        memory,
        rules,
    }
}

/// Makes blocks signed by wallet and memory.
async fn makes_blocks(node: &NodeClient, keys: &Keys) {
    let wif = keys.wallet.to_wif(&Network::ELEMENTS_CUSTOM);
    let params = [json!(wif.as_str())];
    let signer = NodeWalletSigner::new(node.clone(), &keys.rules, keys.wallet.public_key());
    assert_eq!(
        signer.check_wallet().await,
        Err(WalletFault::NotOurKey(Box::new(keys.wallet.public_key())))
    );
    node.call::<Value>("importprivkey", &params)
        .await
        .expect("the wallet imports the key");
    assert_eq!(signer.check_wallet().await, Ok(None));
    let guarded = GuardedSigner::new(signer, MemoryGuardStore::new()).expect("new");
    let memory = federation_signer::SoftwareSigner::new(
        Secret::from_hex(&keys.memory.to_hex()).expect("the same"),
    );
    // Beyond height 10, where headers have full dynafed parameters again.
    for height in (1..=12).map(BlockHeight::new) {
        let bytes = node.new_block().await.expect("a template");
        let block = Block::decode(keys.rules.dialect(), bytes.clone()).expect("a block");
        let hash = block.block_hash();
        let signature = guarded
            .sign_full_block(height, hash, &bytes)
            .await
            .expect("the wallet signs");
        let signatures = BTreeMap::from([
            (1, signature),
            (2, memory.sign_block(hash).await.expect("in memory")),
        ]);
        let whole = keys.rules.assemble(&block, &signatures).expect("a block");
        assert_eq!(
            node.submit_block(whole.as_bytes()).await,
            Ok(SubmitOutcome::Accepted)
        );
        // The guard protects the wallet like any other key.
        let other = BlockHash::from_bytes([1; 32]);
        assert!(matches!(
            guarded.sign_full_block(height, other, &bytes).await,
            Err(GuardError::Conflict { .. })
        ));
    }
    assert_eq!(node.block_count().await, Ok(BlockHeight::new(12)));

    let bytes = node.new_block().await.expect("a template");
    let hash = Block::decode(keys.rules.dialect(), bytes.clone())
        .expect("a block")
        .block_hash();
    let refused = |result: Result<_, SignerError>, with: &str| {
        let Err(SignerError::Refused { reason }) = result else {
            panic!("{result:?}");
        };
        assert!(reason.contains(with), "{reason}");
    };
    let stranger = Secret::generate().public_key();
    let other_key = NodeWalletSigner::new(node.clone(), &keys.rules, stranger);
    refused(
        other_key.sign_full_block(hash, &bytes).await,
        "did not sign with key",
    );
    let signer = NodeWalletSigner::new(node.clone(), &keys.rules, keys.wallet.public_key());
    let wrong = BlockHash::from_bytes([1; 32]);
    refused(signer.sign_full_block(wrong, &bytes).await, "hash is");
    refused(signer.sign_full_block(hash, b"rubbish").await, "");
    refused(signer.sign_block(hash).await, "whole blocks");
}

#[tokio::test]
async fn a_devnet_wallet_signs_in_every_dialect() {
    for dialect in Dialect::ALL {
        let keys = keys(dialect);
        let config = DevNodeConfig::new(dialect, keys.rules.script().clone())
            .with_max_signature_size(keys.rules.max_signature_size());
        let node = DevNode::spawn(config).await.expect("a node");
        let (user, password) = node.rpc_credentials();
        let reach = NodeConfig::new(node.rpc_url()).with_auth(Auth::basic(user, password));
        let client = NodeClient::new(reach).expect("a client");
        makes_blocks(&client, &keys).await;
        node.stop().await;
    }
}

#[tokio::test]
async fn a_node_that_is_down_is_unavailable() {
    let keys = keys(Dialect::Elements);
    let config = DevNodeConfig::new(Dialect::Elements, keys.rules.script().clone())
        .with_max_signature_size(keys.rules.max_signature_size());
    let node = DevNode::spawn(config).await.expect("a node");
    let (user, password) = node.rpc_credentials();
    let reach = NodeConfig::new(node.rpc_url()).with_auth(Auth::basic(user, password));
    let client = NodeClient::new(reach).expect("a client");
    let bytes = client.new_block().await.expect("a template");
    let hash = Block::decode(Dialect::Elements, bytes.clone())
        .expect("a block")
        .block_hash();
    let signer = NodeWalletSigner::new(client, &keys.rules, keys.wallet.public_key());
    node.stop().await;
    let result = signer.sign_full_block(hash, &bytes).await;
    assert!(
        matches!(result, Err(SignerError::Unavailable(_))),
        "{result:?}"
    );
}

async fn real(program: &str, dialect: Dialect, chain: &str) {
    let program = PathBuf::from(std::env::var_os(program).expect("the node's program"));
    let keys = keys(dialect);
    let folder = tempfile::tempdir().expect("a folder");
    let port = || free_port().expect("a port");
    let process = NodeProcess::spawn(&NodeLaunch {
        program,
        dialect,
        chain: chain.to_owned(),
        script: keys.rules.script().to_hex(),
        max_block_signature_size: keys.rules.max_signature_size(),
        initial_free_coins: 2_100_000_000_000_000,
        datadir: folder.path().to_owned(),
        rpc_port: port(),
        p2p_port: port(),
        peers: Vec::new(),
        extra: Vec::new(),
    })
    .await
    .expect("the node starts");
    let client = process.client();
    client.ensure_wallet("signer").await.expect("a wallet");
    let client = match dialect {
        Dialect::Ocean => client.clone(),
        Dialect::Elements | Dialect::Dynafed => client.wallet("signer").expect("its URL"),
    };
    makes_blocks(&client, &keys).await;
    let locked = client
        .call::<Value>("encryptwallet", &[json!("pass")])
        .await;
    // Ocean exits after this.
    if locked.is_ok() && dialect != Dialect::Ocean {
        let signer = NodeWalletSigner::new(client.clone(), &keys.rules, keys.wallet.public_key());
        assert_eq!(signer.check_wallet().await, Err(WalletFault::Locked));
        let unlock = [json!("pass"), json!(600)];
        client
            .call::<Value>("walletpassphrase", &unlock)
            .await
            .expect("unlocked");
        let until = signer.check_wallet().await.expect("able to sign");
        assert!(until.is_some_and(|until| until > 0), "{until:?}");
        other_wallets(process.client(), &keys).await;
    }
    process.stop().await;
}

/// Wallets that cannot sign blocks, each with its fault.
async fn other_wallets(node: &NodeClient, keys: &Keys) {
    let key = keys.wallet.public_key();
    let check = async |name: &str| {
        let client = node.wallet(name).expect("its URL");
        NodeWalletSigner::new(client, &keys.rules, key)
            .check_wallet()
            .await
    };
    let make = async |name: &str, private: bool, descriptors: bool| {
        let params = [
            json!(name),
            json!(!private),
            json!(false),
            json!(""),
            json!(false),
            json!(descriptors),
        ];
        node.call::<Value>("createwallet", &params)
            .await
            .expect("a wallet");
    };
    make("new", true, true).await;
    assert_eq!(check("new").await, Err(WalletFault::Descriptors));
    make("blind", false, false).await;
    assert_eq!(check("blind").await, Err(WalletFault::NoSecretKeys));
    make("watching", true, false).await;
    let client = node.wallet("watching").expect("its URL");
    client
        .call::<Value>("importpubkey", &[json!(key.to_string())])
        .await
        .expect("imported");
    assert_eq!(
        check("watching").await,
        Err(WalletFault::OnlyWatched(Box::new(key)))
    );
    let missing = check("none").await;
    let Err(WalletFault::Node(error)) = &missing else {
        panic!("{missing:?}");
    };
    assert_eq!(error.code(), Some(RpcError::WALLET_NOT_FOUND));
    let unnamed = NodeWalletSigner::new(node.clone(), &keys.rules, key);
    assert!(matches!(
        unnamed.check_wallet().await,
        Err(WalletFault::Node(RpcError::Node { code: -19, .. }))
    ));
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn an_elements_wallet_signs() {
    real("ELEMENTSD", Dialect::Elements, "signtest").await;
    real("ELEMENTSD", Dialect::Dynafed, "signtest").await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn an_ocean_wallet_signs() {
    real("OCEAND", Dialect::Ocean, "ocean_test").await;
}
