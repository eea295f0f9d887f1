//! The content of envelopes: kind, height and round, then the payload. Each message has one
//! encoding.

use bytes::Bytes;
use federation_block_signing::{Message, MessageParts};
use federation_chain::BlockHeight;
use federation_roster::Round;

/// Checks any bytes.
pub fn check(input: &[u8]) {
    let Some((head, payload)) = input.split_first_chunk::<9>() else {
        return;
    };
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let parts = MessageParts {
        kind: head[0],
        height: BlockHeight::new(number(1)),
        round: Round::new(number(5)),
        payload: Bytes::copy_from_slice(payload),
    };
    if let Ok(message) = Message::from_parts(parts.clone()) {
        assert_eq!(message.to_parts(), parts);
    }
}
