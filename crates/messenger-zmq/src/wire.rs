//! Frames as ZeroMQ messages: whole, or in fragments that are reassembled.

use bytes::{Bytes, BytesMut};
use federation_messenger::MAX_FRAME;

/// Most payload bytes in one message.
pub(crate) const FRAGMENT: usize = 64 * 1024;

/// Size limit of a topic; real ones are shorter.
const TOPIC: usize = 128;

/// Size of a fragment's trailer: the frame's length and the fragment's offset, both u32,
/// little-endian.
const TRAILER: usize = 8;

/// Size limit of a message, all parts together.
pub(crate) const MAX_MESSAGE: usize = TOPIC + FRAGMENT + TRAILER;

/// Most parts in a message.
pub(crate) const MAX_PARTS: usize = 3;

/// Returns the messages that carry a frame, in order.
pub(crate) fn split(topic: &Bytes, frame: Bytes) -> impl Iterator<Item = Vec<Bytes>> + use<> {
    let whole = frame.len() <= FRAGMENT;
    let fragments = frame.len().div_ceil(FRAGMENT).max(1);
    let topic = topic.clone();
    (0..fragments).map(move |index| {
        let mut message = vec![topic.clone()];
        if whole {
            message.push(frame.clone());
        } else {
            let offset = index * FRAGMENT;
            let end = frame.len().min(offset + FRAGMENT);
            message.push(frame.slice(offset..end));
            message.push(trailer(frame.len(), offset));
        }
        message
    })
}

fn trailer(length: usize, offset: usize) -> Bytes {
    let mut trailer = BytesMut::with_capacity(TRAILER);
    for number in [length, offset] {
        let number = u32::try_from(number).expect("a frame is smaller than 4 GiB");
        trailer.extend_from_slice(&number.to_le_bytes());
    }
    trailer.freeze()
}

/// Why a message is not a valid part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("message with {0} parts")]
    Parts(usize),
    #[error("message with another topic")]
    Topic,
    #[error("fragment trailer of {0} bytes")]
    Trailer(usize),
    #[error("invalid length {0} of a fragmented frame")]
    Length(usize),
    #[error("fragment at offset {offset}, expected {expected}")]
    Gap { offset: usize, expected: usize },
    #[error("fragment of {0} bytes")]
    Fragment(usize),
}

/// Reassembles the frames of one publisher.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    length: usize,
    bytes: BytesMut,
}

impl Reassembly {
    /// Processes a message; returns the frame that it completes, if any.
    ///
    /// # Errors
    /// If the message is invalid. The fragments held are dropped, since their frame is incomplete.
    pub(crate) fn take(
        &mut self,
        topic: &Bytes,
        message: Vec<Bytes>,
    ) -> Result<Option<Bytes>, WireError> {
        let taken = self.take_parts(topic, message);
        if !matches!(taken, Ok(None)) {
            *self = Self::default();
        }
        taken
    }

    fn take_parts(
        &mut self,
        topic: &Bytes,
        mut parts: Vec<Bytes>,
    ) -> Result<Option<Bytes>, WireError> {
        if parts.first() != Some(topic) {
            return Err(WireError::Topic);
        }
        match parts.len() {
            2 => Ok(parts.pop()),
            3 => self.take_fragment(&parts[1], &parts[2]),
            other => Err(WireError::Parts(other)),
        }
    }

