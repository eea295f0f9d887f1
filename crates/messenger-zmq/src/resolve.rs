//! From names to addresses to a connection.

use core::{fmt, time::Duration};
use std::{io, net::SocketAddr};

use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::sleep};

use crate::Endpoint;

/// How long after the attempt at one address that at the next begins (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Turns an endpoint into addresses. It is asked before each connection, and its answer not kept.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// The addresses of an endpoint, the preferred first.
    ///
    /// # Errors
    /// If the name is not known, or cannot be asked for.
    async fn resolve(&self, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>>;
}

/// The system's names: its hosts file and its name servers.
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

/// Connects to whichever address answers first. They are tried a little apart, none waits for the
/// one before to fail: an address that swallows packets does not hide those that work.
pub(crate) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts: FuturesUnordered<_> = addresses
        .into_iter()
        .take(MAX_ADDRESSES)
        .zip(0_u32..)
        .map(|(address, place)| async move {
            sleep(STAGGER * place).await;
            TcpStream::connect(address).await
        })
        .collect();
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
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
    async fn an_address_that_refuses_does_not_hide_the_next() {
        let (gone, nobody) = listener().await;
        drop(gone);
        let (_listener, somebody) = listener().await;
        let stream = connect(vec![nobody, somebody]).await.expect("one answers");
        assert_eq!(stream.peer_addr().expect("connected"), somebody);
        let error = connect(vec![nobody]).await.expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_does_not_hide_the_next() {
        use socket2::{Domain, Socket, Type};
        // A listener that takes nobody, its queue full: the kernel drops what comes.
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
                Ok(_) => break false, // Another system than Linux.
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
