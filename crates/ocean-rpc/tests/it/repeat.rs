//! Calls that are retried, and calls that are not.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use federation_chain::{BlockHash, BlockHeight};
use federation_ocean_rpc::{
    Amount, Node, NodeClient, NodeConfig, Repeat, RpcError, process::HeldPort,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    client,
    server::{Act, Scripted, failure, result},
};

/// Counts how often a call is sent to a node that is busy once and then refuses.
async fn attempts<T>(call: impl AsyncFn(NodeClient) -> Result<T, RpcError>) -> usize {
    let server = Scripted::list(vec![
        Act::Answer(503, String::new()),
        failure(500, -1, "refused"),
    ])
    .await;
    let error = call(client(&server))
        .await
        .map(|_| ())
        .expect_err("refused");
    match server.count() {
        1 => assert_eq!(error, RpcError::Busy),
        _ => assert_eq!(error.code(), Some(-1)),
    }
    server.count()
}

#[tokio::test]
async fn reads_are_retried_and_so_are_tests_and_submissions_of_blocks() {
    let zero = BlockHash::from_bytes([0; 32]);
    let counts = [
        attempts(async |node| node.block_count().await).await,
        attempts(async |node| node.best_block_hash().await).await,
        attempts(async |node| node.block_hash(BlockHeight::GENESIS).await).await,
        attempts(async |node| node.header_info(zero).await).await,
        attempts(async |node| node.header(zero).await).await,
        attempts(async |node| node.block(zero).await).await,
        attempts(async |node| node.new_block().await).await,
        attempts(async |node| node.test_proposed_block(&[1]).await).await,
        attempts(async |node| node.submit_block(&[1]).await).await,
        attempts(async |node| node.blockchain_info().await).await,
        attempts(async |node| node.network_info().await).await,
        attempts(async |node| node.genesis_hash().await).await,
        attempts(async |node| node.sidechain_info().await).await,
        attempts(async |node| node.mempool_info().await).await,
        attempts(async |node| node.raw_mempool().await).await,
        attempts(async |node| node.raw_transaction("00").await).await,
        attempts(async |node| node.transaction_info("00").await).await,
        attempts(async |node| node.decode_raw_transaction(&[1]).await).await,
        attempts(async |node| node.uptime().await).await,
        attempts(async |node| node.wallets().await).await,
        attempts(async |node| node.balances().await).await,
        attempts(async |node| node.call_with::<Value>("x", &[], Repeat::Safe).await).await,
        attempts(async |node| node.call_raw("x", &[], Repeat::Safe).await).await,
    ];
    assert_eq!(counts, [2; 23]);
}

#[tokio::test]
async fn calls_that_send_or_create_something_are_not_retried() {
    let some = Amount::from_sat(1);
    let counts = [
        attempts(async |node| node.send_raw_transaction(&[1]).await).await,
        attempts(async |node| node.send_asset("a", some, "b").await).await,
        attempts(async |node| node.issue_asset(some, some).await).await,
        attempts(async |node| node.reissue_asset("b", some).await).await,
        attempts(async |node| node.new_address().await).await,
        attempts(async |node| node.load_wallet("w").await).await,
        attempts(async |node| node.create_wallet("w").await).await,
        attempts(async |node| node.add_node("127.0.0.1:1").await).await,
        attempts(async |node| node.stop().await).await,
        attempts(async |node| node.call::<Value>("x", &[]).await).await,
        attempts(async |node| node.call_with::<Value>("x", &[], Repeat::Never).await).await,
    ];
    assert_eq!(counts, [1; 11]);
}

#[tokio::test]
async fn transient_faults_are_retried_and_permanent_ones_are_not() {
    let transient = || {
        vec![
            failure(500, -28, "Verifying blocks..."),
            Act::Answer(503, String::new()),
            Act::Truncate,
        ]
    };
    let server = Scripted::list(transient()).await;
    let begun = Instant::now();
    assert_eq!(client(&server).block_count().await, Ok(BlockHeight::new(7)));
    assert_eq!(server.count(), 4);
    let least = Duration::from_millis(5 + 10 + 20);
    assert!(begun.elapsed() >= least, "the pause doubles");

    let slow = Act::Late(Duration::from_secs(2));
    let server = Scripted::list(vec![slow, Act::HangUp, Act::Noise]).await;
    assert_eq!(client(&server).block_count().await, Ok(BlockHeight::new(7)));
    assert_eq!(server.count(), 4);

    let server = Scripted::new(|_| Act::Answer(503, String::new())).await;
    assert_eq!(client(&server).block_count().await, Err(RpcError::Busy));
    assert_eq!(server.count(), 4, "the retries are used up");

    for act in [
        failure(500, -25, "refused"),
        Act::Answer(401, String::new()),
        Act::Answer(403, String::new()),
        Act::Answer(302, String::new()),
        Act::Answer(200, "<html>".to_owned()),
        result("\"text\""),
    ] {
        let server = Scripted::list(vec![act]).await;
        assert!(client(&server).block_count().await.is_err());
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn a_node_that_is_down_refuses_connections_and_is_found_again() {
    let held = HeldPort::any().expect("a port");
    let address = SocketAddr::from(([127, 0, 0, 1], held.port()));
    let url = format!("http://{address}");
    let config = NodeConfig::new(&url).with_retries(0, Duration::ZERO);
    let node = NodeClient::new(config).expect("a client");
    assert_eq!(
        node.block_count().await,
        Err(RpcError::ConnectionRefused(url.clone()))
    );

    let patient = NodeClient::new(NodeConfig::new(&url).with_retries(6, Duration::from_millis(20)))
        .expect("a client");
    let waiting = tokio::spawn(async move { patient.block_count().await });
    tokio::time::sleep(Duration::from_millis(60)).await;
    let listener = TcpListener::bind(address).await.expect("the port again");
    let _server = Scripted::on(listener, |_| result("7"));
    assert_eq!(waiting.await.expect("no panic"), Ok(BlockHeight::new(7)));
    assert_eq!(node.block_count().await, Ok(BlockHeight::new(7)));
}

#[tokio::test]
async fn no_connection_is_left_open_for_a_stopping_node_to_wait_for() {
    let server = Scripted::list(vec![]).await;
    let node = client(&server);
    for _ in 0..3 {
        assert_eq!(node.block_count().await, Ok(BlockHeight::new(7)));
    }
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.close));
    let connections: Vec<usize> = requests.iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1, 2]);
}

#[tokio::test]
async fn a_retried_call_has_the_same_parameters_and_another_id() {
    let server = Scripted::list(vec![Act::Answer(503, String::new()), result("null")]).await;
    assert_eq!(
        client(&server).test_proposed_block(&[0xab, 0xcd]).await,
        Ok(())
    );
    let requests = server.requests();
    assert_eq!(requests[0].body["params"], serde_json::json!(["abcd"]));
    assert_eq!(requests[0].body["params"], requests[1].body["params"]);
    assert_ne!(requests[0].body["id"], requests[1].body["id"]);
}
