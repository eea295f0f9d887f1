//! JSON-RPC as implemented by Elements and Ocean nodes.

mod methods;
mod views;

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::net::TcpListener;

use crate::node::Shared;

/// The maximum size of a request body: a block of sixteen megabytes in hex.
const MAX_BODY: usize = 32 * 1024 * 1024;

const METHOD_NOT_FOUND: i32 = -32601;
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const IN_WARMUP: i32 = -28;

/// An error of the node's RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RpcFault {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl RpcFault {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Serves requests until the node stops.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let stop = shared.stop.clone();
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared);
    let served = axum::serve(listener, app);
    tokio::select! {
        () = stop.cancelled() => {}
        result = served => {
            if let Err(error) = result {
                tracing::error!(%error, "RPC server failed");
            }
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let delay = shared.hooks.delay_ms.load(Ordering::Relaxed);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    if shared.hooks.unavailable.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "Work queue depth exceeded").into_response();
    }
    if !authorized(&shared, &headers) {
        let ask = HeaderValue::from_static("Basic realm=\"jsonrpc\"");
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, ask)]).into_response();
    }
    // Blocks are large and checked under a lock, so not on the threads of the server.
    let work = tokio::task::spawn_blocking(move || handle(&shared, &body));
    let (status, text) = work.await.unwrap_or_else(|error| {
        let fault = RpcFault::new(-1, error.to_string());
        (StatusCode::INTERNAL_SERVER_ERROR, failure(&fault, "null"))
    });
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

fn authorized(shared: &Shared, headers: &HeaderMap) -> bool {
    let pair = format!("{}:{}", shared.config.user, shared.config.password);
    let expected = format!("Basic {}", BASE64_STANDARD.encode(pair));
    headers
        .get(header::AUTHORIZATION)
        .is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

#[derive(Deserialize)]
struct Request<'a> {
    method: String,
    #[serde(default)]
    params: Option<Value>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

/// Handles one body: a request or a batch.
pub(crate) fn handle(shared: &Shared, body: &[u8]) -> (StatusCode, String) {
    let parse_error = || {
        let fault = RpcFault::new(PARSE_ERROR, "Parse error");
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            failure(&fault, "null") + "\n",
        )
    };
    if body.trim_ascii_start().first() == Some(&b'[') {
        let Ok(batch) = serde_json::from_slice::<Vec<&RawValue>>(body) else {
            return parse_error();
        };
        let answers: Vec<String> = batch
            .iter()
            .map(|one| single(shared, one.get()).1)
            .collect();
        return (StatusCode::OK, format!("[{}]\n", answers.join(",")));
    }
    let Ok(text) = core::str::from_utf8(body) else {
        return parse_error();
    };
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return parse_error();
    }
    let (status, answer) = single(shared, text);
    (status, answer + "\n")
}

fn single(shared: &Shared, request: &str) -> (StatusCode, String) {
    let Ok(request) = serde_json::from_str::<Request<'_>>(request) else {
        let fault = RpcFault::new(INVALID_REQUEST, "Invalid Request object");
        return (StatusCode::BAD_REQUEST, failure(&fault, "null"));
    };
    let id = request.id.map_or("null", RawValue::get);
    let result = if shared.hooks.warming_up.load(Ordering::Relaxed) {
        Err(RpcFault::new(IN_WARMUP, "Loading block index..."))
    } else {
        methods::call(shared, &request.method, request.params.unwrap_or(json!([])))
    };
    match result {
        Ok(result) => (
            StatusCode::OK,
            format!(r#"{{"result":{result},"error":null,"id":{id}}}"#),
        ),
        Err(fault) => {
            let status = match fault.code {
                METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
                INVALID_REQUEST => StatusCode::BAD_REQUEST,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, failure(&fault, id))
        }
    }
}

fn failure(fault: &RpcFault, id: &str) -> String {
    let message = Value::String(fault.message.clone());
    format!(
        r#"{{"result":null,"error":{{"code":{},"message":{message}}},"id":{id}}}"#,
        fault.code
    )
}
