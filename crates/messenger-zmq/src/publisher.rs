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
use zeromq::{Socket, SocketRecv, SocketSend, XPubSocket};

use crate::{
    gate::GateLimits,
    link::{Bridge, LinkError, options, tune},
    shared::{Shared, Subscriber, SubscriberSlot},
    topics::Asked,
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
                for message in split(shared.topics.all(), frame) {
                    socket.send(message).await?;
                }
            }
            asked = socket.recv() => {
                match asked?.get(0).and_then(|asked| shared.topics.read(asked)) {
                    Some(Asked::Frames(true)) => subscriptions += 1,
                    Some(Asked::Frames(false)) => subscriptions = subscriptions.saturating_sub(1),
                    Some(Asked::Name(operator, is)) => {
                        subscriber.set_name(operator, is);
                        continue;
                    }
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
