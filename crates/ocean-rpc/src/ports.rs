//! Ports of loopback that are held from the moment they are chosen until what was started with them
//! has bound them, and after.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use socket2::{Domain, Socket, Type};

/// A port of loopback that nobody else is given while this lives.
///
/// On Linux a socket is bound to it that does not listen. Whoever binds with `SO_REUSEADDR`, as the
/// nodes, std and tokio do for what listens, gets it all the same, as often as it likes; the system
/// gives it to no connection and to nobody who asks for any port, and nobody else who asks by this
/// type gets it. Elsewhere the port was free a moment ago.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    _socket: Option<Socket>,
}

impl HeldPort {
    /// One that the system chooses.
    ///
    /// # Errors
    /// If it has none.
    pub fn any() -> io::Result<Self> {
        Self::at(0)
    }

    /// This one; 0 for any.
    ///
    /// # Errors
    /// If it is used or held.
    pub fn at(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Without the option nobody else may have the port, whatever his options are.
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

    /// Its number.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Holds it until this process ends; its number.
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
    fn a_held_port_is_bound_by_whom_it_is_for_again_and_again() {
        let held = HeldPort::any().expect("a port");
        let address = (Ipv4Addr::LOCALHOST, held.port());
        for _ in 0..3 {
            let listener = TcpListener::bind(address).expect("it is held for this");
            let _caller = TcpStream::connect(address).expect("it listens");
            listener.accept().expect("who called");
        }
        assert!(TcpStream::connect(address).is_err(), "nobody listens");
    }

    #[test]
    fn nobody_else_is_given_a_held_port() {
        let held = HeldPort::any().expect("a port");
        let refused = HeldPort::at(held.port()).expect_err("it is held");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, held.port())).expect("as above");
        HeldPort::at(held.port()).expect_err("somebody listens");
        drop((listener, held));
    }

    #[test]
    fn a_port_at_which_somebody_listens_is_not_given() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        HeldPort::at(port).expect_err("it is used");
    }
}
