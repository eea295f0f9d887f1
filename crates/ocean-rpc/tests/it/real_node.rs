//! The client against the real nodes named by `ELEMENTSD` and `OCEAND`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use federation_chain::{Block, BlockHash, BlockHeight, Dialect, Header, SigningRules};
use federation_multisig::{
    KeyOrder, MultisigScript, SolutionForm, Threshold, required_block_signature_size,
};
use federation_ocean_rpc::{
    Allowed, Amount, Auth, Method, Node, NodeClient, NodeConfig, RpcError, SubmitOutcome, contract,
    process::{LaunchError, NodeLaunch, NodeProcess, free_port},
};
use secp256k1::{Message, SECP256K1, SecretKey};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A 2-of-3 chain on one node.
#[derive(Clone)]
struct Chain {
    rules: SigningRules,
    keys: Vec<SecretKey>,
    launch: NodeLaunch,
    _folder: Arc<TempDir>,
}

impl Chain {
    fn new(dialect: Dialect) -> Self {
        let (variable, name) = match dialect {
            Dialect::Ocean => ("OCEAND", "ocean_test"),
            Dialect::Elements | Dialect::Dynafed => ("ELEMENTSD", "clienttest"),
        };
        let program = std::env::var_os(variable)
            .map(PathBuf::from)
            .unwrap_or_else(|| panic!("{variable} must be the path of the node's executable"));
        let keys: Vec<SecretKey> = (1..=3)
            .map(|byte| SecretKey::from_slice(&[byte; 32]).expect("a key"))
            .collect();
        let public = keys.iter().map(|key| key.public_key(SECP256K1)).collect();
        let threshold = Threshold::new(2).expect("a threshold");
        let script = MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script");
        let form = match dialect {
            Dialect::Dynafed => SolutionForm::Witness,
            Dialect::Ocean | Dialect::Elements => SolutionForm::Legacy,
        };
        let size = required_block_signature_size(2, 3, form);
        let folder = tempfile::tempdir().expect("a folder");
        let launch = NodeLaunch {
            program,
            dialect,
            chain: name.to_owned(),
            script: script.to_hex(),
            max_block_signature_size: size,
            initial_free_coins: 2_100_000_000_000_000,
            datadir: folder.path().to_owned(),
            rpc_port: free_port().expect("a port"),
            p2p_port: free_port().expect("a port"),
            peers: Vec::new(),
            extra: Vec::new(),
        };
        Self {
            rules: SigningRules::new(dialect, script, size).expect("rules"),
            keys,
            launch,
            _folder: Arc::new(folder),
        }
    }

    async fn start(&self) -> NodeProcess {
        NodeProcess::spawn(&self.launch).await.expect("a node")
    }

    /// A client that has to determine the dialect itself, without retries.
    fn client(&self) -> NodeClient {
        let config = NodeConfig::new(format!("http://127.0.0.1:{}", self.launch.rpc_port))
            .with_auth(Auth::Cookie(self.launch.cookie()))
            .with_retries(0, Duration::ZERO);
        NodeClient::new(config).expect("a client")
    }

    fn sign(&self, unsigned: &Bytes) -> Block {
        let block = Block::decode(self.rules.dialect(), unsigned.clone()).expect("a block");
        let message = Message::from_digest(block.block_hash().to_bytes());
        let signatures: BTreeMap<_, _> = self.keys[1..]
            .iter()
            .enumerate()
            .map(|(at, key)| (at + 1, SECP256K1.sign_ecdsa(&message, key)))
            .collect();
        self.rules.assemble(&block, &signatures).expect("complete")
    }

    /// Makes one block and returns its hash.
    async fn make_block(&self, node: &NodeClient) -> BlockHash {
        let block = self.sign(&node.new_block().await.expect("a block"));
        assert_eq!(
            node.submit_block(block.as_bytes()).await,
            Ok(SubmitOutcome::Accepted)
        );
        block.block_hash()
    }
}

