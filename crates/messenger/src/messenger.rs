//! The trait that every messenger implements.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use federation_roster::{MAX_PAYLOAD, OperatorId};

use crate::{MessengerError, MessengerStats};

/// Size limit of a frame in bytes: the largest payload and ample room for its envelope.
pub const MAX_FRAME: usize = MAX_PAYLOAD + 64 * 1024;

/// Checks the size of a frame, for backends.
///
/// # Errors
/// [`MessengerError::TooLarge`] over [`MAX_FRAME`] bytes.
pub const fn check_size(frame: &Bytes) -> Result<(), MessengerError> {
    if frame.len() > MAX_FRAME {
        return Err(MessengerError::TooLarge {
            len: frame.len(),
            limit: MAX_FRAME,
        });
    }
    Ok(())
}

/// Carries opaque frames between operators.
///
/// All methods take `&self`: the tasks of an operator share one messenger. Usually one task
/// receives; if several do, each frame goes to one of them.
#[async_trait]
pub trait Messenger: Send + Sync + 'static {
    /// Queues a frame for delivery to all other operators and returns at once.
    ///
    /// There is no confirmation of delivery. A peer that is unreachable now misses the frame.
    ///
    /// # Errors
    /// [`MessengerError::TooLarge`] over [`MAX_FRAME`] bytes, [`MessengerError::Closed`] after
    /// [`close`](Self::close), [`MessengerError::Backend`] if the backend has failed for good.
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError>;

    /// Queues a frame for delivery to one operator and returns at once, for large replies that the
    /// others have no use for.
    ///
    /// This saves bandwidth; it does not keep a secret. A backend without unicast sends the frame to
    /// everyone, as the default implementation does, and a backend with it
    /// ([`has_unicast`](Self::has_unicast)) may do so while it does not know which link is the
    /// operator's. As with [`broadcast`](Self::broadcast), there is no confirmation of delivery, and
    /// the same limits apply. What happens to a frame addressed to oneself is unspecified.
    ///
    /// # Errors
    /// The same as [`broadcast`](Self::broadcast).
    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        let _ = to;
        self.broadcast(frame).await
    }

    /// Whether [`send_to`](Self::send_to) can address a single operator. `false` by default.
    fn has_unicast(&self) -> bool {
        false
    }

    /// Waits for the next frame from anyone else.
    ///
    /// Dropping the returned future loses no frame. Nothing about a frame may be trusted, not even
    /// that an operator sent it.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] after [`close`](Self::close), [`MessengerError::Backend`] if the
    /// backend has failed for good.
    async fn recv(&self) -> Result<Bytes, MessengerError>;

    /// Returns the counters of frames carried and dropped so far.
    fn stats(&self) -> MessengerStats;

    /// Stops for good: releases sockets and tasks, wakes every pending [`recv`](Self::recv), and
    /// makes every later call fail with [`MessengerError::Closed`]. Closing again has no effect.
    async fn close(&self);
}

#[async_trait]
impl<M: Messenger + ?Sized> Messenger for Arc<M> {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        (**self).broadcast(frame).await
    }

    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        (**self).send_to(to, frame).await
    }

    fn has_unicast(&self) -> bool {
        (**self).has_unicast()
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        (**self).recv().await
    }

    fn stats(&self) -> MessengerStats {
        (**self).stats()
    }

    async fn close(&self) {
        (**self).close().await;
    }
}

#[async_trait]
impl<M: Messenger + ?Sized> Messenger for Box<M> {
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError> {
        (**self).broadcast(frame).await
    }

    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        (**self).send_to(to, frame).await
    }

    fn has_unicast(&self) -> bool {
        (**self).has_unicast()
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        (**self).recv().await
    }

    fn stats(&self) -> MessengerStats {
        (**self).stats()
    }

    async fn close(&self) {
        (**self).close().await;
    }
}
