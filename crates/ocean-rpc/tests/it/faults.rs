//! Every fault has its own error, and none is taken for a result.

use std::time::Duration;

use federation_ocean_rpc::{
    Allowed, Method, Node, NodeClient, NodeConfig, RpcError, SubmitOutcome,
};
use serde_json::Value;

use crate::{
    client,
    server::{Act, Scripted, failure, result},
};

async fn error_of(act: Act) -> RpcError {
    let server = Scripted::list(vec![act]).await;
    let answer = client(&server).call::<Value>("x", &[]).await;
    assert_eq!(server.count(), 1);
    answer.expect_err("a fault")
}

#[tokio::test]
async fn a_method_is_tried_without_parameters_and_distinguished_from_a_forbidden_one() {
    let usage = failure(500, -1, "submitblock hexdata");
    for (act, expected) in [
        (Act::Answer(403, String::new()), Ok(Allowed::No)),
        (
            failure(404, -32601, "Method not found"),
            Ok(Allowed::Unknown),
        ),
        (usage, Ok(Allowed::Yes)),
        (result("null"), Ok(Allowed::Yes)),
        (Act::Answer(401, String::new()), Err(RpcError::Unauthorized)),
    ] {
        let server = Scripted::list(vec![act]).await;
        let tried = client(&server).may_call(Method::SubmitBlock).await;
        assert_eq!(tried, expected);
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].body["method"], "submitblock");
        assert_eq!(requests[0].body["params"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn each_fault_has_its_own_error() {
    let text = |status, body: &str| Act::Answer(status, body.to_owned());
    assert_eq!(error_of(text(401, "")).await, RpcError::Unauthorized);
    let method = "x".to_owned();
    assert_eq!(
        error_of(text(403, "")).await,
        RpcError::Forbidden { method }
    );
    assert_eq!(
        error_of(text(503, "Work queue depth exceeded")).await,
        RpcError::Busy
    );
    assert_eq!(
        error_of(failure(500, -28, "Loading block index...")).await,
        RpcError::WarmingUp("Loading block index...".to_owned())
    );
    for status in [200, 404, 500] {
        for body in ["<html>hello</html>", "", "null", r#"{"id":ID}"#] {
            assert_eq!(
                error_of(text(status, body)).await,
                RpcError::NotJson { status }
            );
        }
    }
    assert_eq!(
        error_of(text(302, "<html>")).await,
        RpcError::Http(302),
        "redirects are not followed"
    );
    assert_eq!(
        error_of(Act::Late(Duration::from_secs(2))).await,
        RpcError::Timeout(Duration::from_millis(300))
    );
    for act in [Act::Truncate, Act::HangUp, Act::Noise] {
        assert!(matches!(error_of(act).await, RpcError::Connection { .. }));
    }
    let wrong_id = text(200, r#"{"result":1,"error":null,"id":999}"#);
    assert!(matches!(
        error_of(wrong_id).await,
        RpcError::Unexpected { .. }
    ));
    let odd_error = text(500, r#"{"result":null,"error":"oh","id":ID}"#);
    assert!(matches!(
        error_of(odd_error).await,
        RpcError::Unexpected { .. }
    ));
}

#[tokio::test]
async fn results_of_an_unexpected_type_are_refused_with_the_methods_name() {
    let server = Scripted::new(|_| result(r#"{"a":1}"#)).await;
    let node = client(&server);
    let errors = [
        node.block_count().await.map(|_| ()).expect_err("no height"),
        node.best_block_hash()
            .await
            .map(|_| ())
            .expect_err("no hash"),
        node.new_block().await.map(|_| ()).expect_err("no hex"),
        node.submit_block(&[1])
            .await
            .map(|_| ())
            .expect_err("no reason"),
        node.mempool_info().await.map(|_| ()).expect_err("no info"),
        node.wallets().await.map(|_| ()).expect_err("no list"),
    ];
    let methods = [
        "getblockcount",
        "getbestblockhash",
        "getnewblockhex",
        "submitblock",
        "getmempoolinfo",
        "listwallets",
    ];
    for (error, expected) in errors.into_iter().zip(methods) {
        assert!(
            matches!(&error, RpcError::Unexpected { method, .. } if method == expected),
            "{error}"
        );
    }
    for odd in ["null", "1234", r#""123""#, r#""12zz""#, "-1", "4294967296"] {
        let server = Scripted::new(move |_| result(odd)).await;
        let node = client(&server);
        assert!(node.new_block().await.is_err(), "{odd}");
        if odd != "1234" {
            assert!(node.block_count().await.is_err(), "{odd}");
        }
    }
}

#[tokio::test]
async fn a_response_above_the_limit_is_refused_and_one_below_is_returned() {
    let big = format!("\"{}\"", "ab".repeat(4 * 1024 * 1024));
    let server = Scripted::new(move |_| result(&big)).await;
    let small =
        NodeClient::new(NodeConfig::new(&server.url).with_max_body(1_000_000)).expect("a client");
    assert_eq!(small.new_block().await, Err(RpcError::TooLarge(1_000_000)));
    let large = NodeClient::new(NodeConfig::new(&server.url)).expect("a client");
    assert_eq!(
        large.new_block().await.expect("4 MB").len(),
        4 * 1024 * 1024
    );
}

#[tokio::test]
async fn a_request_above_the_limit_is_not_sent_and_one_below_is_sent_whole() {
    let server = Scripted::new(|request| {
        let hex = request.body["params"][0].as_str().unwrap_or_default();
        result(&format!("\"{} digits\"", hex.len()))
    })
    .await;
    let block = vec![0xab; 4 * 1024 * 1024];
    let small =
        NodeClient::new(NodeConfig::new(&server.url).with_max_body(1_000_000)).expect("a client");
    assert_eq!(
        small.submit_block(&block).await,
        Err(RpcError::TooLarge(1_000_000))
    );
    assert_eq!(server.count(), 0);
    let large = NodeClient::new(NodeConfig::new(&server.url)).expect("a client");
    assert_eq!(
        large.submit_block(&block).await,
        Ok(SubmitOutcome::Rejected("8388608 digits".to_owned()))
    );
}

#[tokio::test]
async fn errors_do_not_keep_megabytes_of_the_nodes_text() {
    let long = "x".repeat(3_000_000);
    let message = match error_of(failure(500, -1, &long)).await {
        RpcError::Node { code: -1, message } => message,
        other => panic!("{other}"),
    };
    assert!(message.len() < 10_000);
    let server = Scripted::new(move |_| result(&format!("\"{long}\""))).await;
    let node = client(&server);
    let outcome = node.submit_block(&[1]).await;
    assert!(matches!(&outcome, Ok(SubmitOutcome::Rejected(reason)) if reason.len() < 10_000));
    let error = node.block_count().await.expect_err("no height");
    assert!(error.to_string().len() < 10_000);
}

#[test]
fn errors_name_a_remedy_in_lower_case_without_a_full_stop() {
    let errors = [
        RpcError::Unauthorized,
        RpcError::Forbidden {
            method: "getblock".to_owned(),
        },
        RpcError::Busy,
        RpcError::WarmingUp("Loading".to_owned()),
        RpcError::ConnectionRefused("http://h:1".to_owned()),
        RpcError::Timeout(Duration::from_secs(1)),
        RpcError::NotJson { status: 200 },
        RpcError::Http(302),
        RpcError::TooLarge(1),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.starts_with(char::is_lowercase), "{text}");
        assert!(!text.ends_with(['.', '?']), "{text}");
        assert!(
            [':', ','].iter().any(|sign| text.contains(*sign)),
            "no remedy: {text}"
        );
    }
}
