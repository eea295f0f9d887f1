//! The client: one node, any number of callers.

use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use federation_chain::Dialect;
use http::HeaderValue;
use jsonrpsee::{
    core::{
        client::{ClientT, Error as ClientError},
        params::ArrayParams,
    },
    http_client::{HttpClient, HttpClientBuilder, RpcService, RpcServiceBuilder},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};
use zeroize::Zeroizing;

use crate::{
    Auth, NodeConfig, RpcError,
    config::split_credentials,
    middleware::{NodeDialect, NodeDialectLayer, find_fault},
};

type Http = HttpClient<RpcService<NodeDialect>>;

/// Whether a call may be tried again when nobody knows what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It reads, or does the same when done twice.
    Safe,
    /// It sends or makes something.
    Never,
}

/// A client of one node. Clones share their connections.
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
        let credentials = Arc::new(Credentials::new(&config));
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
        let url = config.public_url();
        let layer = NodeDialectLayer {
            credentials: credentials.clone(),
            url: url.as_str().into(),
            max_body: config.max_body,
        };
        let http = HttpClientBuilder::new()
            .max_request_size(config.max_body)
            .max_response_size(config.max_body.saturating_add(1024))
            .request_timeout(config.timeout)
            .set_rpc_middleware(RpcServiceBuilder::new())
            .set_http_middleware(tower::ServiceBuilder::new().layer(layer))
            .build(&url)
            .map_err(|error| RpcError::Url {
                url,
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
        let mut config = self.config.clone();
        let base = config.url.split("/wallet/").next().unwrap_or_default();
        let mut url = format!("{}/wallet/", base.trim_end_matches('/'));
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                url.push(char::from(byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        config.url = url;
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
        self.call_with(method, params, Repeat::Never).await
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
        let raw = self.call_raw(method, params, repeat).await?;
        serde_json::from_str(raw.get()).map_err(|error| RpcError::Unexpected {
            method: method.to_owned(),
            reason: error.to_string(),
        })
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
        let mut pause = self.config.first_pause;
        let mut tries = 0;
        let mut renewed = false;
        loop {
            let error = match self.try_once(method, params).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            // The node did nothing, so even what may not be repeated is tried with a new cookie.
            if error == RpcError::Unauthorized && !renewed && self.credentials.renew() {
                renewed = true;
                continue;
            }
            if repeat == Repeat::Never || !error.is_transient() || tries == self.config.retries {
                return Err(error);
            }
            tries += 1;
            tracing::debug!(method, %error, tries, "trying again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn try_once(&self, method: &str, params: &[Value]) -> Result<Box<RawValue>, RpcError> {
        let mut array = ArrayParams::new();
        for param in params {
            array.insert(param).map_err(|error| RpcError::Unexpected {
                method: method.to_owned(),
                reason: error.to_string(),
            })?;
        }
        self.http
            .request(method, array)
            .await
            .map_err(|error| self.sort(method, error))
    }

    fn sort(&self, method: &str, error: ClientError) -> RpcError {
        match error {
            ClientError::Call(object) if object.code() == RpcError::IN_WARMUP => {
                RpcError::WarmingUp(object.message().to_owned())
            }
            ClientError::Call(object) => RpcError::Node {
                code: object.code(),
                message: object.message().to_owned(),
            },
            ClientError::RequestTimeout => RpcError::Timeout(self.config.timeout),
            ClientError::Transport(error) => find_fault(&error).unwrap_or_else(|| {
                if error.to_string().contains("too") {
                    RpcError::TooLarge(self.config.max_body)
                } else {
                    RpcError::Connection {
                        url: self.url(),
                        reason: error.to_string(),
                    }
                }
            }),
            other => RpcError::Unexpected {
                method: method.to_owned(),
                reason: other.to_string(),
            },
        }
    }
}

/// What is sent to prove who asks.
pub(crate) struct Credentials {
    auth: Auth,
    in_url: Option<Zeroizing<String>>,
    /// The header as it was last made, kept so that the cookie file is read once per node start.
    header: Mutex<Option<HeaderValue>>,
}

impl Credentials {
    fn new(config: &NodeConfig) -> Self {
        Self {
            auth: config.auth.clone(),
            in_url: split_credentials(&config.url).1,
            header: Mutex::new(None),
        }
    }

    /// The `Authorization` header, if there is anything to prove.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, RpcError> {
        let mut kept = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = self.make()?;
        }
        Ok(kept.clone())
    }

    fn make(&self) -> Result<Option<HeaderValue>, RpcError> {
        let pair = match (&self.auth, &self.in_url) {
            (Auth::Basic { user, password }, _) => {
                Zeroizing::new(format!("{user}:{}", password.as_str()))
            }
            (Auth::Cookie(path), _) => read_cookie(path)?,
            (Auth::None, Some(pair)) => pair.clone(),
            (Auth::None, None) => return Ok(None),
        };
        let text = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        // Base64 has no character that a header does not allow.
        let mut value = HeaderValue::from_str(&text).map_err(|_| RpcError::Unauthorized)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Forgets a cookie that the node refused; says whether there is another to try.
    fn renew(&self) -> bool {
        if !matches!(self.auth, Auth::Cookie(_)) {
            return false;
        }
        let mut kept = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = kept.take();
        match self.make() {
            Ok(new) if new != refused => {
                *kept = new;
                true
            }
            _ => false,
        }
    }
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Credentials({:?})", self.auth)
    }
}

fn read_cookie(path: &Path) -> Result<Zeroizing<String>, RpcError> {
    match std::fs::read_to_string(path) {
        Ok(cookie) => Ok(Zeroizing::new(cookie.trim().to_owned())),
        Err(error) => Err(RpcError::Cookie {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}
