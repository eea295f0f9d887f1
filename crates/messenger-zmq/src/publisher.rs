//! The publishing side: sends each subscriber the frames queued for it.

use core::convert::Infallible;
use std::net::SocketAddr;

use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tracing::info;

use crate::{
    link::LinkError,
    shared::{Shared, Subscriber},
    topics::Request,
    wire::split,
    zmtp::{Connection, Limits},
};

/// Limits on what a subscriber sends: a handshake, and a few short subscriptions.
pub(crate) const FROM_SUBSCRIBER: Limits = Limits {
    message: 1024,
    parts: 1,
    total: 64 * 1024,
};

/// Sends until the connection ends. A subscriber that connected to us must subscribe in time.
pub(crate) async fn publish(
    shared: &Shared,
    subscriber: &Subscriber,
    mut connection: Connection<TcpStream>,
    called: Option<SocketAddr>,
) -> Result<Infallible, LinkError> {
    let handshake = shared.limits.handshake;
    let deadline = Instant::now() + handshake;
    let mut subscriptions = 0_usize;
    loop {
        tokio::select! {
            frame = subscriber.outbox.recv() => {
                let frame = frame.map_err(|_| LinkError::Closed)?;
                if subscriptions == 0 {
                    // Queued before the peer unsubscribed.
                    continue;
                }
                for message in split(shared.topics.all(), frame) {
                    connection.send(&message).await?;
                }
            }
            message = connection.recv() => {
                match message?.first().and_then(|message| shared.topics.read(message)) {
                    Some(Request::Frames(true)) => subscriptions += 1,
                    Some(Request::Frames(false)) => subscriptions = subscriptions.saturating_sub(1),
                    Some(Request::Name(operator, is)) => {
                        subscriber.set_name(operator, is);
                        continue;
                    }
                    None => continue,
                }
                if called.is_some_and(|remote| shared.is_own(remote)) {
                    return Err(LinkError::Oneself);
                }
                info!(peer = %subscriber.peer(), subscribed = subscriptions > 0, "subscription changed");
                subscriber.set_subscribed(subscriptions > 0);
            }
            () = sleep_until(deadline), if called.is_some() && subscriptions == 0 => {
                return Err(LinkError::Unsubscribed(handshake));
            }
        }
    }
}
