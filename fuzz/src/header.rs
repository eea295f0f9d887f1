//! Headers of the three dialects: each has one encoding, and a hash independent of its signatures.

use federation_chain::{Dialect, Header};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    for dialect in Dialect::ALL {
        if let Ok(header) = Header::decode(dialect, bytes) {
            assert_eq!(header.encode(), bytes);
            let hash = header.block_hash();
            assert_eq!(header.without_signatures().block_hash(), hash);
        }
    }
}
