//! Messages and certificates of a ceremony, as text from other parties.

use federation_ceremony::{Certificate, Message};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = Message::parse(text);
        let _ = Certificate::parse(text);
    }
}
