//! Records of an altered store: what decodes is encoded so that it decodes to the same.

use federation_block_signing::Record;

/// Reads the bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(record) = Record::from_bytes(bytes) {
        assert!(!record.key().is_empty());
        assert_eq!(Record::from_bytes(&record.to_bytes()).as_ref(), Ok(&record));
    }
}
