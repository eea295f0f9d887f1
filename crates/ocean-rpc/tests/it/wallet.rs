//! Wallets are loaded, or made, and the families' parameters are kept apart.

use federation_chain::Dialect;
use federation_ocean_rpc::{Amount, NodeClient, NodeConfig, RpcError};
use serde_json::json;

use crate::{
    client,
    server::{Act, Scripted, failure, result},
};

/// What a server is asked by `ensure_wallet` when it answers so, and what comes of it.
async fn asked_for_wallet(acts: Vec<Act>) -> (Vec<String>, Result<(), RpcError>) {
    let server = Scripted::list(acts).await;
    let outcome = client(&server).ensure_wallet("w").await;
    let asked = server
        .asked()
        .iter()
        .map(|asked| {
            let method = asked.body["method"].as_str().expect("a method");
            format!("{} {method}", asked.path)
        })
        .collect();
    (asked, outcome)
}

#[tokio::test]
async fn a_wallet_is_loaded_or_made_as_it_is_needed() {
    let listed = || result(r#"["v"]"#);
    let (asked, outcome) = asked_for_wallet(vec![result(r#"["v","w"]"#)]).await;
    assert_eq!((asked, outcome), (vec!["/ listwallets".to_owned()], Ok(())));

    let loaded = ["/ listwallets", "/ loadwallet"].map(str::to_owned);
    for answer in [result("{}"), failure(500, -35, "already loaded")] {
        let (asked, outcome) = asked_for_wallet(vec![listed(), answer]).await;
        assert_eq!((asked.as_slice(), outcome), (loaded.as_slice(), Ok(())));
    }
    let (asked, outcome) = asked_for_wallet(vec![listed(), failure(500, -4, "corrupt")]).await;
    assert_eq!(asked, loaded, "a wallet that is there is not made anew");
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
        let (asked, outcome) =
            asked_for_wallet(vec![listed(), none, result("{}"), rescanned]).await;
        assert_eq!((asked.as_slice(), outcome), (made.as_slice(), Ok(())));
    }
}

#[tokio::test]
async fn amounts_go_out_exactly_and_assets_where_the_family_has_them() {
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
        let asked = &server.asked()[0];
        assert_eq!(asked.body["params"], expected);
        assert!(asked.text.contains("90000000.00000001"), "{}", asked.text);
    }
}
