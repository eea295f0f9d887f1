//! Throw-away keys, derived from the operator's index, so that a folder can be reused.

use federation_signer::Secret;

/// Returns an operator's block key.
pub(crate) fn block_key(index: u8) -> Secret {
    secret(1, index)
}

/// Returns an operator's identity key.
pub(crate) fn identity_key(index: u8) -> Secret {
    secret(2, index)
}

/// Returns an operator's key for spending reissuance tokens.
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
