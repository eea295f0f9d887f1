//! The publishing side: sends each subscriber the frames queued for it.

use core::convert::Infallible;
use std::net::SocketAddr;

use tokio::time::{Instant, sleep_until};
use tracing::info;
use zeromq::{Socket, SocketOptions, SocketRecv, SocketSend, XPubSocket};

use crate::{
    gate::GateLimits,
    link::LinkError,
    shared::{Shared, Subscriber},
    topics::Request,
    wire::split,
};

/// Limits on what a subscriber sends: a handshake, and a few short subscriptions.
pub(crate) const FROM_SUBSCRIBER: GateLimits = GateLimits {
    message: 1024,
    parts: 1,
    total: 64 * 1024,
};

/// Sends until the connection ends. A subscriber that connected to us must subscribe in time.
pub(crate) async fn publish(
    shared: &Shared,
    subscriber: &Subscriber,
    options: SocketOptions,
    endpoint: &str,
    called: Option<SocketAddr>,
) -> Result<Infallible, LinkError> {
    let handshake = shared.limits.handshake;
    let deadline = Instant::now() + handshake;
    let mut socket = XPubSocket::with_options(options);
    socket.connect(endpoint).await?;
    let mut subscriptions = 0_usize;
    loop {
        tokio::select! {
            frame = subscriber.outbox.recv() => {
                let frame = frame.map_err(|_| LinkError::Closed)?;
                for message in split(shared.topics.all(), frame) {
                    socket.send(message).await?;
                }
            }
            message = socket.recv() => {
                match message?.get(0).and_then(|message| shared.topics.read(message)) {
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
