//! Files written by `federation guard export`, from another machine.

use federation_signer::SignedGuardRecord;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(record) = SignedGuardRecord::decode(bytes) {
        let text = record.encode();
        let again = SignedGuardRecord::decode(text.as_bytes());
        assert_eq!(again.map(|again| again.encode()).ok(), Some(text));
    }
}
