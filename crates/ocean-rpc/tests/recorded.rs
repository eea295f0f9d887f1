//! The client against what real nodes answered, and against servers that misbehave.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use federation_chain::{BlockHeight, Dialect};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, Repeat, RpcError, SubmitOutcome};
use hex_conservative::{DisplayHex, FromHex};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a scripted server does with one request.
#[derive(Clone)]
enum Act {
    /// Answers with this status and body; `ID` in it becomes the request's id.
    Answer(u16, String),
    /// Answers late.
    Late(Duration),
    /// Sends half of an answer and closes.
    Truncate,
}

/// A server that acts by a script and remembers what it was asked.
struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<(String, Option<String>)>>>,
    count: Arc<AtomicUsize>,
}

impl Scripted {
    async fn new(script: impl Fn(&Value) -> Option<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::new(AtomicUsize::new(0));
        let script = Arc::new(script);
        tokio::spawn({
            let (asked, count) = (asked.clone(), count.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (script, asked, count) = (script.clone(), asked.clone(), count.clone());
                    tokio::spawn(async move {
                        serve(stream, &*script, &asked, &count).await;
                    });
                }
            }
        });
        Self { url, asked, count }
    }

    /// A server that acts by a list, and answers 7 when the list is at its end.
    async fn list(acts: Vec<Act>) -> Self {
        let acts = Mutex::new(VecDeque::from(acts));
        Self::new(move |_| {
            let next = acts.lock().expect("not poisoned").pop_front();
            Some(next.unwrap_or_else(|| result("7")))
        })
        .await
    }

    fn client(&self) -> NodeClient {
        let config = NodeConfig::new(&self.url)
            .with_timeout(Duration::from_millis(300))
            .with_retries(3, Duration::from_millis(5))
            .with_dialect(Dialect::Dynafed);
        NodeClient::new(config).expect("a client")
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

fn result(value: &str) -> Act {
    Act::Answer(200, format!(r#"{{"result":{value},"error":null,"id":ID}}"#))
}

fn failure(status: u16, code: i32, message: &str) -> Act {
    Act::Answer(
        status,
        format!(r#"{{"result":null,"error":{{"code":{code},"message":"{message}"}},"id":ID}}"#),
    )
}

async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(&Value) -> Option<Act> + Send + Sync),
    asked: &Mutex<Vec<(String, Option<String>)>>,
    count: &AtomicUsize,
) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut chunk = [0; 65536];
        let Ok(read @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0usize);
            break (head, end + 4 + length);
        }
    };
    while bytes.len() < length {
        let mut chunk = [0; 65536];
        let Ok(read @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        bytes.extend_from_slice(&chunk[..read]);
    }
    let body = &bytes[head.len() + 4..];
    let request: Value = serde_json::from_slice(body).expect("the client sends JSON");
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let authorization = head
        .lines()
        .find_map(|line| line.strip_prefix("authorization: ").map(str::to_owned));
    asked
        .lock()
        .expect("not poisoned")
        .push((path, authorization));
    count.fetch_add(1, Ordering::SeqCst);
    let (status, text) = match script(&request) {
        None => return,
        Some(Act::Answer(status, text)) => (status, text),
        Some(Act::Late(pause)) => {
            tokio::time::sleep(pause).await;
            (200, r#"{"result":1,"error":null,"id":ID}"#.to_owned())
        }
        Some(Act::Truncate) => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"resu")
                .await;
            return;
        }
    };
    let text = text.replace("ID", &request["id"].to_string());
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn vectors(name: &str) -> Value {
    let path = format!(
        "{}/../../tests/vectors/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("json")
}

/// A server that answers each call as the recorded node did, in the recorded order.
async fn recorded(name: &str) -> (Scripted, Value) {
    let json = vectors(name);
    let calls = Mutex::new(json["transcript"].as_array().expect("calls").clone());
    let server = Scripted::new(move |request| {
        let mut calls = calls.lock().expect("not poisoned");
        let params = request.get("params").cloned().unwrap_or_else(|| json!([]));
        let at = calls
            .iter()
            .position(|call| call["method"] == request["method"] && call["params"] == params)?;
        let call = calls[at].clone();
        // What is asked again is answered again, unless a later answer was recorded too.
        let again = calls
            .iter()
            .skip(at + 1)
            .any(|other| other["method"] == call["method"] && other["params"] == call["params"]);
        if again {
            calls.remove(at);
        }
        let status = u16::try_from(call["http_status"].as_u64()?).ok()?;
        let mut body: Value = serde_json::from_str(call["body"].as_str()?).ok()?;
        body["id"] = json!("ID");
        Some(Act::Answer(
            status,
            body.to_string().replace("\"ID\"", "ID"),
        ))
    })
    .await;
    (server, json)
}

fn client_of(server: &Scripted) -> NodeClient {
    NodeClient::new(NodeConfig::new(&server.url).with_retries(0, Duration::ZERO)).expect("a client")
}

#[tokio::test]
async fn the_typed_calls_read_what_every_recorded_node_answered() {
    for (name, dialect) in [
        ("elements-dynafed", Dialect::Dynafed),
        ("elements-legacy", Dialect::Elements),
        ("ocean", Dialect::Ocean),
    ] {
        let (server, json) = recorded(name).await;
        let node = client_of(&server);
        assert_eq!(node.dialect().await, Ok(dialect));
        let info = node.blockchain_info().await.expect("an answer");
        let genesis = json["genesis_hash"]
            .as_str()
            .expect("a hash")
            .parse()
            .expect("a hash");
        assert_eq!(
            (info.chain.as_str(), info.blocks),
            (
                json["chain"].as_str().expect("a name"),
                BlockHeight::GENESIS
            )
        );
        assert_eq!(info.best_block_hash, genesis);
        assert_eq!(node.block_count().await, Ok(BlockHeight::GENESIS));
        assert_eq!(node.best_block_hash().await, Ok(genesis));
        assert_eq!(node.block_hash(BlockHeight::GENESIS).await, Ok(genesis));
        let block = node.block(genesis).await.expect("an answer");
        assert_eq!(
            json!(block.to_lower_hex_string()),
            json["genesis_block_hex"]
        );
        assert_eq!(node.mempool_info().await.expect("an answer").size, 0);
        let header = node.header_info(genesis).await.expect("an answer");
        assert_eq!(
            (header.height, header.previous),
            (BlockHeight::GENESIS, None)
        );
        assert!(block.starts_with(&node.header(genesis).await.expect("an answer")));

        for recorded in json["blocks"].as_array().expect("blocks") {
            let unsigned = node.new_block().await.expect("a block");
            assert_eq!(json!(unsigned.to_lower_hex_string()), recorded["unsigned"]);
            assert_eq!(node.test_proposed_block(&unsigned).await, Ok(()));
            if recorded["height"] == 1 {
                assert_eq!(
                    node.submit_block(&unsigned).await,
                    Ok(SubmitOutcome::Rejected("block-proof-invalid".to_owned()))
                );
            }
            let complete = recorded["combined"]["hex"].as_str().expect("hex");
            let complete = Vec::<u8>::from_hex(complete).expect("hex");
            assert_eq!(
                node.submit_block(&complete).await,
                Ok(SubmitOutcome::Accepted)
            );
            let hash = recorded["hash"]
                .as_str()
                .expect("a hash")
                .parse()
                .expect("a hash");
            assert_eq!(node.best_block_hash().await, Ok(hash));
            let header = node.header_info(hash).await.expect("an answer");
            assert_eq!(header.hash, hash);
            assert!(header.previous.is_some() && header.median_time <= header.time);
            if recorded["height"] == 1 {
                assert_eq!(
                    node.submit_block(&complete).await,
                    Ok(SubmitOutcome::Duplicate)
                );
            }
        }
        let refused = json["transcript"]
            .as_array()
            .expect("calls")
            .iter()
            .filter(|call| call["method"] == "testproposedblock" && call["http_status"] == 500);
        let mut codes = Vec::new();
        for call in refused {
            let hex = call["params"][0].as_str().expect("hex");
            let params = [json!(hex)];
            let error = node
                .call::<()>("testproposedblock", &params)
                .await
                .expect_err("refused");
            codes.push(error.code());
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
async fn the_recorded_http_errors_are_errors_of_their_own() {
    for name in ["elements-dynafed", "ocean"] {
        let errors = vectors(name)["http_errors"].clone();
        let act = |key: &str| {
            Act::Answer(
                u16::try_from(errors[key]["status"].as_u64().expect("a status")).expect("small"),
                errors[key]["body"].as_str().expect("a body").to_owned(),
            )
        };
        let once = async |act| {
            let server = Scripted::list(vec![act]).await;
            server.client().call::<Value>("x", &[]).await
        };
        assert_eq!(once(act("bad_auth")).await, Err(RpcError::Unauthorized));
        let method_not_found = once(failure(404, -32601, "Method not found")).await;
        assert_eq!(
            method_not_found.expect_err("an error").code(),
            Some(RpcError::METHOD_NOT_FOUND)
        );
        let out_of_range = once(failure(500, -8, "Block height out of range")).await;
        assert_eq!(
            out_of_range,
            Err(RpcError::Node {
                code: -8,
                message: "Block height out of range".to_owned()
            })
        );
    }
}

#[tokio::test]
async fn each_fault_has_its_own_error() {
    let once = async |act: Act| {
        let server = Scripted::list(vec![act]).await;
        server
            .client()
            .call::<Value>("x", &[])
            .await
            .expect_err("a fault")
    };
    assert_eq!(
        once(Act::Answer(401, String::new())).await,
        RpcError::Unauthorized
    );
    assert_eq!(
        once(Act::Answer(403, String::new())).await,
        RpcError::Forbidden
    );
    assert_eq!(
        once(Act::Answer(503, "Work queue depth exceeded".to_owned())).await,
        RpcError::Busy
    );
    assert_eq!(
        once(failure(500, -28, "Loading block index...")).await,
        RpcError::WarmingUp("Loading block index...".to_owned())
    );
    let html = "<html>hello</html>".to_owned();
    assert_eq!(
        once(Act::Answer(200, html.clone())).await,
        RpcError::NotJson { status: 200 }
    );
    assert_eq!(once(Act::Answer(302, html)).await, RpcError::Http(302));
    assert_eq!(
        once(Act::Late(Duration::from_secs(2))).await,
        RpcError::Timeout(Duration::from_millis(300))
    );
    assert!(matches!(
        once(Act::Truncate).await,
        RpcError::Connection { .. }
    ));
    let wrong_id = Act::Answer(200, r#"{"result":1,"error":null,"id":999}"#.to_owned());
    assert!(matches!(once(wrong_id).await, RpcError::Unexpected { .. }));
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused_and_one_below_arrives() {
    let big = format!("\"{}\"", "ab".repeat(4 * 1024 * 1024));
    let server = Scripted::new(move |_| Some(result(&big))).await;
    let small =
        NodeClient::new(NodeConfig::new(&server.url).with_max_body(1_000_000)).expect("a client");
    assert_eq!(small.new_block().await, Err(RpcError::TooLarge(1_000_000)));
    let large = NodeClient::new(NodeConfig::new(&server.url)).expect("a client");
    assert_eq!(
        large.new_block().await.expect("4 MB").len(),
        4 * 1024 * 1024
    );
    let block = vec![0xab; 8 * 1024 * 1024];
    assert!(matches!(
        large.submit_block(&block).await,
        Ok(SubmitOutcome::Rejected(_))
    ));
}

#[tokio::test]
async fn what_is_safe_is_repeated_and_what_is_not_is_not() {
    let faults = || {
        vec![
            failure(500, -28, "Verifying blocks..."),
            Act::Answer(503, String::new()),
            Act::Truncate,
        ]
    };
    let server = Scripted::list(faults()).await;
    assert_eq!(server.client().block_count().await, Ok(BlockHeight::new(7)));
    assert_eq!(server.count(), 4);

    let server = Scripted::list(faults()).await;
    assert!(
        server
            .client()
            .call::<Value>("sendtoaddress", &[])
            .await
            .is_err()
    );
    assert_eq!(server.count(), 1);

    let server = Scripted::list(vec![failure(500, -25, "refused")]).await;
    assert!(server.client().test_proposed_block(&[1]).await.is_err());
    assert_eq!(server.count(), 1, "a refusal is an answer");
}

#[tokio::test]
async fn a_node_that_is_away_is_refused_and_found_again() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    };
    let url = format!("http://{address}");
    let config = NodeConfig::new(&url).with_retries(0, Duration::ZERO);
    let node = NodeClient::new(config).expect("a client");
    assert!(
        matches!(node.block_count().await, Err(RpcError::ConnectionRefused(at)) if at.starts_with(&url))
    );

    let patient = NodeClient::new(NodeConfig::new(&url).with_retries(6, Duration::from_millis(20)))
        .expect("a client");
    let waiting = tokio::spawn(async move { patient.block_count().await });
    tokio::time::sleep(Duration::from_millis(60)).await;
    let listener = TcpListener::bind(address).await.expect("the port again");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(
                stream,
                &|_| Some(result("7")),
                &Mutex::default(),
                &AtomicUsize::new(0),
            )
            .await;
        }
    });
    assert_eq!(waiting.await.expect("no panic"), Ok(BlockHeight::new(7)));
}

#[tokio::test]
async fn credentials_go_out_and_a_new_cookie_is_read_when_the_old_is_refused() {
    let server = Scripted::list(vec![]).await;
    let config = NodeConfig::new(&server.url).with_auth(Auth::basic("user", "password"));
    let node = NodeClient::new(config).expect("a client");
    node.block_count().await.expect("an answer");
    node.wallet("my wallet")
        .expect("a url")
        .block_count()
        .await
        .expect("an answer");
    let with_user = server.url.replace("http://", "http://user:password@");
    NodeClient::new(NodeConfig::new(with_user))
        .expect("a client")
        .block_count()
        .await
        .expect("an answer");
    let asked = server.asked.lock().expect("not poisoned").clone();
    let basic = Some("Basic dXNlcjpwYXNzd29yZA==".to_owned());
    assert_eq!(
        asked,
        [
            ("/".to_owned(), basic.clone()),
            ("/wallet/my%20wallet".to_owned(), basic.clone()),
            ("/".to_owned(), basic)
        ]
    );

    let folder = tempfile::tempdir().expect("a folder");
    let cookie = folder.path().join(".cookie");
    let config = |url: &str| {
        NodeConfig::new(url)
            .with_auth(Auth::Cookie(cookie.clone()))
            .with_retries(0, Duration::ZERO)
    };
    let server = Scripted::list(vec![
        result("1"),
        Act::Answer(401, String::new()),
        result("2"),
        Act::Answer(401, String::new()),
    ])
    .await;
    let node = NodeClient::new(config(&server.url)).expect("a client");
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
