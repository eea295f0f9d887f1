//! Ports on loopback that stay reserved from the moment they are chosen until the process started
//! with them has bound them, and beyond.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use socket2::{Domain, Socket, Type};

/// A port on loopback that is reserved while this value exists.
///
/// On Linux a socket is bound to it that does not listen. A listener that binds with
/// `SO_REUSEADDR`, as the nodes, std and tokio do, still gets the port, as often as it likes; the
/// system does not assign it to connections or to anyone who asks for any free port, and this type
/// does not hand it out twice. On other systems, the port was merely free a moment ago.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    _socket: Option<Socket>,
}

impl HeldPort {
    /// Reserves a port that the system chooses.
    ///
    /// # Errors
    /// If the system has no free port.
    pub fn any() -> io::Result<Self> {
        Self::at(0)
    }

    /// Reserves this port; 0 for any.
    ///
    /// # Errors
    /// If it is in use or reserved.
    pub fn at(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Bound without the option, so that this fails if the port is taken, whatever the other
        // socket's options are.
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        let address = socket.local_addr()?.as_socket();
        let port = address
            .ok_or(io::ErrorKind::AddrNotAvailable)
            .map(|address| address.port())?;
        socket.set_reuse_address(true)?;
        Ok(Self {
            port,
            _socket: cfg!(target_os = "linux").then_some(socket),
        })
    }

    /// Returns the port number.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Keeps the port reserved until this process ends; returns its number.
    #[must_use]
    pub fn keep(self) -> u16 {
        static KEPT: Mutex<Vec<HeldPort>> = Mutex::new(Vec::new());
        let port = self.port;
        KEPT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self);
        port
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_held_port_can_be_bound_repeatedly_by_its_intended_listener() {
        let held = HeldPort::any().expect("a port");
        let address = (Ipv4Addr::LOCALHOST, held.port());
        for _ in 0..3 {
            let listener = TcpListener::bind(address).expect("it is reserved for this");
            let _caller = TcpStream::connect(address).expect("it listens");
            listener.accept().expect("a caller");
        }
        assert!(TcpStream::connect(address).is_err(), "nothing listens");
    }

    #[test]
    fn a_held_port_is_not_given_out_again() {
        let held = HeldPort::any().expect("a port");
        let refused = HeldPort::at(held.port()).expect_err("it is reserved");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, held.port())).expect("as above");
        HeldPort::at(held.port()).expect_err("something listens");
        drop((listener, held));
    }

    #[test]
    fn a_port_with_a_listener_is_not_given_out() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        HeldPort::at(port).expect_err("it is in use");
    }
}
