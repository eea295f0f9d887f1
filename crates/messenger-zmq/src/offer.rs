//! Offers a peer our frames over a connection that we make.
//!
//! A peer that cannot connect to us, because we are behind a router that lets nobody in or at
//! another address than our endpoint's, takes them that way. One that can does not: it subscribes
//! to nothing here, and the connection rests.

use core::{convert::Infallible, time::Duration};
use std::sync::Arc;

use federation_messenger::Peer;
use federation_roster::OperatorId;
use tokio::time::{Instant, sleep};
use tracing::debug;
use zeromq::{SocketOptions, util::PeerIdentity};

use crate::{
    Endpoint,
    greeting::Opening,
    link::{Bridge, LinkError, options},
    publisher::{FROM_SUBSCRIBER, publish},
    shared::{Publisher, Shared},
    subscriber::connect,
    topics::Topics,
};

/// How long to wait after an offer that was refused, at first and at most. Earlier versions refuse
/// them all.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Offers as long as the peer is reached, for ever.
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
            // The sender is in the same object as what is shared: it is there.
            let _ = changes.changed().await;
            wait = first;
        }
        let started = Instant::now();
        let end = match serve(&shared, &peer, &endpoint, me).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        debug!(peer = %endpoint, %end, ?wait, "offer over");
        if started.elapsed() > last {
            // It was taken for a while: most likely the peer restarts.
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
    let outer = connect(shared, peer, endpoint).await?;
    let _own = shared.own(outer.local_addr()?);
    let slot = shared.add_subscriber(Peer::Address(endpoint.to_string().into()), true);
    let bridge = Bridge::new().await?;
    let inner = bridge.endpoint();
    let options = identified(options(&shared.limits), me)?;
    let opening = Opening::none(FROM_SUBSCRIBER);
    tokio::select! {
        end = bridge.run(outer, opening, shared.limits.stall) => Err(end),
        end = publish(shared, &slot.subscriber, options, &inner, None) => end,
    }
}

fn identified(mut options: SocketOptions, me: OperatorId) -> Result<SocketOptions, LinkError> {
    let identity: PeerIdentity = Topics::identity(me).parse()?;
    options.peer_identity(identity);
    Ok(options)
}
