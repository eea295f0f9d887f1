//! The layer between `jsonrpsee` and its HTTP transport: credentials out, the nodes' dialect of
//! JSON-RPC in.
//!
//! | the node answers | `jsonrpsee` sees |
//! |---|---|
//! | 200, `{"result":X,"error":null,"id":N}` | 200, `{"jsonrpc":"2.0","id":N,"result":X}` |
//! | 404 or 500, `{"result":null,"error":{..},"id":N}` | 200, `{"jsonrpc":"2.0","id":N,"error":{..}}` |
//! | 401, 403, 503, anything without JSON | a transport error that holds an [`RpcError`] |

use std::{
    future::Future,
    io::ErrorKind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use jsonrpsee::{
    core::{BoxError, http_helpers::HttpError},
    http_client::{
        HttpBody, HttpRequest, HttpResponse,
        transport::{Error as TransportError, HttpBackend},
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tower::{Layer, Service};

use crate::{RpcError, client::Credentials};

/// Makes [`NodeDialect`]s.
#[derive(Debug, Clone)]
pub(crate) struct NodeDialectLayer {
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) url: Arc<str>,
    pub(crate) max_body: u32,
}

impl<S> Layer<S> for NodeDialectLayer {
    type Service = NodeDialect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NodeDialect {
            inner,
            layer: self.clone(),
        }
    }
}

/// Translates requests and answers.
#[derive(Debug, Clone)]
pub(crate) struct NodeDialect<S = HttpBackend> {
    inner: S,
    layer: NodeDialectLayer,
}

impl Service<HttpRequest> for NodeDialect<HttpBackend> {
    type Response = HttpResponse;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest) -> Self::Future {
        let mut inner = self.inner.clone();
        let layer = self.layer.clone();
        Box::pin(async move {
            if let Some(value) = layer.credentials.header().map_err(fault)? {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            let answer = inner
                .call(request)
                .await
                .map_err(|error| fault(connection_error(&layer.url, &error)))?;
            translate(answer, &layer).await.map_err(fault)
        })
    }
}

/// Hides an error of ours where `jsonrpsee` carries foreign ones.
fn fault(error: RpcError) -> TransportError {
    TransportError::Http(HttpError::Stream(Box::new(error)))
}

/// Finds an error of ours again.
pub(crate) fn find_fault(error: &BoxError) -> Option<RpcError> {
    match error.downcast_ref::<TransportError>()? {
        TransportError::Http(HttpError::Stream(inner)) => inner.downcast_ref::<RpcError>().cloned(),
        _ => None,
    }
}

fn connection_error(url: &str, error: &TransportError) -> RpcError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut reason = error.to_string();
    while let Some(error) = cause {
        reason = error.to_string();
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == ErrorKind::ConnectionRefused
        {
            return RpcError::ConnectionRefused(url.to_owned());
        }
        cause = error.source();
    }
    RpcError::Connection {
        url: url.to_owned(),
        reason,
    }
}

/// The node's answer; values are kept as they were written.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    id: &'a RawValue,
}

async fn translate(
    answer: HttpResponse<impl http_body::Body<Data = bytes::Bytes, Error: Into<BoxError>>>,
    layer: &NodeDialectLayer,
) -> Result<HttpResponse, RpcError> {
    let (parts, body) = answer.into_parts();
    match parts.status {
        StatusCode::UNAUTHORIZED => return Err(RpcError::Unauthorized),
        StatusCode::FORBIDDEN => return Err(RpcError::Forbidden),
        StatusCode::SERVICE_UNAVAILABLE => return Err(RpcError::Busy),
        _ => {}
    }
    let body = Limited::new(body, layer.max_body as usize)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                RpcError::TooLarge(layer.max_body)
            } else {
                RpcError::Connection {
                    url: layer.url.to_string(),
                    reason: error.to_string(),
                }
            }
        })?
        .to_bytes();
    let status = parts.status.as_u16();
    let answer: Answer<'_> = match serde_json::from_slice(&body) {
        Ok(answer) => answer,
        Err(_) if parts.status.is_success() || status == 500 || status == 404 => {
            return Err(RpcError::NotJson { status });
        }
        Err(_) => return Err(RpcError::Http(status)),
    };
    let translated = match answer.error {
        Some(error) => format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{}}}"#,
            answer.id.get(),
            error.get()
        ),
        None => format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{}}}"#,
            answer.id.get(),
            answer.result.map_or("null", RawValue::get)
        ),
    };
    let mut response = HttpResponse::new(HttpBody::from(translated));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}
