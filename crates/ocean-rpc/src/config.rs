//! How to reach a node.

use core::fmt;
use std::{path::PathBuf, time::Duration};

use federation_chain::Dialect;
use zeroize::Zeroizing;

/// How to prove to the node who asks.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nothing, or user and password in the URL.
    #[default]
    None,
    /// `rpcuser` and `rpcpassword`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// The node's cookie file, read again whenever the node refuses what was read before.
    Cookie(PathBuf),
}

impl Auth {
    /// User and password.
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

/// How to reach a node, and how patient to be.
#[derive(Clone)]
pub struct NodeConfig {
    pub(crate) url: String,
    pub(crate) auth: Auth,
    pub(crate) timeout: Duration,
    pub(crate) max_body: u32,
    pub(crate) retries: u32,
    pub(crate) first_pause: Duration,
    pub(crate) dialect: Option<Dialect>,
}

impl NodeConfig {
    /// The node at this URL: `http://host:port`, with a path where a wallet is meant, with
    /// `user:password@` where that is how the credentials come.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            auth: Auth::None,
            timeout: Duration::from_secs(30),
            max_body: 64 * 1024 * 1024,
            retries: 4,
            first_pause: Duration::from_millis(50),
            dialect: None,
        }
    }

    /// Sets the credentials.
    #[must_use]
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets how long one try may take; 30 seconds if not set.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the largest request and answer, in bytes; 64 MiB if not set. Eight megabytes of hex are
    /// a block of four.
    #[must_use]
    pub const fn with_max_body(mut self, bytes: u32) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets how often a call that may be repeated is tried again (4 if not set), and the pause
    /// before the first of these (50 ms), which doubles each time.
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

    /// The URL without credentials.
    #[must_use]
    pub fn public_url(&self) -> String {
        split_credentials(&self.url).0
    }
}

impl fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig")
            .field("url", &self.public_url())
            .field("auth", &self.auth)
            .field("timeout", &self.timeout)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

/// A URL without `user:password@`, and what stood there.
pub(crate) fn split_credentials(url: &str) -> (String, Option<Zeroizing<String>>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((credentials, _)) => (
            format!("{scheme}://{}", &rest[credentials.len() + 1..]),
            Some(Zeroizing::new(credentials.to_owned())),
        ),
        None => (url.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let config = NodeConfig::new("http://user:secret@localhost:7041/wallet/w")
            .with_auth(Auth::basic("user", "secret"));
        assert_eq!(config.public_url(), "http://localhost:7041/wallet/w");
        assert!(!format!("{config:?}").contains("secret"));
        let (url, credentials) = split_credentials(&config.url);
        assert_eq!(url, config.public_url());
        assert_eq!(
            credentials.as_deref().map(String::as_str),
            Some("user:secret")
        );
        assert_eq!(split_credentials("http://h:1/a@b").1, None);
    }
}
