//! Wallets are loaded or created, and the families' parameters differ.

use federation_chain::Dialect;
use federation_ocean_rpc::{Amount, NodeClient, NodeConfig, RpcError};
use serde_json::json;

use crate::{
    client,
    server::{Act, Scripted, failure, result},
};

/// The calls that `ensure_wallet` makes if the server reacts like this, and its result.
async fn asked_for_wallet(acts: Vec<Act>) -> (Vec<String>, Result<(), RpcError>) {
    let server = Scripted::list(acts).await;
    let outcome = client(&server).ensure_wallet("w").await;
    let methods = server
        .requests()
        .iter()
        .map(|request| {
            let method = request.body["method"].as_str().expect("a method");
            format!("{} {method}", request.path)
        })
        .collect();
    (methods, outcome)
}

#[tokio::test]
async fn a_wallet_is_loaded_or_created_as_needed() {
    let listed = || result(r#"["v"]"#);
    let (methods, outcome) = asked_for_wallet(vec![result(r#"["v","w"]"#)]).await;
    assert_eq!(
        (methods, outcome),
        (vec!["/ listwallets".to_owned()], Ok(()))
    );

    let loaded = ["/ listwallets", "/ loadwallet"].map(str::to_owned);
    for answer in [result("{}"), failure(500, -35, "already loaded")] {
        let (methods, outcome) = asked_for_wallet(vec![listed(), answer]).await;
        assert_eq!((methods.as_slice(), outcome), (loaded.as_slice(), Ok(())));
    }
    let (methods, outcome) = asked_for_wallet(vec![listed(), failure(500, -4, "corrupt")]).await;
    assert_eq!(methods, loaded, "an existing wallet is not created again");
    assert_eq!(outcome.expect_err("corrupt").code(), Some(-4));

    let made = [
        "/ listwallets",
        "/ loadwallet",
        "/ createwallet",
        "/wallet/w rescanblockchain",
    ]
    .map(str::to_owned);
    for rescanned in [result("{}"), failure(404, -32601, "Method not found")] {
        let none = failure(500, -18, "does not exist");
        let (methods, outcome) =
            asked_for_wallet(vec![listed(), none, result("{}"), rescanned]).await;
        assert_eq!((methods.as_slice(), outcome), (made.as_slice(), Ok(())));
    }
}

#[tokio::test]
async fn amounts_are_sent_exactly_and_assets_in_the_familys_position() {
    for (dialect, expected) in [
        (
            Dialect::Ocean,
            json!(["address", 90_000_000.000_000_01, "", "", false, "asset"]),
        ),
        (
            Dialect::Dynafed,
            json!([
                "address",
                90_000_000.000_000_01,
                "",
                "",
                false,
                false,
                1,
                "unset",
                false,
                "asset"
            ]),
        ),
    ] {
        let server = Scripted::new(|_| result("\"txid\"")).await;
        let config = NodeConfig::new(&server.url).with_dialect(dialect);
        let node = NodeClient::new(config).expect("a client");
        let amount = Amount::from_sat(9_000_000_000_000_001);
        let sent = node.send_asset("address", amount, "asset").await;
        assert_eq!(sent.as_deref(), Ok("txid"));
        let request = &server.requests()[0];
        assert_eq!(request.body["params"], expected);
        assert!(
            request.text.contains("90000000.00000001"),
            "{}",
            request.text
        );
    }
}
