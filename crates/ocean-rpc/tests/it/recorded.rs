//! The client against recorded responses of real nodes, byte for byte except for the id.

use std::sync::Mutex;

use federation_chain::{BlockHash, BlockHeight, Dialect};
use federation_ocean_rpc::{Amount, Node, NodeClient, NodeConfig, Repeat, RpcError, SubmitOutcome};
use hex_conservative::{DisplayHex, FromHex};
use serde_json::{Value, json};

use crate::{
    server::{Act, Scripted},
    vectors,
};

const CHAINS: [(&str, Dialect); 3] = [
    ("elements-dynafed", Dialect::Dynafed),
    ("elements-legacy", Dialect::Elements),
    ("ocean", Dialect::Ocean),
];

/// A recorded response, for a request with another id. The id is the last member.
fn replay(status: &Value, body: &Value) -> Act {
    let body = body.as_str().expect("a body");
    let body = match body.rsplit_once(r#""id":"#) {
        Some((before, _)) => format!("{before}\"id\":ID}}\n"),
        None => body.to_owned(),
    };
    let status = u16::try_from(status.as_u64().expect("a status")).expect("a small number");
    Act::Answer(status, body)
}

/// A server that answers each call as the recorded node did, in the recorded order.
async fn recorded(json: &Value) -> Scripted {
    let calls = Mutex::new(json["transcript"].as_array().expect("calls").clone());
    Scripted::new(move |request| {
        let mut calls = calls.lock().expect("not poisoned");
        let same = |call: &Value| {
            call["method"] == request.body["method"] && call["params"] == request.body["params"]
        };
        let Some(at) = calls.iter().position(same) else {
            let call = request.body.to_string();
            panic!("this was not recorded: {}", &call[..call.len().min(200)]);
        };
        let call = calls[at].clone();
        // The last recorded response to a call is repeated.
        if calls.iter().skip(at + 1).any(same) {
            calls.remove(at);
        }
        replay(&call["http_status"], &call["body"])
    })
    .await
}

fn client_of(server: &Scripted) -> NodeClient {
    let config = NodeConfig::new(&server.url).with_retries(0, std::time::Duration::ZERO);
    NodeClient::new(config).expect("a client")
}

fn hash(value: &Value) -> BlockHash {
    value.as_str().expect("text").parse().expect("a hash")
}

fn bytes(value: &Value) -> Vec<u8> {
    Vec::from_hex(value.as_str().expect("text")).expect("hex")
}

