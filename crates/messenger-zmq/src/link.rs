//! Why a link ended.

use core::time::Duration;
use std::io;

use federation_roster::OperatorId;

use crate::zmtp::ZmtpError;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Zmtp(#[from] ZmtpError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no connection within {} ms", .0.as_millis())]
    Connect(Duration),
    #[error("no subscription within {} ms", .0.as_millis())]
    Unsubscribed(Duration),
    #[error(
        "the connection comes from this messenger itself: remove its own endpoint from its peers"
    )]
    Oneself,
    #[error("publisher of no known operator")]
    Unknown,
    #[error("too many publishers claim to be operator {0}")]
    Claimed(OperatorId),
    #[error("the messenger is closed")]
    Closed,
}
