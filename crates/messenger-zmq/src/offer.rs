//! Offers a peer our frames over a connection that we open.
//!
//! A peer that cannot connect to us, because we are behind a router that blocks incoming connections
//! or our endpoint's address is wrong, subscribes over this connection. A peer that can connect does
//! not subscribe here, and the connection stays idle.

use core::{convert::Infallible, time::Duration};
use std::sync::Arc;

use federation_messenger::Peer;
use federation_roster::OperatorId;
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::{
    Endpoint,
    link::LinkError,
    publisher::{FROM_SUBSCRIBER, publish},
    shared::{Publisher, Shared},
    subscriber::{connect, handshake},
    topics::Topics,
    zmtp::SocketType,
};

/// The first and the longest pause after a refused offer. Earlier versions refuse all offers.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Keeps an offer open whenever the peer is connected, indefinitely.
pub(crate) async fn offer(
    shared: Arc<Shared>,
    peer: Arc<Publisher>,
    endpoint: Endpoint,
    me: OperatorId,
) {
    let (first, last) = RETRY;
    let mut changes = shared.changes.subscribe();
    let mut wait = first;
    loop {
        while !peer.is_connected() {
            // Cannot fail: the sender is in `shared`.
            let _ = changes.changed().await;
            wait = first;
        }
        let started = Instant::now();
        let end = match serve(&shared, &peer, &endpoint, me).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        debug!(peer = %endpoint, %end, retry_ms = wait.as_millis(), "offer ended");
        if started.elapsed() > last {
            // It was open for a while: most likely the peer is restarting.
            wait = first;
        }
        sleep(wait).await;
        wait = last.min(wait * 2);
    }
}

async fn serve(
    shared: &Arc<Shared>,
    peer: &Publisher,
    endpoint: &Endpoint,
    me: OperatorId,
) -> Result<Infallible, LinkError> {
    let (_own, mut connection) = connect(shared, peer, endpoint, FROM_SUBSCRIBER).await?;
    let identity = Topics::identity(me);
    handshake(shared, &mut connection, SocketType::XPub, &identity).await?;
    let slot = shared.add_subscriber(Peer::Address(endpoint.to_string().into()), true);
    publish(shared, &slot.subscriber, connection, None).await
}