/// The whole life of a chain through the typed calls.
async fn blocks_are_made(dialect: Dialect) {
    let chain = Chain::new(dialect);
    let process = chain.start().await;
    let node = chain.client();
    assert_eq!(node.dialect().await, Ok(dialect));

    let genesis = node.genesis_hash().await.expect("an answer");
    let info = node.blockchain_info().await.expect("an answer");
    assert_eq!(
        (info.blocks, info.best_block_hash),
        (BlockHeight::GENESIS, genesis)
    );
    let header = node.header(genesis).await.expect("an answer");
    let header = Header::decode(dialect, &header).expect("a header");
    assert_eq!(header.block_hash(), genesis);
    let block = node.block(genesis).await.expect("an answer");
    let block = Block::decode(dialect, block).expect("a block");
    assert_eq!(block.block_hash(), genesis);
    assert_eq!(
        block.compute_merkle_root(),
        Ok(block.header().merkle_root())
    );
    assert_eq!(node.network_info().await.expect("an answer").connections, 0);
    if dialect == Dialect::Ocean {
        assert_eq!(
            node.uptime().await.expect_err("unknown").code(),
            Some(RpcError::METHOD_NOT_FOUND)
        );
    } else {
        assert!(node.uptime().await.expect("an answer") < Duration::from_secs(60));
        node.sidechain_info().await.expect("an answer");
        let script = info.current_signblock_hex.expect("a script");
        assert_eq!(
            script,
            chain
                .rules
                .signing_script()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        );
        assert_eq!(
            info.max_block_witness,
            Some(chain.launch.max_block_signature_size)
        );
    }

    let mut tip = genesis;
    for height in (1..=3).map(BlockHeight::new) {
        let unsigned = node.new_block().await.expect("a block");
        assert_eq!(node.test_proposed_block(&unsigned).await, Ok(()));
        assert_eq!(
            node.submit_block(&unsigned).await,
            Ok(SubmitOutcome::Rejected("block-proof-invalid".to_owned()))
        );
        let block = chain.sign(&unsigned);
        let outcomes = [
            node.submit_block(block.as_bytes()).await,
            node.submit_block(block.as_bytes()).await,
        ];
        assert_eq!(
            outcomes,
            [Ok(SubmitOutcome::Accepted), Ok(SubmitOutcome::Duplicate)]
        );
        assert_eq!(node.block_count().await, Ok(height));
        assert_eq!(node.best_block_hash().await, Ok(block.block_hash()));
        assert_eq!(node.block_hash(height).await, Ok(block.block_hash()));
        assert_eq!(
            node.block(block.block_hash()).await.as_ref(),
            Ok(block.as_bytes())
        );
        let info = node
            .header_info(block.block_hash())
            .await
            .expect("an answer");
        assert_eq!(
            (info.height, info.previous, info.confirmations),
            (height, Some(tip), 1)
        );
        tip = block.block_hash();
        // It no longer extends the best block; Elements recognises it as the best block.
        let past = node
            .test_proposed_block(&unsigned)
            .await
            .expect_err("in the chain");
        let code = match dialect {
            Dialect::Ocean => RpcError::VERIFY_ERROR,
            Dialect::Elements | Dialect::Dynafed => RpcError::VERIFY_ALREADY_IN_CHAIN,
        };
        assert_eq!(past.code(), Some(code));
    }
    assert_eq!(
        node.block_hash(BlockHeight::new(4))
            .await
            .expect_err("none")
            .code(),
        Some(-8)
    );
    // The size of a block of 4 MB, which is 8 MB of hex.
    let junk = vec![0x5a; 4_000_000];
    assert_eq!(
        node.test_proposed_block(&junk)
            .await
            .expect_err("junk")
            .code(),
        Some(RpcError::DESERIALIZATION_ERROR)
    );
    process.stop().await;
    assert!(matches!(
        node.block_count().await,
        Err(RpcError::ConnectionRefused(_) | RpcError::Cookie { .. })
    ));
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn blocks_are_made_on_elements() {
    blocks_are_made(Dialect::Elements).await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn blocks_are_made_on_elements_with_dynafed() {
    blocks_are_made(Dialect::Dynafed).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn blocks_are_made_on_ocean() {
    blocks_are_made(Dialect::Ocean).await;
}

/// The contract of nodes, on a chain of its own.
async fn the_contract_holds(dialect: Dialect) {
    let chain = Chain::new(dialect);
    let process = chain.start().await;
    contract::node(&chain.client(), dialect, |unsigned| {
        chain.sign(unsigned.as_bytes())
    })
    .await;
    process.stop().await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn elements_fulfils_the_contract() {
    the_contract_holds(Dialect::Elements).await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn elements_with_dynafed_fulfils_the_contract() {
    the_contract_holds(Dialect::Dynafed).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn ocean_fulfils_the_contract() {
    the_contract_holds(Dialect::Ocean).await;
}

/// Wallet, issuance, transfer and reissuance through the typed calls.
async fn assets_are_issued_and_moved(dialect: Dialect) {
    const COIN: u64 = 100_000_000;
    let chain = Chain::new(dialect);
    let process = chain.start().await;
    let node = process.client();
    node.ensure_wallet("w").await.expect("a wallet");
    node.ensure_wallet("w").await.expect("the same wallet");
    chain.make_block(node).await;

    let issued = node
        .issue_asset(Amount::from_sat(1000 * COIN + 1), Amount::from_sat(COIN))
        .await
        .expect("an asset");
    assert_eq!(
        node.raw_mempool().await.as_deref(),
        Ok([issued.txid.clone()].as_slice())
    );
    assert_eq!(node.mempool_info().await.expect("an answer").size, 1);
    let waiting = node.transaction_info(&issued.txid).await.expect("known");
    assert_eq!((waiting.block_hash, waiting.confirmations), (None, 0));
    let hash = chain.make_block(node).await;
    let confirmed = node.transaction_info(&issued.txid).await.expect("known");
    assert_eq!(
        (confirmed.block_hash, confirmed.confirmations),
        (Some(hash), 1)
    );
    let balance = async || {
        let balances = node.balances().await.expect("balances");
        balances.get(&issued.asset).copied().unwrap_or_default()
    };
    assert_eq!(balance().await, Amount::from_sat(1000 * COIN + 1));

    let bytes = node.raw_transaction(&issued.txid).await.expect("known");
    let decoded = node.decode_raw_transaction(&bytes).await.expect("decoded");
    assert_eq!(decoded["txid"], json!(issued.txid));
    let again = node.send_raw_transaction(&bytes).await;
    assert!(matches!(again, Err(RpcError::Node { .. })), "{again:?}");

    let address = node.new_address().await.expect("an address");
    let sent = node
        .send_asset(&address, Amount::from_sat(COIN / 2), &issued.asset)
        .await
        .expect("sent");
    assert_eq!(node.raw_mempool().await.as_deref(), Ok([sent].as_slice()));
    chain.make_block(node).await;
    let reissued = node
        .reissue_asset(&issued.asset, Amount::from_sat(50 * COIN))
        .await
        .expect("a reissuance");
    assert_eq!(
        node.raw_mempool().await.as_deref(),
        Ok([reissued.txid].as_slice())
    );
    chain.make_block(node).await;
    let left = balance().await;
    match dialect {
        // On Ocean the fee of a transfer is paid in the asset transferred.
        Dialect::Ocean => assert!(
            (1049 * COIN..1050 * COIN).contains(&left.to_sat()),
            "{left}"
        ),
        Dialect::Elements | Dialect::Dynafed => {
            assert_eq!(left, Amount::from_sat(1050 * COIN + 1));
        }
    }
    process.stop().await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn assets_are_issued_and_moved_on_elements() {
    assets_are_issued_and_moved(Dialect::Elements).await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn assets_are_issued_and_moved_on_elements_with_dynafed() {
    assets_are_issued_and_moved(Dialect::Dynafed).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn assets_are_issued_and_moved_on_ocean() {
    assets_are_issued_and_moved(Dialect::Ocean).await;
}

/// A client survives its node's restarts, each with a new cookie.
async fn restarts_are_survived(dialect: Dialect) {
    let chain = Chain::new(dialect);
    let process = chain.start().await;
    let node = chain.client();
    node.ensure_wallet("w").await.expect("a wallet");
    let hash = chain.make_block(&node).await;
    let cookie = std::fs::read(chain.launch.cookie()).expect("a cookie");
    let begun = Instant::now();
    process.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "it waits for no connection"
    );

    // While the node starts, every fault is transient.
    let asking = tokio::spawn({
        let (old, chain) = (node.clone(), chain.clone());
        async move {
            let mut seen = 0;
            loop {
                // With the previous cookie, and with the current one.
                let (old, new) = (old.block_count().await, chain.client().block_count().await);
                if let (Ok(old), Ok(new)) = (&old, &new) {
                    return (*old, *new, seen);
                }
                for error in [old, new].into_iter().filter_map(Result::err) {
                    assert!(
                        error.is_transient() || error == RpcError::Unauthorized,
                        "{error}"
                    );
                    seen += 1;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let process = chain.start().await;
    let (old, new, seen) = asking.await.expect("no panic");
    let height = BlockHeight::new(1);
    assert_eq!((old, new), (height, height));
    assert!(seen > 0, "the node must be unavailable at first");
    let renewed = std::fs::read(chain.launch.cookie()).expect("a cookie");
    assert_ne!(cookie, renewed);
    if dialect != Dialect::Ocean {
        assert_eq!(node.wallets().await, Ok(vec![]), "no wallet is loaded now");
        node.ensure_wallet("w")
            .await
            .expect("the wallet is on disk");
        assert_eq!(node.wallets().await, Ok(vec!["w".to_owned()]));
    }
    assert_eq!(node.best_block_hash().await, Ok(hash));
    process.kill().await;
    assert!(matches!(
        node.block_count().await,
        Err(RpcError::ConnectionRefused(_))
    ));
    let process = chain.start().await;
    assert!(node.block_count().await.is_ok());
    process.stop().await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn restarts_are_survived_on_elements() {
    restarts_are_survived(Dialect::Dynafed).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn restarts_are_survived_on_ocean() {
    restarts_are_survived(Dialect::Ocean).await;
}

/// HTTP errors of credentials, and unknown methods.
async fn faults_are_distinguished(dialect: Dialect) {
    let chain = Chain::new(dialect);
    let process = chain.start().await;
    let node = chain.client();
    let url = node.url();
    let stranger = NodeConfig::new(&url).with_auth(Auth::basic("user", "wrong"));
    let stranger = NodeClient::new(stranger).expect("a client");
    assert_eq!(stranger.block_count().await, Err(RpcError::Unauthorized));
    let nobody = NodeClient::new(NodeConfig::new(&url)).expect("a client");
    assert_eq!(nobody.block_count().await, Err(RpcError::Unauthorized));
    let unknown = node.call::<Value>("nosuchmethod", &[]).await;
    assert_eq!(
        unknown.expect_err("unknown").code(),
        Some(RpcError::METHOD_NOT_FOUND)
    );
    let help = node.call::<Value>("getblockhash", &[]).await;
    assert_eq!(help.expect_err("a help text").code(), Some(-1));
    let nowhere = node.wallet("none").expect("a url").balances().await;
    match dialect {
        Dialect::Ocean => assert_eq!(nowhere, Err(RpcError::NotJson { status: 404 })),
        Dialect::Elements | Dialect::Dynafed => assert_eq!(
            nowhere.expect_err("no wallet").code(),
            Some(RpcError::WALLET_NOT_FOUND)
        ),
    }
    assert_eq!(node.add_node("127.0.0.1:1").await, Ok(()));
    let again = node.add_node("127.0.0.1:1").await;
    assert_eq!(again.expect_err("known").code(), Some(-23));
    let peers = NodeClient::new(
        NodeConfig::new(format!("http://127.0.0.1:{}", chain.launch.p2p_port))
            .with_timeout(Duration::from_secs(2))
            .with_retries(0, Duration::ZERO),
    );
    let wrong_port = peers.expect("a client").block_count().await;
    assert!(matches!(
        wrong_port,
        Err(RpcError::Connection { .. } | RpcError::Timeout(_))
    ));
    process.stop().await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn faults_are_distinguished_on_elements() {
    faults_are_distinguished(Dialect::Dynafed).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn faults_are_distinguished_on_ocean() {
    faults_are_distinguished(Dialect::Ocean).await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn a_method_that_is_not_on_the_users_whitelist_is_forbidden() {
    let mut chain = Chain::new(Dialect::Dynafed);
    chain.launch.extra = vec![
        // The password is `password`.
        "-rpcauth=user:5a17$f06dc3a16d1ba7daa182d73450e8868e355ad6be1a12308eabfe8fe2d1243516"
            .to_owned(),
        "-rpcwhitelist=user:getblockcount".to_owned(),
        "-rpcwhitelistdefault=0".to_owned(),
    ];
    let process = chain.start().await;
    let url = process.client().url();
    let config = NodeConfig::new(url).with_auth(Auth::basic("user", "password"));
    let user = NodeClient::new(config).expect("a client");
    assert_eq!(user.block_count().await, Ok(BlockHeight::GENESIS));
    let method = "getbestblockhash".to_owned();
    assert_eq!(
        user.best_block_hash().await,
        Err(RpcError::Forbidden { method })
    );
    for &method in Method::ALL {
        let expected = match method {
            Method::GetBlockCount => Allowed::Yes,
            _ => Allowed::No,
        };
        assert_eq!(user.may_call(method).await, Ok(expected), "{method}");
    }
    process.stop().await;
}

/// Tries every method that an operator calls, and checks that nothing has changed.
async fn every_method_is_tried_without_effect(dialect: Dialect) {
    let chain = Chain::new(dialect);
    let process = chain.start().await;
    let node = chain.client();
    let node = if dialect == Dialect::Ocean {
        node
    } else {
        node.ensure_wallet("w").await.expect("a wallet");
        node.wallet("w").expect("a url")
    };
    let info = node.blockchain_info().await.expect("an answer");
    for &method in Method::ALL {
        let expected = match method {
            Method::GetDeploymentInfo | Method::GetAddressInfo if dialect == Dialect::Ocean => {
                Allowed::Unknown
            }
            _ => Allowed::Yes,
        };
        assert_eq!(node.may_call(method).await, Ok(expected), "{method}");
    }
    assert_eq!(node.blockchain_info().await, Ok(info));
    assert_eq!(node.mempool_info().await.expect("an answer").size, 0);
    process.stop().await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn every_method_is_tried_without_effect_on_elements() {
    every_method_is_tried_without_effect(Dialect::Elements).await;
    every_method_is_tried_without_effect(Dialect::Dynafed).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn every_method_is_tried_without_effect_on_ocean() {
    every_method_is_tried_without_effect(Dialect::Ocean).await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn calls_are_retried_while_the_work_queue_is_full() {
    let mut chain = Chain::new(Dialect::Dynafed);
    chain.launch.extra = vec!["-rpcthreads=1".to_owned(), "-rpcworkqueue=1".to_owned()];
    let process = chain.start().await;
    let junk = Bytes::from(vec![0x5a; 1_000_000]);
    let ask = |node: NodeClient| {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (node, junk) = (node.clone(), junk.clone());
                tokio::spawn(async move { node.test_proposed_block(&junk).await })
            })
            .collect();
        async move {
            let mut codes = Vec::new();
            for call in calls {
                codes.push(call.await.expect("no panic").expect_err("junk"));
            }
            codes
        }
    };
    let errors = ask(chain.client()).await;
    assert!(errors.contains(&RpcError::Busy), "{errors:?}");
    for error in ask(process.client().clone()).await {
        assert_eq!(error.code(), Some(RpcError::DESERIALIZATION_ERROR));
    }
    process.stop().await;
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn the_error_for_a_node_that_does_not_start_contains_its_output() {
    let mut chain = Chain::new(Dialect::Dynafed);
    chain.launch.extra = vec!["-evbparams=nonsense".to_owned()];
    let error = NodeProcess::spawn(&chain.launch)
        .await
        .expect_err("no node");
    assert!(
        matches!(&error, LaunchError::Ended { output, .. } if output.contains("malformed")),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn nodes_find_their_peers_and_relay_blocks() {
    let mut chain = Chain::new(Dialect::Dynafed);
    let first = chain.start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let peer = chain.launch.p2p_port;
    chain.launch = NodeLaunch {
        datadir: folder.path().to_owned(),
        rpc_port: free_port().expect("a port"),
        p2p_port: free_port().expect("a port"),
        peers: vec![peer],
        ..chain.launch
    };
    let second = chain.start().await;
    let hash = chain.make_block(first.client()).await;
    let seen = async {
        while second.client().best_block_hash().await != Ok(hash) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen)
        .await
        .expect("the block arrives");
    let network = second.client().network_info().await.expect("an answer");
    assert_eq!(network.connections, 1);
    assert!(Path::new(&chain.launch.cookie()).exists());
    second.stop().await;
    first.stop().await;
}
