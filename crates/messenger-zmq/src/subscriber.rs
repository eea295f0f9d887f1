//! The subscribing side: connects to one peer and receives from it.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info};
use zeromq::{Socket, SocketRecv, SubSocket};

use crate::{
    Endpoint,
    gate::GateLimits,
    greeting::Opening,
    link::{Bridge, LinkError, options, tune},
    resolve,
    shared::{Publisher, Shared},
    wire::{MAX_MESSAGE, MAX_PARTS, Reassembly},
};

/// Limits on what a publisher sends: any number of messages, each within its limits.
pub(crate) const FROM_PUBLISHER: GateLimits = GateLimits {
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
        let end = match connect(&shared, &peer, &endpoint).await {
            Ok(outer) => subscribe(&shared, &peer, &endpoint, outer).await,
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

/// Resolves the endpoint and connects to it.
pub(crate) async fn connect(
    shared: &Shared,
    peer: &Publisher,
    endpoint: &Endpoint,
) -> Result<TcpStream, LinkError> {
    let within = shared.limits.handshake;
    let connecting = async {
        let addresses = shared.resolver.resolve(endpoint).await?;
        peer.set_addresses(addresses.iter().map(SocketAddr::ip));
        resolve::connect(addresses).await
    };
    let outer = timeout(within, connecting)
        .await
        .map_err(|_| LinkError::Connect(within))??;
    tune(&outer)?;
    Ok(outer)
}

/// Receives from a peer until the connection ends.
async fn subscribe(
    shared: &Arc<Shared>,
    peer: &Arc<Publisher>,
    endpoint: &Endpoint,
    outer: TcpStream,
) -> LinkError {
    let prepared = async {
        let own = shared.own(outer.local_addr()?);
        Ok::<_, std::io::Error>((own, Bridge::new().await?))
    };
    let (_own, bridge) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    let inner = bridge.endpoint();
    let opening = Opening::none(FROM_PUBLISHER);
    tokio::select! {
        end = bridge.run(outer, opening, shared.limits.stall) => end,
        end = receive(shared, peer, endpoint, &inner) => match end {
            Ok(never) => match never {},
            Err(end) => end,
        },
    }
}

async fn receive(
    shared: &Shared,
    peer: &Arc<Publisher>,
    endpoint: &Endpoint,
    inner: &str,
) -> Result<Infallible, LinkError> {
    let mut socket = SubSocket::with_options(options(&shared.limits));
    // The name goes first, so that the peer knows whose subscription follows.
    if let Some(me) = shared.me {
        socket.subscribe(&shared.topics.name(me)).await?;
    }
    socket.connect(inner).await?;
    socket.subscribe(&shared.topics.all_text()).await?;
    let _connected = peer.mark_connected();
    info!(peer = %endpoint, "peer connected");
    let mut reassembly = Reassembly::default();
    loop {
        match reassembly.take(shared.topics.all(), socket.recv().await?) {
            Ok(Some(frame)) => peer.lane.push(frame),
            Ok(None) => {}
            Err(error) => {
                debug!(peer = %endpoint, %error, "message dropped");
                peer.count_dropped();
            }
        }
    }
}
