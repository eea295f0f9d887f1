//! The address of a node, and timeouts and retries for it.

use core::fmt;
use std::{path::PathBuf, time::Duration};

use federation_chain::Dialect;
use url::Url;
use zeroize::Zeroizing;

use crate::{RpcError, address};

/// Authentication at the node.
#[derive(Clone, Default)]
pub enum Auth {
    /// None, or user and password in the URL.
    #[default]
    None,
    /// `rpcuser` and `rpcpassword`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// The node's cookie file, read again whenever the node refuses the previous cookie.
    Cookie(PathBuf),
}

impl Auth {
    /// Authentication with user and password.
    #[must_use]
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Basic {
            user: user.into(),
            password: Zeroizing::new(password.into()),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic { user, .. } => write!(f, "Basic({user}, ..)"),
            Self::Cookie(path) => write!(f, "Cookie({})", path.display()),
        }
    }
}

/// The address of a node, its credentials, and timeouts and retries for it.
#[derive(Clone)]
pub struct NodeConfig {
    /// Without credentials. If the URL is invalid, the error is returned when a client is created.
    url: Result<Url, RpcError>,
    auth: Auth,
    auth_in_url: Auth,
    pub(crate) timeout: Duration,
    pub(crate) max_body: u32,
    pub(crate) retries: u32,
    pub(crate) first_pause: Duration,
    pub(crate) dialect: Option<Dialect>,
}

impl NodeConfig {
    /// Creates the configuration of the node at this URL: `http://host:port`, with a path for a
    /// wallet, and with `user:password@` if the credentials are in the URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let (url, auth_in_url) = match address::parse(&Zeroizing::new(url.into())) {
            Ok((url, auth)) => (Ok(url), auth),
            Err(error) => (Err(error), Auth::None),
        };
        Self {
            url,
            auth: Auth::None,
            auth_in_url,
            timeout: Duration::from_secs(30),
            max_body: 64 * 1024 * 1024,
            retries: 4,
            first_pause: Duration::from_millis(50),
            dialect: None,
        }
    }

    /// Sets the credentials, which take precedence over those in the URL.
    #[must_use]
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets the timeout of one attempt; 30 seconds by default.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum size of a request or response, in bytes; 64 MiB by default. A block of 4 MB
    /// is 8 MB of hex.
    #[must_use]
    pub const fn with_max_body(mut self, bytes: u32) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how often a repeatable call is retried (4 by default), and the pause before the first
    /// retry (50 ms by default), which doubles each time up to 5 seconds.
    #[must_use]
    pub const fn with_retries(mut self, retries: u32, first_pause: Duration) -> Self {
        self.retries = retries;
        self.first_pause = first_pause;
        self
    }

    /// Sets the dialect instead of asking the node.
    #[must_use]
    pub const fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Returns the URL without credentials.
    #[must_use]
    pub fn public_url(&self) -> String {
        match &self.url {
            Ok(url) => address::shown(url),
            Err(RpcError::Url { url, .. }) => url.clone(),
            Err(_) => String::new(),
        }
    }

    /// Returns the URL without credentials, if it is valid.
    pub(crate) fn url(&self) -> Result<&Url, RpcError> {
        self.url.as_ref().map_err(Clone::clone)
    }

    /// Returns the same node, at another URL.
    pub(crate) fn at(&self, url: Url) -> Self {
        Self {
            url: Ok(url),
            ..self.clone()
        }
    }

    /// Returns the effective credentials.
    pub(crate) const fn auth(&self) -> &Auth {
        match &self.auth {
            Auth::None => &self.auth_in_url,
            given => given,
        }
    }
}

impl fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig")
            .field("url", &self.public_url())
            .field("auth", self.auth())
            .field("timeout", &self.timeout)
            .field("max_body", &self.max_body)
            .field("retries", &self.retries)
            .field("first_pause", &self.first_pause)
            .field("dialect", &self.dialect)
            .finish()
    }
}
