//! Frames from the wire: the head alone and the whole envelope agree, and nothing is lost.

use bytes::Bytes;
use federation_roster::{Envelope, EnvelopeHead};

/// Checks any bytes.
pub fn check(frame: &[u8]) {
    let head = EnvelopeHead::peek(frame);
    let frame = Bytes::copy_from_slice(frame);
    match Envelope::decode(&frame) {
        Ok(envelope) => {
            assert_eq!(head.as_ref(), Ok(envelope.head()));
            assert_eq!(envelope.encode(), frame);
        }
        Err(error) => assert_eq!(head, Err(error)),
    }
}
