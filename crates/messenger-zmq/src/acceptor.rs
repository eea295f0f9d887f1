//! Accepts connections: from subscribers, which receive our frames, and from publishers, whose frames
//! we receive if we cannot reach them ourselves.

use core::{convert::Infallible, time::Duration};
use std::{net::SocketAddr, sync::Arc, time::Instant};

use federation_messenger::Peer;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};
use zeromq::{Socket, SocketRecv, SubSocket};

use crate::{
    admission::Permit,
    greeting::{Caller, Opening, greet},
    link::{Bridge, LinkError, options, tune},
    publisher::{FROM_SUBSCRIBER, publish},
    shared::{CallerSlot, Shared},
    subscriber::FROM_PUBLISHER,
    topics::Topics,
    wire::Reassembly,
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
                Ok((outer, remote)) => match shared.admit(remote) {
                    Ok(permit) => {
                        links.spawn(handle(Arc::clone(&shared), permit, outer, remote));
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
async fn handle(shared: Arc<Shared>, permit: Permit, outer: TcpStream, remote: SocketAddr) {
    let end = match serve(&shared, &permit, outer, remote).await {
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
    mut outer: TcpStream,
    remote: SocketAddr,
) -> Result<Infallible, LinkError> {
    tune(&outer)?;
    let within = shared.limits.handshake;
    let greeting = timeout(within, greet(&mut outer, FROM_SUBSCRIBER));
    let (caller, mut opening) = greeting
        .await
        .map_err(|_| LinkError::Unsubscribed(within))??;
    match caller {
        Caller::Subscriber => {
            let slot = shared.add_subscriber(Peer::Address(remote.to_string().into()), false);
            let bridge = Bridge::new().await?;
            let inner = bridge.endpoint();
            let options = options(&shared.limits);
            tokio::select! {
                end = bridge.run(outer, opening, shared.limits.stall) => Err(end),
                end = publish(shared, &slot.subscriber, options, &inner, Some(remote)) => end,
            }
        }
        Caller::Publisher { identity } => {
            if shared.is_own(remote) {
                return Err(LinkError::Oneself);
            }
            let operator = Topics::read_identity(&identity).ok_or(LinkError::Unknown)?;
            let slot = shared.add_caller(operator, permit.is_stranger())?;
            opening.limit(FROM_PUBLISHER);
            receive_from_caller(shared, &slot, outer, opening).await
        }
    }
}

/// Receives from an operator that connected to us while there is no other way to reach it.
async fn receive_from_caller(
    shared: &Shared,
    slot: &CallerSlot,
    outer: TcpStream,
    opening: Opening,
) -> Result<Infallible, LinkError> {
    let bridge = Bridge::new().await?;
    let inner = bridge.endpoint();
    tokio::select! {
        end = bridge.run(outer, opening, shared.limits.stall) => Err(end),
        end = receive(shared, slot, &inner) => end,
    }
}

async fn receive(shared: &Shared, slot: &CallerSlot, inner: &str) -> Result<Infallible, LinkError> {
    let caller = &slot.caller;
    let Some(operator) = caller.operator else {
        return Err(LinkError::Unknown);
    };
    let mut changes = shared.changes.subscribe();
    let mut socket = SubSocket::with_options(options(&shared.limits));
    // The name goes first, so that the peer knows whose subscription follows.
    if let Some(me) = shared.me {
        socket.subscribe(&shared.topics.name(me)).await?;
    }
    socket.connect(inner).await?;
    let all = shared.topics.all_text();
    let mut reassembly = Reassembly::default();
    let mut subscribed = None;
    loop {
        changes.mark_unchanged();
        if !shared.is_known(operator) {
            return Err(LinkError::Unknown);
        }
        match (shared.needs_caller(operator), subscribed.is_some()) {
            (true, false) => {
                socket.subscribe(&all).await?;
                subscribed = Some(caller.mark_connected());
                info!(%operator, "receiving over the connection made by the operator");
            }
            (false, true) => {
                socket.unsubscribe(&all).await?;
                subscribed = None;
                reassembly = Reassembly::default();
                info!(%operator, "receiving from the operator's endpoint again");
            }
            _ => {}
        }
        tokio::select! {
            // Cannot fail: the sender is in `shared`.
            _ = changes.changed() => {}
            message = socket.recv() => {
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
