//! Ports for what listens on this machine.

use std::{
    net::TcpListener,
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::LocalError;

/// Ports on loopback that nobody uses now, one after the other.
///
/// They are below those that the system hands out to outgoing connections, which could take a free
/// port before its node or messenger does. No two calls of one process get the same.
///
/// # Errors
/// If there are none.
pub fn free_ports(count: u16) -> Result<Range<u16>, LocalError> {
    /// Where the next search begins.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const LOWEST: u16 = 10_000;
    const SPAN: u16 = 22_000;
    // Processes begin apart.
    let begin = std::process::id().wrapping_mul(331);
    for _ in 0..SPAN {
        let step = NEXT.fetch_add(u32::from(count), Ordering::Relaxed);
        let place = step.wrapping_add(begin) % u32::from(SPAN.saturating_sub(count).max(1));
        let first = LOWEST + u16::try_from(place).unwrap_or(0);
        let ports = first..first.saturating_add(count);
        if ports.clone().all(is_free) {
            return Ok(ports);
        }
    }
    Err(LocalError::System {
        path: PathBuf::from("a port on 127.0.0.1"),
        source: std::io::ErrorKind::AddrInUse.into(),
    })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_get_different_ports() {
        let (one, two) = (free_ports(7).expect("ports"), free_ports(7).expect("ports"));
        assert_eq!((one.len(), two.len()), (7, 7));
        assert!(one.end <= two.start || two.end <= one.start);
    }
}
