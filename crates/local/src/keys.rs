//! Throw-away keys: the same for the same place, so that a folder can be used again.

use federation_signer::Secret;

/// The block key of the operator at a place.
pub(crate) fn block_key(index: u8) -> Secret {
    secret(1, index)
}

/// The identity key of the operator at a place.
pub(crate) fn identity_key(index: u8) -> Secret {
    secret(2, index)
}

/// The key of the operator at a place that spends reissuance tokens.
pub(crate) fn reissuance_key(index: u8) -> Secret {
    secret(3, index)
}

fn secret(purpose: u8, index: u8) -> Secret {
    let mut bytes = [0x5a; 32];
    bytes[0] = purpose;
    bytes[1] = index;
    // A number with a small first byte is below the group's order.
    Secret::from_bytes(&bytes).unwrap_or_else(|_| Secret::generate())
}
