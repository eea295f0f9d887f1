//! Accepts connections: from subscribers, which receive our frames, and from publishers, whose frames
//! we receive if we cannot reach them ourselves.

use core::{convert::Infallible, time::Duration};
use std::{net::SocketAddr, sync::Arc, time::Instant};

use federation_messenger::Peer;
use federation_roster::OperatorId;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    admission::Permit,
    link::LinkError,
    publisher::{FROM_SUBSCRIBER, publish},
    shared::{CallerSlot, Shared},
    subscriber::FROM_PUBLISHER,
    topics::Topics,
    wire::Reassembly,
    zmtp::{Connection, SocketType},
};

/// Pause after a failed accept, for example with too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts connections until the messenger closes, then closes them all.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    mut closing: watch::Receiver<bool>,
) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => match shared.admit(remote) {
                    Ok(permit) => {
                        links.spawn(handle(Arc::clone(&shared), permit, stream, remote));
                    }
                    Err(reason) => if let Some(suppressed) = shared.admission.should_log(Instant::now()) {
                        warn!(%remote, suppressed, "connection refused: {reason}");
                    },
                },
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
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

/// Serves one connection until it ends.
async fn handle(shared: Arc<Shared>, permit: Permit, stream: TcpStream, remote: SocketAddr) {
    let end = match serve(&shared, &permit, stream, remote).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    if let LinkError::Oneself = end {
        warn!(%remote, "{end}");
    } else {
        debug!(%remote, %end, "connection ended");
    }
}

async fn serve(
    shared: &Arc<Shared>,
    permit: &Permit,
    stream: TcpStream,
    remote: SocketAddr,
) -> Result<Infallible, LinkError> {
    let within = shared.limits.handshake;
    let mut connection = Connection::tcp(stream, FROM_SUBSCRIBER, shared.limits.stall)?;
    let peer = timeout(within, connection.accept())
        .await
        .map_err(|_| LinkError::Unsubscribed(within))??;
    if peer.socket_type.is_publisher() {
        if shared.is_own(remote) {
            return Err(LinkError::Oneself);
        }
        let operator = Topics::read_identity(&peer.identity).ok_or(LinkError::Unknown)?;
        let slot = shared.add_caller(operator, permit.is_stranger())?;
        connection.set_limits(FROM_PUBLISHER);
        connection.ready(SocketType::Sub, b"").await?;
        receive(shared, &slot, operator, connection).await
    } else {
        let slot = shared.add_subscriber(Peer::Address(remote.to_string().into()), false);
        connection.ready(SocketType::XPub, b"").await?;
        publish(shared, &slot.subscriber, connection, Some(remote)).await
    }
}

/// Receives from an operator that connected to us, as long as its endpoint is not connected.
async fn receive(
    shared: &Shared,
    slot: &CallerSlot,
    operator: OperatorId,
    mut connection: Connection<TcpStream>,
) -> Result<Infallible, LinkError> {
    let caller = &slot.caller;
    let mut changes = shared.changes.subscribe();
    // The name goes first, so that the peer knows whose subscription follows.
    if let Some(me) = shared.me {
        connection
            .subscribe(shared.topics.name(me).as_bytes())
            .await?;
    }
    let mut reassembly = Reassembly::default();
    let mut subscribed = None;
    loop {
        changes.mark_unchanged();
        if !shared.is_known(operator) {
            return Err(LinkError::Unknown);
        }
        match (shared.needs_caller(operator), subscribed.is_some()) {
            (true, false) => {
                connection.subscribe(shared.topics.all()).await?;
                subscribed = Some(caller.mark_connected());
                info!(%operator, "receiving over the connection made by the operator");
            }
            (false, true) => {
                connection.unsubscribe(shared.topics.all()).await?;
                subscribed = None;
                reassembly = Reassembly::default();
                info!(%operator, "receiving from the operator's endpoint again");
            }
            _ => {}
        }
        tokio::select! {
            // Cannot fail: the sender is in `shared`.
            _ = changes.changed() => {}
            message = connection.recv() => {
                let message = message?;
                if subscribed.is_none() {
                    // Sent before it processed our unsubscription, or without a subscription.
                    caller.count_dropped();
                    continue;
                }
                match reassembly.take(shared.topics.all(), message) {
                    Ok(Some(frame)) => caller.lane.push(frame),
                    Ok(None) => {}
                    Err(error) => {
                        debug!(%operator, %error, "message dropped");
                        caller.count_dropped();
                    }
                }
            }
        }
    }
}
