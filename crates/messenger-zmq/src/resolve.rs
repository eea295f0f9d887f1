//! Resolving names and connecting to the addresses.

use core::{fmt, time::Duration};
use std::{io, net::SocketAddr};

use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::sleep};

use crate::Endpoint;

/// Delay between the attempts at one address and the next (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Most addresses tried per name.
const MAX_ADDRESSES: usize = 16;

/// Resolves an endpoint to addresses. It is called before each connection; results are not cached.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// Returns the addresses of an endpoint, the preferred one first.
    ///
    /// # Errors
    /// If the name is unknown or the lookup fails.
    async fn resolve(&self, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver: its hosts file and its name servers.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemNames;

#[async_trait]
impl Resolve for SystemNames {
    async fn resolve(&self, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((endpoint.host(), endpoint.port())).await?;
        Ok(found.collect())
    }
}

/// Connects to the address that answers first. Attempts start one after the other without waiting
/// for the previous one to fail, so an address that drops packets does not block those that work.
pub(crate) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts: FuturesUnordered<_> = addresses
        .into_iter()
        .take(MAX_ADDRESSES)
        .zip(0_u32..)
        .map(|(address, index)| async move {
            sleep(STAGGER * index).await;
            TcpStream::connect(address).await
        })
        .collect();
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no addresses");
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_an_error() {
        let error = connect(Vec::new()).await.expect_err("nowhere");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_block_the_next() {
        let (gone, nobody) = listener().await;
        drop(gone);
        let (_listener, somebody) = listener().await;
        let stream = connect(vec![nobody, somebody]).await.expect("one answers");
        assert_eq!(stream.peer_addr().expect("connected"), somebody);
        let error = connect(vec![nobody]).await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn an_address_that_drops_packets_does_not_block_the_next() {
        use socket2::{Domain, Socket, Type};
        // A listener with a full backlog: the kernel drops new connections.
        let hole = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        hole.bind(&any.into()).expect("a port");
        hole.listen(0).expect("bound");
        let address = hole.local_addr().expect("bound").as_socket();
        let address = address.expect("an address of IPv4");
        let mut waiting = Vec::new();
        let is_full = loop {
            match tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address))
                .await
            {
                Ok(Ok(stream)) if waiting.len() < 100 => waiting.push(stream),
                Ok(_) => break false, // Not Linux.
                Err(_) => break true,
            }
        };
        let (_listener, somebody) = listener().await;
        let connecting = connect(vec![address, somebody]);
        let stream = tokio::time::timeout(Duration::from_secs(3), connecting).await;
        let stream = stream.expect("in time").expect("one answers");
        if is_full {
            assert_eq!(stream.peer_addr().expect("connected"), somebody);
        }
    }
}