    fn take_fragment(
        &mut self,
        fragment: &Bytes,
        trailer: &Bytes,
    ) -> Result<Option<Bytes>, WireError> {
        let trailer = <[u8; TRAILER]>::try_from(&trailer[..])
            .map_err(|_| WireError::Trailer(trailer.len()))?;
        let number = |at: usize| {
            let bytes = [
                trailer[at],
                trailer[at + 1],
                trailer[at + 2],
                trailer[at + 3],
            ];
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (length, offset) = (number(0), number(4));
        if !(FRAGMENT + 1..=MAX_FRAME).contains(&length) {
            return Err(WireError::Length(length));
        }
        if offset == 0 {
            *self = Self {
                length,
                bytes: BytesMut::new(),
            };
        }
        if offset != self.bytes.len() || length != self.length {
            return Err(WireError::Gap {
                offset,
                expected: self.bytes.len(),
            });
        }
        if fragment.len() != FRAGMENT.min(length - offset) {
            return Err(WireError::Fragment(fragment.len()));
        }
        // Grows as fragments arrive: a claimed length alone reserves nothing.
        self.bytes.extend_from_slice(fragment);
        let whole = self.bytes.len() == length;
        Ok(whole.then(|| self.bytes.split().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic() -> Bytes {
        Bytes::from_static(b"federation/1/00")
    }

    fn message(parts: &[&[u8]]) -> Vec<Bytes> {
        let parts = parts.iter();
        parts.map(|part| Bytes::copy_from_slice(part)).collect()
    }

    #[test]
    fn frames_of_every_size_are_reassembled() {
        let mut reassembly = Reassembly::default();
        for size in [
            0,
            1,
            FRAGMENT - 1,
            FRAGMENT,
            FRAGMENT + 1,
            2 * FRAGMENT,
            2 * FRAGMENT + 1,
            MAX_FRAME,
        ] {
            let frame: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
            let mut messages = split(&topic(), frame.clone()).peekable();
            while let Some(message) = messages.next() {
                assert!(message.len() <= MAX_PARTS);
                assert!(message.iter().map(Bytes::len).sum::<usize>() <= MAX_MESSAGE);
                let taken = reassembly.take(&topic(), message).expect("our own");
                let expected = messages.peek().is_none().then(|| frame.clone());
                assert!(taken == expected, "a frame of {size} bytes");
            }
        }
    }

    #[test]
    fn invalid_messages_are_refused_with_the_reason() {
        let topic = topic();
        let take = |parts: &[&[u8]]| Reassembly::default().take(&topic, message(parts));
        assert_eq!(take(&[b"other", b"x"]), Err(WireError::Topic));
        assert_eq!(take(&[&topic]), Err(WireError::Parts(1)));
        assert_eq!(take(&[&topic, b"", b"", b""]), Err(WireError::Parts(4)));
        assert_eq!(
            take(&[&topic, b"x", b"1234567"]),
            Err(WireError::Trailer(7))
        );
        for length in [0, FRAGMENT, MAX_FRAME + 1, u32::MAX as usize] {
            let refused = take(&[&topic, b"x", &trailer(length, 0)]);
            assert_eq!(refused, Err(WireError::Length(length)));
        }
        let refused = take(&[&topic, &[0; FRAGMENT], &trailer(3 * FRAGMENT, FRAGMENT)]);
        assert_eq!(
            refused,
            Err(WireError::Gap {
                offset: FRAGMENT,
                expected: 0
            })
        );
        let refused = take(&[&topic, b"x", &trailer(3 * FRAGMENT, 0)]);
        assert_eq!(refused, Err(WireError::Fragment(1)));
    }

    #[test]
    fn an_incomplete_frame_is_dropped_for_the_next() {
        let mut reassembly = Reassembly::default();
        let broken = split(&topic(), vec![1; 3 * FRAGMENT].into()).take(2);
        let whole = split(&topic(), vec![2; 2 * FRAGMENT].into());
        let mut taken: Vec<_> = broken
            .chain(whole)
            .map(|message| reassembly.take(&topic(), message).expect("our own"))
            .collect();
        assert_eq!(taken.pop().flatten(), Some(vec![2; 2 * FRAGMENT].into()));
        assert!(taken.iter().all(Option::is_none));
    }

    proptest! {
        /// Lost, duplicated and reordered fragments yield whole frames or none, and never more bytes
        /// are held than one frame has.
        #[test]
        fn no_sequence_of_fragments_yields_a_wrong_frame(picks in prop::collection::vec(0usize..8, 0..40)) {
            let frames: Vec<Bytes> =
                [1, 2].map(|n| Bytes::from(vec![n; 3 * FRAGMENT + usize::from(n)])).into();
            let messages: Vec<_> = frames
                .iter()
                .flat_map(|frame| split(&topic(), frame.clone()))
                .collect();
            let mut reassembly = Reassembly::default();
            for pick in picks {
                if let Ok(Some(frame)) = reassembly.take(&topic(), messages[pick].clone()) {
                    prop_assert!(frames.contains(&frame));
                }
                prop_assert!(reassembly.bytes.len() <= 3 * FRAGMENT + 2);
            }
        }
    }
}
