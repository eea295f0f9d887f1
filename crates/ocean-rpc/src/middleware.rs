//! The layer between `jsonrpsee` and its HTTP transport, which adds credentials and translates the
//! nodes' dialect of JSON-RPC.
//!
//! | the node answers | `jsonrpsee` sees |
//! |---|---|
//! | 200, `{"result":X,"error":null,"id":N}` | 200, `{"jsonrpc":"2.0","id":N,"result":X}` |
//! | 404 or 500, `{"result":null,"error":{..},"id":N}` | 200, `{"jsonrpc":"2.0","id":N,"error":{..}}` |
//! | 401, 403, 503, anything without JSON | a transport error that holds an [`RpcError`] |
//!
//! Every call has its own connection, as with the nodes' own command line client. A persistent one
//! costs more than the tenth of a millisecond that it saves: a node waits half a minute for idle
//! connections when it stops, and a call that must not be repeated can be lost on a connection that
//! the node is about to close.

use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    future::Future,
    io::ErrorKind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use jsonrpsee_core::{BoxError, http_helpers::HttpError};
use jsonrpsee_http_client::{
    HttpBody, HttpRequest, HttpResponse,
    transport::{Error as TransportError, HttpBackend},
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tower::{Layer, Service};

use crate::{RpcError, credentials::Credentials};

/// Creates [`NodeDialect`]s.
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

/// Translates requests and responses.
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
            request
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            let answer = inner
                .call(request)
                .await
                .map_err(|error| fault(connection_error(&layer.url, &error)))?;
            translate(answer, &layer).await.map_err(fault)
        })
    }
}

/// Wraps one of our errors in the type that `jsonrpsee` passes through.
fn fault(error: RpcError) -> TransportError {
    TransportError::Http(HttpError::Stream(Box::new(error)))
}

/// Unwraps one of our errors.
pub(crate) fn find_fault(error: &TransportError) -> Option<RpcError> {
    match error {
        TransportError::Http(HttpError::Stream(inner)) => inner.downcast_ref::<RpcError>().cloned(),
        _ => None,
    }
}

fn connection_error(url: &str, error: &TransportError) -> RpcError {
    let refused = causes(error).any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    if refused {
        RpcError::ConnectionRefused(url.to_owned())
    } else {
        RpcError::Connection {
            url: url.to_owned(),
            reason: innermost(error),
        }
    }
}

/// Returns an error and all its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Returns the error reported by the system.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

/// The node's response; values are kept as raw JSON.
#[derive(Deserialize)]
struct Answer<'a> {
    /// Absent in other kinds of messages; null if that is the result.
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    id: &'a RawValue,
}

/// Deserialises a value that is present, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

async fn translate(
    answer: HttpResponse<impl http_body::Body<Data = Bytes, Error: Into<BoxError>>>,
    layer: &NodeDialectLayer,
) -> Result<HttpResponse, RpcError> {
    let (parts, body) = answer.into_parts();
    match parts.status {
        StatusCode::UNAUTHORIZED => return Err(RpcError::Unauthorized),
        StatusCode::FORBIDDEN => {
            // The caller knows the method and fills it in.
            let method = String::new();
            return Err(RpcError::Forbidden { method });
        }
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
                    reason: innermost(&*error),
                }
            }
        })?
        .to_bytes();
    let frames = reframe(&body).ok_or_else(|| match parts.status {
        StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR => RpcError::NotJson {
            status: parts.status.as_u16(),
        },
        status if status.is_success() => RpcError::NotJson {
            status: status.as_u16(),
        },
        status => RpcError::Http(status.as_u16()),
    })?;
    let mut response = HttpResponse::new(HttpBody::new(frames));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

/// Rewrites a response as JSON-RPC 2.0; the node's result or error is a slice of its body.
fn reframe(body: &Bytes) -> Option<Frames> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let (kind, value) = match (answer.error, answer.result) {
        (Some(error), _) => ("error", error),
        (None, Some(result)) => ("result", result),
        (None, None) => return None,
    };
    let head = format!(r#"{{"jsonrpc":"2.0","id":{},"{kind}":"#, answer.id.get());
    Some(Frames(
        [
            Bytes::from(head),
            body.slice_ref(value.get().as_bytes()),
            Bytes::from_static(b"}"),
        ]
        .into(),
    ))
}

/// A body of chunks that are in memory.
struct Frames(VecDeque<Bytes>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|bytes| bytes.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reframed(body: &str) -> Option<String> {
        let frames = reframe(&Bytes::copy_from_slice(body.as_bytes()))?.0;
        let bytes: Vec<u8> = frames.iter().flatten().copied().collect();
        String::from_utf8(bytes).ok()
    }

    #[test]
    fn responses_of_version_1_become_responses_of_version_2() {
        let result = reframed("{\"result\": [1.00000000, \"\\u0041\"],\"error\":null,\"id\":7}\n");
        assert_eq!(
            result.as_deref(),
            Some(r#"{"jsonrpc":"2.0","id":7,"result":[1.00000000, "\u0041"]}"#)
        );
        let error = reframed(r#"{"result":null,"error":{"code":-8,"message":"no"},"id":"x"}"#);
        assert_eq!(
            error.as_deref(),
            Some(r#"{"jsonrpc":"2.0","id":"x","error":{"code":-8,"message":"no"}}"#)
        );
        let null = Some(r#"{"jsonrpc":"2.0","id":7,"result":null}"#);
        assert_eq!(
            reframed(r#"{"result":null,"error":null,"id":7}"#).as_deref(),
            null
        );
        assert_eq!(
            reframed(r#"{"jsonrpc":"2.0","result":null,"id":7}"#).as_deref(),
            null
        );
    }

    #[test]
    fn a_malformed_response_is_not_taken_for_an_empty_result() {
        for body in [
            r#"{"id":7}"#,
            r#"{"error":null,"id":7}"#,
            r#"{"result":1}"#,
            r#"{"result":1,"result":2,"id":7}"#,
            "[]",
            "",
            "<html>",
        ] {
            assert_eq!(reframed(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_response_becomes_json(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("{".to_owned()), Just("}".to_owned()), Just("[".to_owned()),
                    Just("\"result\":".to_owned()), Just("\"error\":".to_owned()),
                    Just("\"id\":".to_owned()), Just(",".to_owned()), Just("null".to_owned()),
                    Just("1".to_owned()), any::<String>(),
                ],
                0..12,
            ),
        ) {
            if let Some(text) = reframed(&parts.concat()) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
