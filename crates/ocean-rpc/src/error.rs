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
    #[error(
        "the node forbids {method} to this user: add it to the user's rpcwhitelist in the node's configuration, or, if it forbids everything, this machine to its rpcallowip"
    )]
    Forbidden {
        /// The method that was called.
        method: String,
    },
    /// HTTP 503.
    #[error("the node's work queue is full: raise its rpcworkqueue, or ask less often")]
    Busy,
    /// Error -28.
    #[error("the node is warming up ({0}): ask again in a moment")]
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
    /// There is no way to the address, or the connection broke.
    #[error(
        "connection to {url} failed: {reason}; is the address right and the node still running"
    )]
    Connection {
        /// The node's address, without credentials.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// No answer in time.
    #[error(
        "no answer within {0:?}: the node is stuck or busy, or the time-out too short for the call"
    )]
    Timeout(Duration),
    /// An answer that is no JSON.
    #[error(
        "the answer is no JSON-RPC (HTTP status {status}): is this the url of the node's rpcport"
    )]
    NotJson {
        /// The HTTP status.
        status: u16,
    },
    /// Another HTTP status without a JSON body.
    #[error(
        "the answer is HTTP status {0}, which no node gives: is this the url of the node's rpcport"
    )]
    Http(u16),
    /// A request or an answer beyond the limit.
    #[error("a request or answer is above the client's limit of {0} bytes: raise it")]
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
    #[error("`{url}` is no usable url: {reason}; write http://host:port")]
    Url {
        /// The URL, without credentials.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A cookie file that cannot be read.
    #[error(
        "cannot read the cookie file {path}: {reason}; is the node running with this datadir, and may this user read the file"
    )]
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

/// How much of a text of the node's goes into an error, in bytes; its longest help is shorter.
const MAX_TEXT: usize = 8192;

/// A text of the node's, cut where it is too long to be kept or logged.
pub(crate) fn clipped(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('\u{2026}');
        text.shrink_to_fit();
    }
    text
}

impl RpcError {
    /// `RPC_VERIFY_ERROR`: a proposal that was refused.
    pub const VERIFY_ERROR: i32 = -25;
    /// `RPC_VERIFY_ALREADY_IN_CHAIN`: what was to be tested or sent is in the chain (Elements).
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

    /// A result that is not what the method is known to give.
    pub(crate) fn unexpected(method: &str, reason: &dyn core::fmt::Display) -> Self {
        Self::Unexpected {
            method: method.to_owned(),
            reason: clipped(reason.to_string()),
        }
    }

    /// Whether the same call may succeed a little later. A cookie file that is missing is made when
    /// the node starts.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(clipped("short".to_owned()), "short");
        let long = clipped("\u{20ac}".repeat(1_000_000));
        assert_eq!(long.chars().last(), Some('\u{2026}'));
        assert_eq!(long.len(), MAX_TEXT / 3 * 3 + 3);
    }
}
