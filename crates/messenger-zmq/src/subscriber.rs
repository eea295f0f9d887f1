//! The subscribing side: connects to one peer and receives from it.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info};

use crate::{
    Endpoint,
    link::LinkError,
    resolve,
    shared::{OwnConnection, Publisher, Shared},
    wire::{MAX_MESSAGE, MAX_PARTS, Reassembly},
    zmtp::{Connection, Limits, SocketType},
};

/// Limits on what a publisher sends: any number of messages, each within its limits.
pub(crate) const FROM_PUBLISHER: Limits = Limits {
    message: MAX_MESSAGE,
    parts: MAX_PARTS,
    total: u64::MAX,
};

/// Connects to a peer, receives from it, and reconnects, indefinitely.
pub(crate) async fn follow(shared: Arc<Shared>, peer: Arc<Publisher>, endpoint: Endpoint) {
    let (first, last) = (shared.limits.first_retry, shared.limits.last_retry);
    let mut wait = first;
    loop {
        let started = Instant::now();
        let end = match receive(&shared, &peer, &endpoint).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        debug!(peer = %endpoint, %end, retry_ms = wait.as_millis(), "peer not connected");
        if started.elapsed() > last {
            // It was connected for a while: most likely the peer is restarting.
            wait = first;
        }
        sleep(wait).await;
        wait = last.min(wait * 2);
    }
}

/// Resolves the endpoint and connects to it. The connection is registered as our own for as long as the
/// first part of the result lives.
pub(crate) async fn connect(
    shared: &Arc<Shared>,
    peer: &Publisher,
    endpoint: &Endpoint,
    limits: Limits,
) -> Result<(OwnConnection, Connection<TcpStream>), LinkError> {
    let within = shared.limits.handshake;
    let connecting = async {
        let addresses = shared.resolver.resolve(endpoint).await?;
        peer.set_addresses(addresses.iter().map(SocketAddr::ip));
        resolve::connect(addresses).await
    };
    let stream = timeout(within, connecting)
        .await
        .map_err(|_| LinkError::Connect(within))??;
    let own = shared.own(stream.local_addr()?);
    let connection = Connection::tcp(stream, limits, shared.limits.stall)?;
    Ok((own, connection))
}

/// Performs the handshake of a connection that we made, in time.
pub(crate) async fn handshake(
    shared: &Shared,
    connection: &mut Connection<TcpStream>,
    socket_type: SocketType,
    identity: &str,
) -> Result<(), LinkError> {
    let within = shared.limits.handshake;
    timeout(
        within,
        connection.handshake(socket_type, identity.as_bytes()),
    )
    .await
    .map_err(|_| LinkError::Connect(within))??;
    Ok(())
}

/// Connects to a peer and receives from it until the connection ends.
async fn receive(
    shared: &Arc<Shared>,
    peer: &Arc<Publisher>,
    endpoint: &Endpoint,
) -> Result<Infallible, LinkError> {
    let (_own, mut connection) = connect(shared, peer, endpoint, FROM_PUBLISHER).await?;
    handshake(shared, &mut connection, SocketType::Sub, "").await?;
    // The name goes first, so that the peer knows whose subscription follows.
    if let Some(me) = shared.me {
        connection
            .subscribe(shared.topics.name(me).as_bytes())
            .await?;
    }
    connection.subscribe(shared.topics.all()).await?;
    let _connected = peer.mark_connected();
    info!(peer = %endpoint, "peer connected");
    let mut reassembly = Reassembly::default();
    loop {
        match reassembly.take(shared.topics.all(), connection.recv().await?) {
            Ok(Some(frame)) => peer.lane.push(frame),
            Ok(None) => {}
            Err(error) => {
                debug!(peer = %endpoint, %error, "message dropped");
                peer.count_dropped();
            }
        }
    }
}
