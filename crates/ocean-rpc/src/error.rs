//! What can go wrong between a program and its node.

use std::{path::PathBuf, time::Duration};

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// HTTP 401.
    #[error("the node refused the credentials: check rpcuser and rpcpassword, or the cookie file")]
    Unauthorized,
    /// HTTP 403.
    #[error("the node refused this machine or method: check its rpcallowip and rpcwhitelist")]
    Forbidden,
    /// HTTP 503.
    #[error("the node's work queue is full: raise its rpcworkqueue, or ask less often")]
    Busy,
    /// Error -28.
    #[error("the node is warming up: {0}")]
    WarmingUp(String),
    /// Any other error of the node's own.
    #[error("the node answered {code}: {message}")]
    Node {
        /// The node's code (`RPCErrorCode` in `protocol.h`).
        code: i32,
        /// The node's message.
        message: String,
    },
    /// Nobody listens at the address.
    #[error("connection to {0} refused: is the node running, and its rpcport the one in the url")]
    ConnectionRefused(String),
    /// The connection broke.
    #[error("connection to {url} lost: {reason}")]
    Connection {
        /// The node's address, without credentials.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// An answer that is no JSON.
    #[error("the answer is no JSON-RPC (HTTP status {status}): is this the node's RPC port?")]
    NotJson {
        /// The HTTP status.
        status: u16,
    },
    /// Another HTTP status without a JSON body.
    #[error("the node answered with HTTP status {0}")]
    Http(u16),
    /// A request or an answer beyond the limit.
    #[error("a request or answer is above the limit of {0} bytes")]
    TooLarge(u32),
    /// A result that is not what the method is known to give.
    #[error("{method} gave an unexpected result: {reason}")]
    Unexpected {
        /// The method.
        method: String,
        /// What was wrong.
        reason: String,
    },
    /// A URL that cannot be used.
    #[error("`{url}` is no usable url: {reason}")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A cookie file that cannot be read.
    #[error("cannot read the cookie file {path}: {reason}; is the node running with this datadir?")]
    Cookie {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The node answers with a chain that this client cannot place.
    #[error("cannot tell the chain's dialect: {0}; set it")]
    UnknownDialect(String),
}

impl RpcError {
    /// `RPC_VERIFY_ERROR`: a proposal that was refused.
    pub const VERIFY_ERROR: i32 = -25;
    /// `RPC_DESERIALIZATION_ERROR`: a block or transaction that does not decode.
    pub const DESERIALIZATION_ERROR: i32 = -22;
    /// `RPC_METHOD_NOT_FOUND`.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    pub(crate) const IN_WARMUP: i32 = -28;

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::WarmingUp(_)
                | Self::ConnectionRefused(_)
                | Self::Connection { .. }
                | Self::Timeout(_)
        )
    }

    /// The node's own error code, if the node gave one.
    #[must_use]
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Node { code, .. } => Some(*code),
            Self::WarmingUp(_) => Some(Self::IN_WARMUP),
            _ => None,
        }
    }
}