#[tokio::test]
async fn every_recorded_result_is_returned_unchanged() {
    for (name, _) in CHAINS {
        let json = vectors(name);
        let server = recorded(&json).await;
        let node = client_of(&server);
        for call in json["transcript"].as_array().expect("calls") {
            let method = call["method"].as_str().expect("a method");
            let params = call["params"].as_array().expect("parameters");
            let answer = node.call_raw(method, params, Repeat::Never).await;
            let body = call["body"].as_str().expect("a body");
            let expected: Value = serde_json::from_str(body).expect("json");
            if expected["error"].is_null() {
                let answer = answer.expect("a result");
                let start = body.find(r#""result":"#).expect("a result") + 9;
                assert_eq!(
                    answer.get(),
                    &body[start..start + answer.get().len()],
                    "{name} {method}"
                );
                let answer: Value = serde_json::from_str(answer.get()).expect("json");
                assert_eq!(answer, expected["result"], "{name} {method}");
            } else {
                assert_eq!(
                    answer.expect_err("an error"),
                    RpcError::Node {
                        code: serde_json::from_value(expected["error"]["code"].clone())
                            .expect("a code"),
                        message: expected["error"]["message"]
                            .as_str()
                            .expect("a message")
                            .to_owned(),
                    },
                    "{name} {method}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_dialect_is_asked_for_once_or_set_without_asking() {
    for (name, dialect) in CHAINS {
        let server = recorded(&vectors(name)).await;
        let node = client_of(&server);
        assert_eq!(node.dialect().await, Ok(dialect));
        let count = server.count();
        assert_eq!(node.clone().dialect().await, Ok(dialect));
        assert_eq!(
            node.wallet("w").expect("a url").dialect().await,
            Ok(dialect)
        );
        assert_eq!(server.count(), count);
        let set = NodeClient::new(NodeConfig::new(&server.url).with_dialect(Dialect::Ocean));
        assert_eq!(set.expect("a client").dialect().await, Ok(Dialect::Ocean));
        assert_eq!(server.count(), count);
    }
}

#[tokio::test]
async fn the_dialect_of_a_chain_with_blocks_follows_from_its_header() {
    for (name, dialect) in CHAINS {
        let json = vectors(name);
        let block = &json["blocks"][0];
        let header = json["transcript"]
            .as_array()
            .expect("calls")
            .iter()
            .find(|call| {
                call["method"] == "getblockheader"
                    && call["params"] == json!([block["hash"], false])
            })
            .expect("recorded")
            .clone();
        let hash = block["hash"].clone();
        let server = Scripted::new(move |request| {
            if request.body["method"] == "getblockheader" {
                return replay(&header["http_status"], &header["body"]);
            }
            let info = json!({
                "chain": "c", "blocks": 1, "headers": 1, "bestblockhash": hash, "mediantime": 1,
            });
            crate::server::result(&info.to_string())
        })
        .await;
        assert_eq!(client_of(&server).dialect().await, Ok(dialect), "{name}");
    }
}

#[tokio::test]
async fn a_chain_without_signed_blocks_has_no_dialect() {
    // The genesis block of Bitcoin's regtest.
    let hash = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
    let header = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b\
                  12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000";
    let server = Scripted::new(move |request| {
        let info = json!({
            "chain": "c", "blocks": 0, "headers": 0, "bestblockhash": hash, "mediantime": 1,
        });
        let answer = match request.body["method"].as_str() {
            Some("getblockheader") => json!(header),
            _ => info,
        };
        crate::server::result(&answer.to_string())
    })
    .await;
    let error = client_of(&server).dialect().await;
    assert!(
        matches!(&error, Err(RpcError::UnknownDialect(reason)) if reason.contains(hash)),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_typed_calls_read_every_recorded_node_at_genesis() {
    for (name, dialect) in CHAINS {
        let json = vectors(name);
        let server = recorded(&json).await;
        let node = client_of(&server);
        let genesis = hash(&json["genesis_hash"]);
        let info = node.blockchain_info().await.expect("an answer");
        assert_eq!(json!(info.chain), json["chain"]);
        assert_eq!(
            (info.blocks, info.headers),
            (BlockHeight::GENESIS, BlockHeight::GENESIS)
        );
        assert_eq!(info.best_block_hash, genesis);
        let elements = dialect != Dialect::Ocean;
        assert_eq!(info.max_block_witness, elements.then_some(412));
        assert_eq!(info.current_signblock_hex.is_some(), elements);
        assert_eq!(
            info.current_params_root.is_some(),
            dialect == Dialect::Dynafed
        );
        assert_eq!(info.initial_block_download, elements);
        let network = node.network_info().await.expect("an answer");
        assert_eq!(network.subversion.contains("Elements"), elements);
        assert_eq!((network.connections, network.time_offset), (0, 0));
        assert_eq!(network.version, if elements { 230_303 } else { 2_010_101 });
        if elements {
            let sidechain = node.sidechain_info().await.expect("an answer");
            assert_eq!(sidechain.fedpegscript, "51");
            assert_eq!(
                sidechain.parent_blockhash.to_string(),
                "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
            );
            assert_eq!(node.create_wallet("w").await, Ok(()));
        }
        let mempool = node.mempool_info().await.expect("an answer");
        assert_eq!((mempool.size, mempool.bytes), (0, 0));
        assert_eq!(node.block_count().await, Ok(BlockHeight::GENESIS));
        assert_eq!(node.best_block_hash().await, Ok(genesis));
        assert_eq!(node.genesis_hash().await, Ok(genesis));
        let block = node.block(genesis).await.expect("an answer");
        assert_eq!(
            json!(block.to_lower_hex_string()),
            json["genesis_block_hex"]
        );
        let header = node.header_info(genesis).await.expect("an answer");
        assert_eq!(
            (header.height, header.previous, header.confirmations),
            (BlockHeight::GENESIS, None, 1)
        );
        assert!(block.starts_with(&node.header(genesis).await.expect("an answer")));
        assert_eq!(node.stop().await, Ok(()));
    }
}

#[tokio::test]
async fn the_typed_calls_submit_every_recorded_block() {
    for (name, _) in CHAINS {
        let json = vectors(name);
        let server = recorded(&json).await;
        let node = client_of(&server);
        node.dialect().await.expect("an answer");
        // The first response is about the genesis block.
        node.best_block_hash().await.expect("an answer");
        for recorded in json["blocks"].as_array().expect("blocks") {
            let first = recorded["height"] == 1;
            let unsigned = node.new_block().await.expect("a block");
            assert_eq!(json!(unsigned.to_lower_hex_string()), recorded["unsigned"]);
            assert_eq!(node.test_proposed_block(&unsigned).await, Ok(()));
            if first {
                assert_eq!(
                    node.submit_block(&unsigned).await,
                    Ok(SubmitOutcome::Rejected("block-proof-invalid".to_owned()))
                );
            }
            let complete = bytes(&recorded["combined"]["hex"]);
            assert_eq!(
                node.submit_block(&complete).await,
                Ok(SubmitOutcome::Accepted)
            );
            let hash = hash(&recorded["hash"]);
            assert_eq!(node.best_block_hash().await, Ok(hash));
            let header = node.header_info(hash).await.expect("an answer");
            assert_eq!((header.hash, header.confirmations), (hash, 1));
            assert!(header.previous.is_some() && header.median_time <= header.time);
            if first {
                assert_eq!(
                    node.submit_block(&complete).await,
                    Ok(SubmitOutcome::Duplicate)
                );
            }
        }
    }
}

#[tokio::test]
async fn the_typed_test_of_a_block_returns_every_recorded_nodes_error() {
    for (name, _) in CHAINS {
        let json = vectors(name);
        let server = recorded(&json).await;
        let node = client_of(&server);
        let mut codes = Vec::new();
        for call in json["transcript"].as_array().expect("calls") {
            if call["method"] == "testproposedblock" && call["http_status"] == 500 {
                let block = bytes(&call["params"][0]);
                let error = node.test_proposed_block(&block).await.expect_err("refused");
                codes.push(error.code());
            }
        }
        assert_eq!(
            codes,
            [
                Some(RpcError::DESERIALIZATION_ERROR),
                Some(RpcError::VERIFY_ERROR)
            ],
            "{name}"
        );
    }
}

#[tokio::test]
async fn recorded_amounts_are_exact() {
    #[derive(serde::Deserialize)]
    struct Spendable {
        amountspendable: Amount,
    }
    let server = recorded(&vectors("ocean")).await;
    let assets: Vec<Spendable> = client_of(&server)
        .call("getutxoassetinfo", &[])
        .await
        .expect("an answer");
    assert!(!assets.is_empty());
    for asset in assets {
        assert_eq!(asset.amountspendable.to_sat(), 2_100_000_000_000_000);
    }
}

#[tokio::test]
async fn the_recorded_http_errors_have_their_own_errors() {
    for (name, _) in CHAINS {
        let errors = vectors(name)["http_errors"].clone();
        let answer = async |key: &str| {
            let recorded = &errors[key];
            let status = recorded["status"].as_u64().expect("a status");
            let body = recorded["body"].as_str().expect("a body").to_owned();
            let status = u16::try_from(status).expect("a small number");
            let server = Scripted::list(vec![Act::Answer(status, body)]).await;
            client_of(&server).call::<Value>("x", &[]).await
        };
        let node = |code, message: &str| {
            Err(RpcError::Node {
                code,
                message: message.to_owned(),
            })
        };
        assert_eq!(answer("bad_auth").await, Err(RpcError::Unauthorized));
        assert_eq!(
            answer("unknown_method").await,
            node(RpcError::METHOD_NOT_FOUND, "Method not found")
        );
        // Its id is null: the node could not read that of the request.
        assert_eq!(answer("malformed").await, node(-32700, "Parse error"));
        assert_eq!(
            answer("jsonrpc2_error").await,
            node(-8, "Block height out of range")
        );
        assert!(matches!(
            answer("batch").await,
            Err(RpcError::NotJson { status: 200 } | RpcError::Unexpected { .. })
        ));
    }
}
