//! The client of a node, for any number of callers.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use federation_chain::Dialect;
use hex_conservative::FromHex;
use jsonrpsee_core::client::{ClientT, Error as ClientError};
use jsonrpsee_http_client::{
    HttpClient, HttpClientBuilder, RpcService, RpcServiceBuilder,
    transport::Error as TransportError,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{
    NodeConfig, RpcError, address,
    credentials::Credentials,
    error::clipped,
    middleware::{NodeDialect, NodeDialectLayer, find_fault},
    params::Params,
};

type Http = HttpClient<RpcService<NodeDialect>>;

/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Whether a call may be retried when its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It only reads, or has the same effect when done twice.
    Safe,
    /// It sends or creates something.
    Never,
}

/// A client of one node. Clones share what it knows about the node.
#[derive(Debug, Clone)]
pub struct NodeClient {
    http: Http,
    config: NodeConfig,
    credentials: Arc<Credentials>,
    pub(crate) dialect: Arc<OnceLock<Dialect>>,
}

impl NodeClient {
    /// Creates a client of the configured node. It does not connect yet.
    ///
    /// # Errors
    /// If the URL cannot be used.
    pub fn new(config: NodeConfig) -> Result<Self, RpcError> {
        let credentials = Arc::new(Credentials::new(config.auth().clone()));
        let dialect = Arc::new(OnceLock::new());
        if let Some(known) = config.dialect {
            dialect.get_or_init(|| known);
        }
        Self::build(config, credentials, dialect)
    }

    fn build(
        config: NodeConfig,
        credentials: Arc<Credentials>,
        dialect: Arc<OnceLock<Dialect>>,
    ) -> Result<Self, RpcError> {
        let layer = NodeDialectLayer {
            credentials: credentials.clone(),
            url: config.public_url().into(),
            max_body: config.max_body,
        };
        let http = HttpClientBuilder::new()
            .max_request_size(config.max_body)
            // The layer enforces the limit on responses before it adds a few bytes of its own.
            .max_response_size(config.max_body.saturating_add(1024))
            .request_timeout(config.timeout)
            // Without the default logger: requests may hold secret keys.
            .set_rpc_middleware(RpcServiceBuilder::new())
            .set_http_middleware(tower::ServiceBuilder::new().layer(layer))
            .build(config.url()?)
            .map_err(|error| RpcError::Url {
                url: config.public_url(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            http,
            config,
            credentials,
            dialect,
        })
    }

    /// Creates a client of one wallet of the same node.
    ///
    /// # Errors
    /// If the wallet's name does not make a usable URL.
    pub fn wallet(&self, name: &str) -> Result<Self, RpcError> {
        let config = self.config.at(address::wallet(self.config.url()?, name));
        Self::build(config, self.credentials.clone(), self.dialect.clone())
    }

    /// Creates a client of the same node, with the same credentials, timeout and retries, that
    /// reaches it at another address: a tunnel or a proxy.
    ///
    /// # Errors
    /// If the URL cannot be used.
    pub fn through(&self, url: &str) -> Result<Self, RpcError> {
        let other = NodeConfig::new(url);
        let config = self.config.at(other.url()?.clone());
        Self::build(config, self.credentials.clone(), self.dialect.clone())
    }

    /// Returns the node's URL, without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        self.config.public_url()
    }

