//! An HTTP server that forwards JSON-RPC calls to a node and lets a middleman change them.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The maximum size of a body: a block of sixteen megabytes in hex.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// An error of a node's RPC: code and message.
pub type Fault = (i32, String);

/// Changes the communication between an operator and its node. By default it changes nothing.
pub trait Middleman: Send + Sync + 'static {
    /// Answers a call instead of the node; `None` forwards it.
    fn answer(&self, method: &str, params: &Value) -> Option<Result<Value, Fault>> {
        let _ = (method, params);
        None
    }

    /// Returns whether a method is forbidden, like one that is not in the node's `rpcwhitelist`: the
    /// answer is only HTTP 403.
    fn forbids(&self, method: &str) -> bool {
        let _ = method;
        false
    }

    /// Returns whether calls of a method are neither answered nor forwarded.
    fn hangs(&self, method: &str) -> bool {
        let _ = method;
        false
    }

    /// Changes the node's result; `None` leaves the node's answer unchanged, byte for byte.
    fn alter(&self, method: &str, params: &Value, result: &Value) -> Option<Value> {
        let _ = (method, params, result);
        None
    }
}

/// Why a proxy cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The node's URL is invalid.
    #[error("`{0}` must be of the form http://host:port")]
    Url(String),
    /// No port is available.
    #[error("cannot listen on loopback: {0}")]
    Listen(#[from] std::io::Error),
}

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    task: JoinHandle<()>,
}

struct Shared {
    /// The node, `host:port`.
    node: String,
    middleman: Arc<dyn Middleman>,
}

impl Proxy {
    /// Starts a proxy for the node at this URL, `http://host:port`, on a port chosen by the system.
    ///
    /// # Errors
    /// If the URL has another form, or no port is available.
    pub async fn spawn(url: &str, middleman: Arc<dyn Middleman>) -> Result<Self, ProxyError> {
        let node = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|rest| rest.contains(':') && !rest.contains('/'))
            .ok_or_else(|| ProxyError::Url(url.to_owned()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared {
            node: node.to_owned(),
            middleman,
        };
        let app = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::new(shared));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "proxy failed");
            }
        });
        Ok(Self { address, task })
    }

    /// Returns the URL at which it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Deserialize)]
struct Call<'a> {
    method: String,
    #[serde(default)]
    params: Value,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let call = serde_json::from_slice::<Call<'_>>(&body).ok();
    if call
        .as_ref()
        .is_some_and(|call| shared.middleman.forbids(&call.method))
    {
        return StatusCode::FORBIDDEN.into_response();
    }
    if call
        .as_ref()
        .is_some_and(|call| shared.middleman.hangs(&call.method))
    {
        core::future::pending::<()>().await;
    }
    if let Some(call) = &call
        && let Some(answer) = shared.middleman.answer(&call.method, &call.params)
    {
        return response(answer, call.id);
    }
    let (status, text) = match forward(&shared.node, &headers, &body).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, node = shared.node, "node unreachable");
            return StatusCode::BAD_GATEWAY.into_response();
        }
    };
    if status == StatusCode::OK
        && let Some(call) = &call
        && let Ok(found) = serde_json::from_slice::<Answer>(&text)
        && let Some(altered) = shared
            .middleman
            .alter(&call.method, &call.params, &found.result)
    {
        return response(Ok(altered), call.id);
    }
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Returns an answer in the format of a node.
fn response(answer: Result<Value, Fault>, id: Option<&RawValue>) -> Response {
    let id = id.map_or("null", RawValue::get);
    let (status, result, error) = match answer {
        Ok(result) => (StatusCode::OK, result, Value::Null),
        Err((code, message)) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Value::Null,
            json!({ "code": code, "message": message }),
        ),
    };
    let kind = HeaderValue::from_static("application/json");
    let text = format!(r#"{{"result":{result},"error":{error},"id":{id}}}"#);
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Forwards a call unchanged to the node, on a new connection.
async fn forward(
    node: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> std::io::Result<(StatusCode, Bytes)> {
    let mut head = format!(
        "POST / HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    if let Some(credentials) = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
    {
        head.push_str(&format!("Authorization: {credentials}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(node).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    parse(&answer).ok_or_else(|| std::io::Error::other("the node's answer is not HTTP"))
}

/// Parses status and body of an answer that ends with its connection. Nodes do not use chunked encoding.
fn parse(answer: &[u8]) -> Option<(StatusCode, Bytes)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = core::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse::<u16>().ok()?;
    Some((
        StatusCode::from_u16(status).ok()?,
        Bytes::copy_from_slice(&answer[end + 4..]),
    ))
}
