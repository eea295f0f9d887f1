//! Configuration files of nodes, sweeps of initial coins, and manifests.

use federation_genesis::{NodeKind, Settings, Sweep};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let _ = Sweep::from_bytes(bytes);
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    for node in [NodeKind::Elements, NodeKind::Ocean] {
        if let Ok(settings) = Settings::parse(node, text) {
            let _ = federation_genesis::Genesis::compute(&settings, None);
        }
    }
}
