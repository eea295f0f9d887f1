//! The publishing side: takes connections, and sends each subscriber what waits for it.

use core::time::Duration;
use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info, warn};
use zeromq::{Socket, SocketRecv, SocketSend, XPubSocket, ZmqMessage};

use crate::{
    gate::GateLimits,
    link::{Bridge, LinkError, options, tune},
    shared::{Shared, Subscriber, SubscriberSlot},
    wire::split,
};

/// What a subscriber may send: a handshake, and some subscriptions of some length.
const FROM_SUBSCRIBER: GateLimits = GateLimits {
    message: 1024,
    parts: 1,
    total: 64 * 1024,
};

/// How long to wait when no connection can be taken, as when there are too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Takes connections until told to stop, then closes them all.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    mut closing: watch::Receiver<bool>,
) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((outer, remote)) => match shared.admit(remote) {
                    Some(slot) => {
                        links.spawn(serve(Arc::clone(&shared), slot, outer, remote));
                    }
                    None => warn!(%remote, "no place for another subscriber, connection closed"),
                },
                Err(error) => {
                    warn!(%error, "cannot take a connection");
                    sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = links.join_next() => {}
            _ = closing.changed() => break,
        }
    }
    drop(listener);
    links.shutdown().await;
}

/// Serves one subscriber to its end.
async fn serve(shared: Arc<Shared>, slot: SubscriberSlot, outer: TcpStream, remote: SocketAddr) {
    let end = match start(&outer).await {
        Ok(bridge) => {
            let endpoint = bridge.endpoint();
            tokio::select! {
                end = bridge.run(outer, FROM_SUBSCRIBER, shared.limits.stall) => end,
                end = publish(&shared, &slot.subscriber, endpoint, remote) => match end {
                    Ok(never) => match never {},
                    Err(end) => end,
                },
            }
        }
        Err(error) => error.into(),
    };
    if let LinkError::Oneself = end {
        warn!(%remote, "{end}");
    } else {
        debug!(%remote, %end, "subscriber gone");
    }
}

async fn start(outer: &TcpStream) -> std::io::Result<Bridge> {
    tune(outer)?;
    Bridge::new().await
}

async fn publish(
    shared: &Shared,
    subscriber: &Subscriber,
    endpoint: String,
    remote: SocketAddr,
) -> Result<core::convert::Infallible, LinkError> {
    let handshake = shared.limits.handshake;
    let deadline = Instant::now() + handshake;
    let mut socket = XPubSocket::with_options(options(&shared.limits));
    socket.connect(&endpoint).await?;
    let mut subscriptions = 0_usize;
    loop {
        tokio::select! {
            frame = subscriber.outbox.recv() => {
                let frame = frame.map_err(|_| LinkError::Closed)?;
                for message in split(&shared.topic, frame) {
                    socket.send(message).await?;
                }
            }
            asked = socket.recv() => {
                match subscription(&asked?, &shared.topic) {
                    Some(true) => subscriptions += 1,
                    Some(false) => subscriptions = subscriptions.saturating_sub(1),
                    None => continue,
                }
                if shared.is_own(remote) {
                    return Err(LinkError::Oneself);
                }
                info!(%remote, subscribed = subscriptions > 0, "subscriber");
                subscriber.set_subscribed(subscriptions > 0);
            }
            () = sleep_until(deadline), if subscriptions == 0 => {
                return Err(LinkError::Unsubscribed(handshake));
            }
        }
    }
}

/// Whether a message subscribes to our topic, or unsubscribes from it.
fn subscription(message: &ZmqMessage, topic: &[u8]) -> Option<bool> {
    let (what, prefix) = message.get(0)?.split_first()?;
    let subscribes = match what {
        0 => false,
        1 => true,
        _ => return None,
    };
    topic.starts_with(prefix).then_some(subscribes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_count_if_they_are_to_our_topic() {
        let asked = |text: &'static [u8]| {
            let message = ZmqMessage::from(bytes::Bytes::from_static(text));
            subscription(&message, b"federation/1/ab")
        };
        assert_eq!(asked(b"\x01federation/1/ab"), Some(true));
        assert_eq!(asked(b"\x01federation"), Some(true));
        assert_eq!(asked(b"\x01"), Some(true));
        assert_eq!(asked(b"\x00federation/1/ab"), Some(false));
        assert_eq!(asked(b"\x01federation/1/abc"), None);
        assert_eq!(asked(b"\x01other"), None);
        assert_eq!(asked(b"\x02federation"), None);
        assert_eq!(asked(b""), None);
    }
}
