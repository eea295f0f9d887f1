//! The client: one node, any number of callers.

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

/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Whether a call may be tried again when nobody knows what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It reads, or does the same when done twice.
    Safe,
    /// It sends or makes something.
    Never,
}

/// A client of one node. Clones share what it has learned of the node.
#[derive(Debug, Clone)]
pub struct NodeClient {
    http: Http,
    config: NodeConfig,
    credentials: Arc<Credentials>,
    pub(crate) dialect: Arc<OnceLock<Dialect>>,
}

impl NodeClient {
    /// A client of the node that the configuration names. Nothing is asked yet.
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
            // The layer holds answers to the limit before it adds its own few bytes.
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

    /// A client of one wallet of the same node.
    ///
    /// # Errors
    /// If the wallet's name makes no usable URL.
    pub fn wallet(&self, name: &str) -> Result<Self, RpcError> {
        let config = self.config.at(address::wallet(self.config.url()?, name));
        Self::build(config, self.credentials.clone(), self.dialect.clone())
    }

    /// A client of the same node, with the same credentials and patience, that reaches it by another
    /// address: a tunnel or a proxy.
    ///
    /// # Errors
    /// If the URL cannot be used.
    pub fn through(&self, url: &str) -> Result<Self, RpcError> {
        let other = NodeConfig::new(url);
        let config = self.config.at(other.url()?.clone());
        Self::build(config, self.credentials.clone(), self.dialect.clone())
    }

    /// The node's address, without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        self.config.public_url()
    }

    /// Calls any method once.
    ///
    /// # Errors
    /// If the node gives no result, or another than the caller expects.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
    ) -> Result<T, RpcError> {
        self.request(method, params, Repeat::Never).await
    }

    /// Calls any method, again after passing faults if it is safe to repeat.
    ///
    /// # Errors
    /// If the node gives no result, or another than the caller expects.
    pub async fn call_with<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
        repeat: Repeat,
    ) -> Result<T, RpcError> {
        self.request(method, params, repeat).await
    }

    /// Calls any method and hands out the result as it was written.
    ///
    /// # Errors
    /// If the node gives no result.
    pub async fn call_raw(
        &self,
        method: &str,
        params: &[Value],
        repeat: Repeat,
    ) -> Result<Box<RawValue>, RpcError> {
        self.request_raw(method, params, repeat).await
    }

    /// Calls a method of which parameters and result are known.
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

    /// Calls a method that reads and gives hex.
    pub(crate) async fn request_bytes(
        &self,
        method: impl AsRef<str>,
        params: impl Serialize,
    ) -> Result<Bytes, RpcError> {
        let method = method.as_ref();
        let raw = self.request_raw(method, params, Repeat::Safe).await?;
        // Hex has nothing to unescape, so megabytes of it are not copied first.
        let hex = raw
            .get()
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .ok_or_else(|| RpcError::unexpected(method, &"no text of hex"))?;
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
        let mut tries = 0;
        let mut renewed = false;
        loop {
            let generation = self.credentials.generation();
            let error = match self.http.request(method, params.clone()).await {
                Ok(result) => return Ok(result),
                Err(error) => self.sort(method, error),
            };
            // The node did nothing, so even what may not be repeated is tried with a new cookie.
            if error == RpcError::Unauthorized && !renewed && self.credentials.renew(generation) {
                renewed = true;
                continue;
            }
            if repeat == Repeat::Never || !error.is_transient() || tries == self.config.retries {
                return Err(error);
            }
            tries += 1;
            tracing::debug!(method, %error, tries, "trying again");
            tokio::time::sleep(pause).await;
            pause = next_pause(pause);
        }
    }

    fn sort(&self, method: &str, error: ClientError) -> RpcError {
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
                    None => self.failed(known),
                },
                None => self.failed(&*error),
            },
            other => RpcError::unexpected(method, &other),
        }
    }

    fn failed(&self, error: &dyn core::fmt::Display) -> RpcError {
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
    fn pauses_double_up_to_the_longest() {
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
