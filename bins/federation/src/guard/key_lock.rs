//! One daemon for each block key on a machine, whatever store, file, token or wallet it has.

use std::io;

use federation_cli::CliError;
use federation_multisig::PublicKey;

/// Holds a block key for this process alone, as long as it lives.
///
/// A name in the system's list of sockets: it needs no folder that all users may write, leaves no
/// file behind, and goes with the process, however that ends.
#[derive(Debug)]
pub(crate) struct KeyLock {
    #[cfg(target_os = "linux")]
    _socket: Option<std::os::unix::net::UnixListener>,
}

/// Takes the block key for this process alone, on this machine.
///
/// Where no lock can be had a line in the log says so: it is one of several nets, and the others
/// hold (the store's lock, the key file's, and hearing oneself).
pub(crate) fn lock_key(key: &PublicKey) -> Result<KeyLock, CliError> {
    match take(key) {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(CliError::failure(
            format!("the block key {key} is in use by another daemon of this machine"),
            "stop it first: two daemons with one key would sign two blocks at one height",
        )),
        Err(error) => {
            tracing::warn!(%error, "the block key cannot be locked on this machine");
            Ok(KeyLock::none())
        }
    }
}

/// Whether a process of this machine is known to hold a block key. Nothing is taken to find out: a
/// daemon that starts just now must not find its key in use.
pub(crate) fn key_is_in_use(key: &PublicKey) -> bool {
    // Names that belong to no file begin with @ there.
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
    fn a_key_is_lent_to_one_at_a_time() {
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
