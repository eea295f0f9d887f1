//! Credentials are sent to the node and appear nowhere else.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use federation_chain::BlockHeight;
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, Repeat, RpcError};

use crate::server::{Act, Scripted, result};

#[tokio::test]
async fn user_and_password_go_out_with_every_call_and_to_every_wallet() {
    let server = Scripted::list(vec![]).await;
    let config = NodeConfig::new(&server.url).with_auth(Auth::basic("user", "password"));
    let node = NodeClient::new(config).expect("a client");
    node.block_count().await.expect("an answer");
    node.wallet("my wallet")
        .expect("a url")
        .block_count()
        .await
        .expect("an answer");
    let with_user = server.url.replace("http://", "http://user:pass%77ord@");
    NodeClient::new(NodeConfig::new(with_user))
        .expect("a client")
        .wallet("w")
        .expect("a url")
        .block_count()
        .await
        .expect("an answer");
    NodeClient::new(NodeConfig::new(&server.url))
        .expect("a client")
        .block_count()
        .await
        .expect("an answer");
    let requests: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| (request.path, request.authorization))
        .collect();
    let basic = Some("Basic dXNlcjpwYXNzd29yZA==".to_owned());
    assert_eq!(
        requests,
        [
            ("/".to_owned(), basic.clone()),
            ("/wallet/my%20wallet".to_owned(), basic.clone()),
            ("/wallet/w".to_owned(), basic),
            ("/".to_owned(), None),
        ]
    );
}

#[tokio::test]
async fn a_new_cookie_is_read_when_the_old_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cookie = folder.path().join(".cookie");
    let server = Scripted::list(vec![
        result("1"),
        Act::Answer(401, String::new()),
        result("2"),
        Act::Answer(401, String::new()),
    ])
    .await;
    let config = NodeConfig::new(&server.url)
        .with_auth(Auth::Cookie(cookie.clone()))
        .with_retries(0, Duration::ZERO);
    let node = NodeClient::new(config).expect("a client");
    assert!(matches!(
        node.block_count().await,
        Err(RpcError::Cookie { .. })
    ));
    std::fs::write(&cookie, "__cookie__:one").expect("written");
    assert_eq!(node.block_count().await, Ok(BlockHeight::new(1)));
    std::fs::write(&cookie, "__cookie__:two").expect("written");
    assert_eq!(node.call_with("x", &[], Repeat::Never).await, Ok(2));
    assert_eq!(
        node.block_count().await,
        Err(RpcError::Unauthorized),
        "the cookie is still the same"
    );
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn many_calls_at_once_survive_a_new_cookie() {
    let folder = tempfile::tempdir().expect("a folder");
    let cookie = folder.path().join(".cookie");
    std::fs::write(&cookie, "__cookie__:one").expect("written");
    let allowed: Arc<Mutex<Option<String>>> = Arc::default();
    let server = Scripted::new({
        let allowed = allowed.clone();
        move |request| {
            let mut allowed = allowed.lock().expect("not poisoned");
            let allowed =
                allowed.get_or_insert_with(|| request.authorization.clone().expect("a cookie"));
            if request.authorization.as_ref() == Some(allowed) {
                result("7")
            } else {
                Act::Answer(401, String::new())
            }
        }
    })
    .await;
    let config = NodeConfig::new(&server.url).with_auth(Auth::Cookie(cookie.clone()));
    let node = NodeClient::new(config).expect("a client");
    assert_eq!(node.block_count().await, Ok(BlockHeight::new(7)));

    std::fs::write(&cookie, "__cookie__:two").expect("written");
    *allowed.lock().expect("not poisoned") = Some("Basic X19jb29raWVfXzp0d28=".to_owned());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move { node.block_count().await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(BlockHeight::new(7)));
    }
}

#[tokio::test]
async fn no_output_of_the_client_contains_a_secret() {
    let server = Scripted::list(vec![Act::Answer(401, String::new())]).await;
    let url = server.url.replace("http://", "http://user:verysecret@");
    let config = NodeConfig::new(url).with_retries(0, Duration::ZERO);
    let node = NodeClient::new(config.clone()).expect("a client");
    let wallet = node.wallet("w").expect("a url");
    let refused = node.block_count().await.expect_err("refused");
    drop(server);
    let output = format!("{config:?} {node:?} {wallet:?} {} {refused:?}", node.url());
    assert!(!output.contains("verysecret"), "{output}");
    assert!(!output.contains("dXNlcjp2ZXJ5"), "{output}");

    let unusable = NodeConfig::new("http://user:verysecret@host:99999");
    let error = NodeClient::new(unusable).expect_err("no port");
    assert!(!format!("{error:?} {error}").contains("verysecret"));
}
