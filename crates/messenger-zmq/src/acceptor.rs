//! Takes the connections that others make: of subscribers, who hear us, and of publishers, whom we
//! hear if we do not reach them ourselves.

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
    greeting::{Caller, Opening, greet},
    link::{Bridge, LinkError, options, tune},
    places::Place,
    publisher::{FROM_SUBSCRIBER, publish},
    shared::{CallerSlot, Shared},
    subscriber::FROM_PUBLISHER,
    topics::Topics,
    wire::Assembly,
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
                    Ok(place) => {
                        links.spawn(take(Arc::clone(&shared), place, outer, remote));
                    }
                    Err(reason) => if let Some(unsaid) = shared.places.tells(Instant::now()) {
                        warn!(%remote, unsaid, "connection closed: {reason}");
                    },
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

/// Takes one connection to its end.
async fn take(shared: Arc<Shared>, place: Place, outer: TcpStream, remote: SocketAddr) {
    let end = match serve(&shared, &place, outer, remote).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    if let LinkError::Oneself = end {
        warn!(%remote, "{end}");
    } else {
        debug!(%remote, %end, "connection over");
    }
}

async fn serve(
    shared: &Arc<Shared>,
    place: &Place,
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
            let slot = shared.add_caller(operator, place.is_strangers())?;
            opening.limit(FROM_PUBLISHER);
            listen(shared, &slot, outer, opening).await
        }
    }
}

/// Hears one that called for as long as there is no other way.
async fn listen(
    shared: &Shared,
    slot: &CallerSlot,
    outer: TcpStream,
    opening: Opening,
) -> Result<Infallible, LinkError> {
    let bridge = Bridge::new().await?;
    let inner = bridge.endpoint();
    tokio::select! {
        end = bridge.run(outer, opening, shared.limits.stall) => Err(end),
        end = hear(shared, slot, &inner) => end,
    }
}

async fn hear(shared: &Shared, slot: &CallerSlot, inner: &str) -> Result<Infallible, LinkError> {
    let caller = &slot.caller;
    let Some(operator) = caller.operator else {
        return Err(LinkError::Unknown);
    };
    let mut changes = shared.changes.subscribe();
    let mut socket = SubSocket::with_options(options(&shared.limits));
    // The name goes first: a peer that sends frames knows to whom.
    if let Some(me) = shared.me {
        socket.subscribe(&shared.topics.name(me)).await?;
    }
    socket.connect(inner).await?;
    let all = shared.topics.all_text();
    let mut assembly = Assembly::default();
    let mut up = None;
    loop {
        changes.mark_unchanged();
        if !shared.hears(operator) {
            return Err(LinkError::Unknown);
        }
        match (shared.wants(operator), up.is_some()) {
            (true, false) => {
                socket.subscribe(&all).await?;
                up = Some(caller.up());
                info!(%operator, "heard over the connection that it made");
            }
            (false, true) => {
                socket.unsubscribe(&all).await?;
                up = None;
                assembly = Assembly::default();
                info!(%operator, "heard at its endpoint again");
            }
            _ => {}
        }
        tokio::select! {
            // The sender is in the same object as what is shared: it is there.
            _ = changes.changed() => {}
            message = socket.recv() => {
                let message = message?;
                if up.is_none() {
                    // Under way when it was given up, or never asked for.
                    caller.count_dropped();
                    continue;
                }
                match assembly.take(shared.topics.all(), message) {
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