    /// Calls any method, once.
    ///
    /// # Errors
    /// If the node returns no result, or one of an unexpected type.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
    ) -> Result<T, RpcError> {
        self.request(method, params, Repeat::Never).await
    }

    /// Calls any method; retries after transient faults if that is safe.
    ///
    /// # Errors
    /// If the node returns no result, or one of an unexpected type.
    pub async fn call_with<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
        repeat: Repeat,
    ) -> Result<T, RpcError> {
        self.request(method, params, repeat).await
    }

    /// Calls any method and returns the result as raw JSON.
    ///
    /// # Errors
    /// If the node returns no result.
    pub async fn call_raw(
        &self,
        method: &str,
        params: &[Value],
        repeat: Repeat,
    ) -> Result<Box<RawValue>, RpcError> {
        self.request_raw(method, params, repeat).await
    }

    /// Calls a method with known parameters and result.
    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        method: impl AsRef<str>,
        params: impl Serialize,
        repeat: Repeat,
    ) -> Result<T, RpcError> {
        let method = method.as_ref();
        let raw = self.request_raw(method, params, repeat).await?;
        serde_json::from_str(raw.get()).map_err(|error| RpcError::unexpected(method, &error))
    }

    /// Calls a method that only reads and returns hex.
    pub(crate) async fn request_bytes(
        &self,
        method: impl AsRef<str>,
        params: impl Serialize,
    ) -> Result<Bytes, RpcError> {
        let method = method.as_ref();
        let raw = self.request_raw(method, params, Repeat::Safe).await?;
        // Hex needs no unescaping, so megabytes of it are not copied first.
        let hex = raw
            .get()
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .ok_or_else(|| RpcError::unexpected(method, &"expected a hex string"))?;
        Vec::<u8>::from_hex(hex)
            .map(Bytes::from)
            .map_err(|error| RpcError::unexpected(method, &error))
    }

    pub(crate) async fn request_raw(
        &self,
        method: &str,
        params: impl Serialize,
        repeat: Repeat,
    ) -> Result<Box<RawValue>, RpcError> {
        let params = Params::new(&params).map_err(|error| RpcError::unexpected(method, &error))?;
        let mut pause = self.config.first_pause;
        let mut attempts = 0;
        let mut renewed = false;
        loop {
            let generation = self.credentials.generation();
            let error = match self.http.request(method, params.clone()).await {
                Ok(result) => return Ok(result),
                Err(error) => self.classify(method, error),
            };
            // The node did nothing, so with a new cookie even a call that must not be repeated is
            // retried.
            if error == RpcError::Unauthorized && !renewed && self.credentials.renew(generation) {
                renewed = true;
                continue;
            }
            if repeat == Repeat::Never || !error.is_transient() || attempts == self.config.retries {
                return Err(error);
            }
            attempts += 1;
            tracing::debug!(method, %error, attempts, "retrying");
            tokio::time::sleep(pause).await;
            pause = next_pause(pause);
        }
    }

    fn classify(&self, method: &str, error: ClientError) -> RpcError {
        match error {
            ClientError::Call(object) if object.code() == RpcError::IN_WARMUP => {
                RpcError::WarmingUp(clipped(object.message().to_owned()))
            }
            ClientError::Call(object) => RpcError::Node {
                code: object.code(),
                message: clipped(object.message().to_owned()),
            },
            ClientError::RequestTimeout => RpcError::Timeout(self.config.timeout),
            ClientError::Transport(error) => match error.downcast_ref::<TransportError>() {
                Some(TransportError::RequestTooLarge) => RpcError::TooLarge(self.config.max_body),
                Some(known) => match find_fault(known) {
                    Some(RpcError::Forbidden { .. }) => RpcError::Forbidden {
                        method: method.to_owned(),
                    },
                    Some(fault) => fault,
                    None => self.connection_error(known),
                },
                None => self.connection_error(&*error),
            },
            other => RpcError::unexpected(method, &other),
        }
    }

    fn connection_error(&self, error: &dyn core::fmt::Display) -> RpcError {
        RpcError::Connection {
            url: self.url(),
            reason: error.to_string(),
        }
    }
}

fn next_pause(pause: Duration) -> Duration {
    pause.max(pause.saturating_mul(2).min(MAX_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let first = Duration::from_millis(50);
        let pauses: Vec<Duration> = std::iter::successors(Some(first), |p| Some(next_pause(*p)))
            .take(100)
            .collect();
        assert_eq!(pauses[..3], [first, first * 2, first * 4]);
        assert_eq!(pauses[99], MAX_PAUSE);
        for long in [Duration::from_secs(60), Duration::MAX] {
            assert_eq!(next_pause(long), long);
        }
    }
}
