//! What can go wrong with a messenger.

use std::{error::Error, sync::Arc};

/// Why a frame was not taken or not given.
///
/// A peer that is down, slow or lying is no error: it shows in the statistics.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MessengerError {
    /// The messenger was closed by its owner; it does not open again.
    #[error("the messenger is closed")]
    Closed,
    /// The caller's frame is larger than any peer would take.
    #[error("a frame of {len} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Bytes in the refused frame.
        len: usize,
        /// Most bytes a frame may have.
        limit: usize,
    },
    /// The network or the broker below failed in a way that the backend cannot mend by itself.
    #[error("the messenger's backend failed")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

impl MessengerError {
    /// Wraps the error of a backend.
    pub fn backend(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Backend(Arc::new(source))
    }
}
