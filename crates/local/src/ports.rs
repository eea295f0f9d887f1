//! Ports for listeners on this machine.

use std::{
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use federation_ocean_rpc::process::HeldPort;

use crate::LocalError;

/// Consecutive ports on loopback, held until this is dropped: see [`HeldPort`].
#[derive(Debug)]
pub struct HeldPorts {
    held: Vec<HeldPort>,
    range: Range<u16>,
}

impl HeldPorts {
    /// Holds this number of ports, which no other process on this machine holds.
    ///
    /// They are below the system's ephemeral ports, which are taken and released all the time.
    ///
    /// # Errors
    /// If there are not enough free ports.
    pub fn hold(count: u16) -> Result<Self, LocalError> {
        /// Where the next search starts.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        const LOWEST: u16 = 10_000;
        const SPAN: u16 = 22_000;
        // Different processes start at different ports.
        let begin = std::process::id().wrapping_mul(331);
        for _ in 0..SPAN {
            let step = NEXT.fetch_add(u32::from(count), Ordering::Relaxed);
            let offset = step.wrapping_add(begin) % u32::from(SPAN.saturating_sub(count).max(1));
            let first = LOWEST + u16::try_from(offset).unwrap_or(0);
            let range = first..first.saturating_add(count);
            let held: Result<Vec<_>, _> = range.clone().map(HeldPort::at).collect();
            if let Ok(held) = held {
                return Ok(Self { held, range });
            }
        }
        Err(LocalError::System {
            path: PathBuf::from("a port on 127.0.0.1"),
            source: std::io::ErrorKind::AddrInUse.into(),
        })
    }

    /// Returns the port numbers.
    #[must_use]
    pub fn range(&self) -> Range<u16> {
        self.range.clone()
    }

    /// Holds the ports until this process ends, and returns their numbers.
    #[must_use]
    pub fn keep(self) -> Range<u16> {
        for port in self.held {
            let _ = port.keep();
        }
        self.range
    }
}

/// Returns consecutive ports on loopback, held for this process and its children until it ends.
///
/// # Errors
/// If there are not enough free ports.
pub fn free_ports(count: u16) -> Result<Range<u16>, LocalError> {
    HeldPorts::hold(count).map(HeldPorts::keep)
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

    #[cfg(target_os = "linux")]
    #[test]
    fn ports_are_held_until_they_are_released() {
        let ports = HeldPorts::hold(3).expect("ports");
        let range = ports.range();
        for port in range.clone() {
            HeldPort::at(port).expect_err("it is held");
            std::net::TcpListener::bind(("127.0.0.1", port)).expect("free for listening");
        }
        drop(ports);
        for port in range {
            HeldPort::at(port).expect("it was released");
        }
    }
}
