//! Files of `federation guard export`, as they come from another machine.

use federation_signer::SignedGuardRecord;

/// Reads the bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(record) = SignedGuardRecord::decode(bytes) {
        let text = record.encode();
        let again = SignedGuardRecord::decode(text.as_bytes());
        assert_eq!(again.map(|again| again.encode()).ok(), Some(text));
    }
}
