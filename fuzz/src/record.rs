//! Records of a modified store: those that decode round-trip.

use federation_block_signing::Record;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(record) = Record::from_bytes(bytes) {
        assert!(!record.key().is_empty());
        assert_eq!(Record::from_bytes(&record.to_bytes()).as_ref(), Ok(&record));
    }
}
