//! Checks that every public type keeps the traits that users of the crate rely on.

use std::{error::Error, fmt::Debug};

use federation_messenger_zmq::{
    ParseEndpointError, Resolve, SystemNames, ZmqError,
    zmtp::{Connection, Limits, Peer, SocketType, ZmtpError},
};
use tokio::net::TcpStream;

use super::{Endpoint, ZmqConfig, ZmqMessenger};

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn value<T: Debug + Clone + PartialEq + Send + Sync + 'static>() {}
const fn error<T: Error + Send + Sync + 'static>() {}
const fn cloneable_error<T: Error + Clone + Send + Sync + 'static>() {}

#[test]
fn public_types_keep_their_traits() {
    shared::<ZmqMessenger>();
    shared::<ZmqConfig>();
    shared::<Endpoint>();
    shared::<SystemNames>();
    shared::<Box<dyn Resolve>>();
    shared::<Connection<TcpStream>>();
    value::<Limits>();
    value::<Peer>();
    value::<SocketType>();
    error::<ZmtpError>();
    cloneable_error::<ZmqError>();
    cloneable_error::<ParseEndpointError>();
}
