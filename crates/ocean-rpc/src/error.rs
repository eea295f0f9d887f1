//! Errors between a program and its node.

use std::{path::PathBuf, time::Duration};

/// Why a call returned no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// HTTP 401.
    #[error("the node refused the credentials: check rpcuser and rpcpassword, or the cookie file")]
    Unauthorized,
    /// HTTP 403.
    #[error(
        "the node forbids {method} to this user: add it to the user's rpcwhitelist in the node's configuration, or, if it forbids everything, add this machine to its rpcallowip"
    )]
    Forbidden {
        /// The method that was called.
        method: String,
    },
    /// HTTP 503.
    #[error("the node's work queue is full: increase its rpcworkqueue, or send fewer requests")]
    Busy,
    /// Error -28.
    #[error("the node is warming up ({0}): try again later")]
    WarmingUp(String),
    /// Any other error that the node reports.
    #[error("the node returned error {code}: {message}")]
    Node {
        /// The node's code (`RPCErrorCode` in `protocol.h`).
        code: i32,
        /// The node's message.
        message: String,
    },
    /// Nothing listens at the address.
    #[error(
        "connection to {0} refused: check that the node is running and that its rpcport is the one in the URL"
    )]
    ConnectionRefused(String),
    /// The address is unreachable, or the connection broke.
    #[error(
        "connection to {url} failed: {reason}; check the address, and that the node is still running"
    )]
    Connection {
        /// The node's address, without credentials.
        url: String,
        /// The error reported by the system.
        reason: String,
    },
    /// No answer in time.
    #[error(
        "no response within {0:?}: the node hangs or is busy, or the timeout is too short for this call"
    )]
    Timeout(Duration),
    /// A response that is not JSON-RPC.
    #[error(
        "the response is not JSON-RPC (HTTP status {status}): check that the URL is that of the node's rpcport"
    )]
    NotJson {
        /// The HTTP status.
        status: u16,
    },
    /// Any other HTTP status without a JSON body.
    #[error("unexpected HTTP status {0}: check that the URL is that of the node's rpcport")]
    Http(u16),
    /// A request or response above the limit.
    #[error("a request or response exceeds the client's limit of {0} bytes: increase it")]
    TooLarge(u32),
    /// A result of an unexpected form.
    #[error("{method} returned an unexpected result: {reason}")]
    Unexpected {
        /// The method.
        method: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A URL that cannot be used.
    #[error("`{url}` is not a usable URL: {reason}; expected http://host:port")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A cookie file that cannot be read.
    #[error(
        "cannot read the cookie file {path}: {reason}; check that the node is running with this datadir and that this user may read the file"
    )]
    Cookie {
        /// The file.
        path: PathBuf,
        /// The error reported by the system.
        reason: String,
    },
    /// The node's chain has no dialect that this client knows.
    #[error("cannot determine the chain's dialect: {0}; set it explicitly")]
    UnknownDialect(String),
}

/// Limit on the node's text in an error, in bytes; its longest help text is shorter.
const MAX_TEXT: usize = 8192;

/// Returns the node's text, truncated if it is too long to be kept or logged.
pub(crate) fn clipped(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('\u{2026}');
        text.shrink_to_fit();
    }
    text
}

impl RpcError {
    /// `RPC_VERIFY_ERROR`: the proposed block is invalid.
    pub const VERIFY_ERROR: i32 = -25;
    /// `RPC_VERIFY_ALREADY_IN_CHAIN`: the block or transaction is in the chain already (Elements).
    pub const VERIFY_ALREADY_IN_CHAIN: i32 = -27;
    /// `RPC_DESERIALIZATION_ERROR`: a block or transaction that does not decode.
    pub const DESERIALIZATION_ERROR: i32 = -22;
    /// `RPC_METHOD_NOT_FOUND`.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// `RPC_WALLET_NOT_FOUND`: no wallet of this name is loaded.
    pub const WALLET_NOT_FOUND: i32 = -18;
    /// `RPC_WALLET_ALREADY_LOADED`.
    pub const WALLET_ALREADY_LOADED: i32 = -35;
    pub(crate) const IN_WARMUP: i32 = -28;

    /// Creates an error for a result of an unexpected form.
    pub(crate) fn unexpected(method: &str, reason: &dyn core::fmt::Display) -> Self {
        Self::Unexpected {
            method: method.to_owned(),
            reason: clipped(reason.to_string()),
        }
    }

    /// Returns whether the same call may succeed a little later. A missing cookie file counts,
    /// because the node creates it when it starts.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::WarmingUp(_)
                | Self::ConnectionRefused(_)
                | Self::Connection { .. }
                | Self::Timeout(_)
                | Self::Cookie { .. }
        )
    }

    /// Returns the node's own error code, if it returned one.
    #[must_use]
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Node { code, .. } => Some(*code),
            Self::WarmingUp(_) => Some(Self::IN_WARMUP),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_truncated_between_characters() {
        assert_eq!(clipped("short".to_owned()), "short");
        let long = clipped("\u{20ac}".repeat(1_000_000));
        assert_eq!(long.chars().last(), Some('\u{2026}'));
        assert_eq!(long.len(), MAX_TEXT / 3 * 3 + 3);
    }
}
