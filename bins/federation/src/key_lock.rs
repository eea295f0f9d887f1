//! A lock that allows one daemon per block key on a machine, whatever store, file, token or wallet it uses.

use std::io;

use federation_cli::CliError;
use federation_multisig::PublicKey;

/// Reserves a block key for this process until dropped.
///
/// It is a name in the system's list of sockets: that needs no folder writable by all users, leaves no
/// file behind, and disappears with the process, however it ends.
#[derive(Debug)]
pub(crate) struct KeyLock {
    #[cfg(target_os = "linux")]
    _socket: Option<std::os::unix::net::UnixListener>,
}

/// Reserves the block key for this process on this machine.
///
/// Logs a warning where that is not supported: this is one of several safeguards, and the others remain
/// (the locks of the store and the key file, and the check for messages in one's own name).
pub(crate) fn lock_key(key: &PublicKey) -> Result<KeyLock, CliError> {
    match take(key) {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(CliError::failure(
            format!("the block key {key} is in use by another daemon on this machine"),
            "stop that daemon first: two daemons with one key could sign two blocks at one height",
        )),
        Err(error) => {
            tracing::warn!(%error, "no lock on the block key: not supported on this machine");
            Ok(KeyLock::none())
        }
    }
}

/// Whether a process on this machine is known to hold a block key. This does not try to lock it: a daemon
/// that is starting must not find its key in use.
pub(crate) fn key_is_in_use(key: &PublicKey) -> bool {
    // Abstract names are listed with a leading @.
    let name = format!(" @{}", name(key));
    std::fs::read_to_string("/proc/net/unix")
        .is_ok_and(|sockets| sockets.lines().any(|line| line.ends_with(&name)))
}

fn name(key: &PublicKey) -> String {
    format!("federation/block-key/{key}")
}

#[cfg(target_os = "linux")]
impl KeyLock {
    const fn none() -> Self {
        Self { _socket: None }
    }
}

#[cfg(target_os = "linux")]
fn take(key: &PublicKey) -> io::Result<KeyLock> {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    };
    let socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(key))?)?;
    Ok(KeyLock {
        _socket: Some(socket),
    })
}

#[cfg(not(target_os = "linux"))]
impl KeyLock {
    const fn none() -> Self {
        Self {}
    }
}

#[cfg(not(target_os = "linux"))]
fn take(_key: &PublicKey) -> io::Result<KeyLock> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use federation_signer::Secret;

    use super::*;

    #[test]
    fn a_key_is_held_by_one_at_a_time() {
        let [one, other] = [(); 2].map(|()| Secret::generate().public_key());
        assert!(!key_is_in_use(&one));
        let first = lock_key(&one).expect("free");
        assert!(key_is_in_use(&one) && !key_is_in_use(&other));
        let refused = lock_key(&one).expect_err("in use").to_string();
        assert!(refused.contains("in use by another daemon"), "{refused}");
        assert!(lock_key(&other).is_ok());
        drop(first);
        assert!(!key_is_in_use(&one));
        assert!(lock_key(&one).is_ok());
    }
}
