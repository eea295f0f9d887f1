//! The errors of a messenger.

use std::{error::Error, sync::Arc};

/// Why a frame was not accepted or cannot be received.
///
/// A peer that is down, slow or faulty causes no error; it shows in the statistics.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MessengerError {
    /// The messenger was closed by its owner and cannot be reopened.
    #[error("the messenger is closed")]
    Closed,
    /// The caller's frame is larger than any peer accepts.
    #[error("a frame of {len} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Size of the refused frame, in bytes.
        len: usize,
        /// Size limit of a frame, in bytes.
        limit: usize,
    },
    /// The network or the broker failed in a way the backend cannot recover from.
    #[error("the messenger's backend failed")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

impl MessengerError {
    /// Wraps the error of a backend.
    pub fn backend(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Arc::new(source))
    }
}
