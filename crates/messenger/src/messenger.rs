//! The trait that every messenger implements.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use federation_roster::{MAX_PAYLOAD, OperatorId};

use crate::{MessengerError, MessengerStats};

/// Most bytes in one frame: the largest payload and ample room for its envelope.
pub const MAX_FRAME: usize = MAX_PAYLOAD + 64 * 1024;

/// Carries opaque frames between operators.
///
/// All methods take `&self`: one messenger is shared by the tasks of an operator. Usually one task
/// receives; if several do, each frame goes to one of them.
#[async_trait]
pub trait Messenger: Send + Sync + 'static {
    /// Hands a frame over for delivery to all other operators and returns at once.
    ///
    /// Delivered or not is never known here. A peer that cannot be reached now misses the frame.
    ///
    /// # Errors
    /// [`MessengerError::TooLarge`] over [`MAX_FRAME`] bytes, [`MessengerError::Closed`] after
    /// [`close`](Self::close), [`MessengerError::Backend`] if the backend is beyond repair.
    async fn broadcast(&self, frame: Bytes) -> Result<(), MessengerError>;

    /// Hands a frame over for delivery to one operator and returns at once, for answers that are of
    /// no use to the others and large.
    ///
    /// It is a way to spare the links, not to keep a secret: a backend that cannot address one
    /// operator hands the frame to all, as this method does unless it is implemented, and one that
    /// can ([`has_unicast`](Self::has_unicast)) may do so while it does not know which link is the
    /// operator's. Nothing is known of the delivery, as with [`broadcast`](Self::broadcast), and the
    /// same bounds hold. Nobody has a use for a frame to itself.
    ///
    /// # Errors
    /// As [`broadcast`](Self::broadcast).
    async fn send_to(&self, to: OperatorId, frame: Bytes) -> Result<(), MessengerError> {
        let _ = to;
        self.broadcast(frame).await
    }

    /// Whether [`send_to`](Self::send_to) can address one operator. No unless it is implemented.
    fn has_unicast(&self) -> bool {
        false
    }

    /// Waits for the next frame from anyone else.
    ///
    /// Dropping the returned future loses no frame. Nothing about a frame is trusted: not even that
    /// it comes from an operator.
    ///
    /// # Errors
    /// [`MessengerError::Closed`] after [`close`](Self::close), [`MessengerError::Backend`] if the
    /// backend is beyond repair.
    async fn recv(&self) -> Result<Bytes, MessengerError>;

    /// What has been carried and dropped so far.
    fn stats(&self) -> MessengerStats;

    /// Stops for good: lets go of sockets and tasks, wakes every pending [`recv`](Self::recv), and
    /// makes every later call fail with [`MessengerError::Closed`]. Closing twice is no error.
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
