//! Frames as ZeroMQ messages: whole, or in pieces that are put together again.

use bytes::{Bytes, BytesMut};
use federation_messenger::MAX_FRAME;
use zeromq::ZmqMessage;

/// Most bytes of a payload in one message.
pub(crate) const PIECE: usize = 64 * 1024;

/// Most bytes a topic may have, by far.
const TOPIC: usize = 128;

/// Bytes of a piece's mark: the frame's length and the piece's offset, both u32, little-endian.
const MARK: usize = 8;

/// Most bytes in all parts of a message.
pub(crate) const MAX_MESSAGE: usize = TOPIC + PIECE + MARK;

/// Most parts of a message.
pub(crate) const MAX_PARTS: usize = 3;

/// The messages in which a frame travels, in order.
pub(crate) fn split(topic: &Bytes, frame: Bytes) -> impl Iterator<Item = ZmqMessage> + use<> {
    let whole = frame.len() <= PIECE;
    let pieces = frame.len().div_ceil(PIECE).max(1);
    let topic = topic.clone();
    (0..pieces).map(move |piece| {
        let mut message = ZmqMessage::from(topic.clone());
        if whole {
            message.push_back(frame.clone());
        } else {
            let offset = piece * PIECE;
            let end = frame.len().min(offset + PIECE);
            message.push_back(frame.slice(offset..end));
            message.push_back(mark(frame.len(), offset));
        }
        message
    })
}

fn mark(length: usize, offset: usize) -> Bytes {
    let mut mark = BytesMut::with_capacity(MARK);
    for number in [length, offset] {
        let number = u32::try_from(number).expect("a frame is far smaller than 4 GiB");
        mark.extend_from_slice(&number.to_le_bytes());
    }
    mark.freeze()
}

/// A message that is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("a message of {0} parts")]
    Parts(usize),
    #[error("a message under another topic")]
    Topic,
    #[error("a mark of {0} bytes")]
    Mark(usize),
    #[error("a frame of {0} bytes is over the limit or not one to be split")]
    Length(usize),
    #[error("a piece at {offset} where {expected} was next")]
    Gap { offset: usize, expected: usize },
    #[error("a piece of {0} bytes")]
    Piece(usize),
}

/// Puts the pieces of one publisher together.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    length: usize,
    pieces: BytesMut,
}

impl Assembly {
    /// Takes a message; gives the frame that it completes, if it does.
    ///
    /// # Errors
    /// If the message is none of ours. Pieces held are given up, as their frame cannot be whole.
    pub(crate) fn take(
        &mut self,
        topic: &Bytes,
        message: ZmqMessage,
    ) -> Result<Option<Bytes>, WireError> {
        let taken = self.take_parts(topic, message.into_vec());
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
            3 => self.take_piece(&parts[1], &parts[2]),
            other => Err(WireError::Parts(other)),
        }
    }

    fn take_piece(&mut self, piece: &Bytes, mark: &Bytes) -> Result<Option<Bytes>, WireError> {
        let mark = <[u8; MARK]>::try_from(&mark[..]).map_err(|_| WireError::Mark(mark.len()))?;
        let number = |at: usize| {
            let bytes = [mark[at], mark[at + 1], mark[at + 2], mark[at + 3]];
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let (length, offset) = (number(0), number(4));
        if !(PIECE + 1..=MAX_FRAME).contains(&length) {
            return Err(WireError::Length(length));
        }
        if offset == 0 {
            *self = Self {
                length,
                pieces: BytesMut::new(),
            };
        }
        if offset != self.pieces.len() || length != self.length {
            return Err(WireError::Gap {
                offset,
                expected: self.pieces.len(),
            });
        }
        if piece.len() != PIECE.min(length - offset) {
            return Err(WireError::Piece(piece.len()));
        }
        // Grows as pieces come: a claimed length alone reserves nothing.
        self.pieces.extend_from_slice(piece);
        let whole = self.pieces.len() == length;
        Ok(whole.then(|| self.pieces.split().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topic() -> Bytes {
        Bytes::from_static(b"federation/1/00")
    }

    fn message(parts: &[&[u8]]) -> ZmqMessage {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Bytes::copy_from_slice(part))
            .collect();
        ZmqMessage::try_from(parts).expect("at least one part")
    }

    #[test]
    fn frames_of_every_size_are_put_together_again() {
        let mut assembly = Assembly::default();
        for size in [
            0,
            1,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            2 * PIECE,
            2 * PIECE + 1,
            MAX_FRAME,
        ] {
            let frame: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
            let mut messages = split(&topic(), frame.clone()).peekable();
            while let Some(message) = messages.next() {
                assert!(message.len() <= MAX_PARTS);
                assert!(message.iter().map(Bytes::len).sum::<usize>() <= MAX_MESSAGE);
                let taken = assembly.take(&topic(), message).expect("our own");
                let expected = messages.peek().is_none().then(|| frame.clone());
                assert!(taken == expected, "a frame of {size} bytes");
            }
        }
    }

    #[test]
    fn what_is_none_of_ours_is_refused_for_its_reason() {
        let topic = topic();
        let take = |parts: &[&[u8]]| Assembly::default().take(&topic, message(parts));
        let mark = |length: usize, offset: usize| mark(length, offset);
        assert_eq!(take(&[b"other", b"x"]), Err(WireError::Topic));
        assert_eq!(take(&[&topic]), Err(WireError::Parts(1)));
        assert_eq!(take(&[&topic, b"", b"", b""]), Err(WireError::Parts(4)));
        assert_eq!(take(&[&topic, b"x", b"1234567"]), Err(WireError::Mark(7)));
        for length in [0, PIECE, MAX_FRAME + 1, u32::MAX as usize] {
            let refused = take(&[&topic, b"x", &mark(length, 0)]);
            assert_eq!(refused, Err(WireError::Length(length)));
        }
        let refused = take(&[&topic, &[0; PIECE], &mark(3 * PIECE, PIECE)]);
        assert_eq!(
            refused,
            Err(WireError::Gap {
                offset: PIECE,
                expected: 0
            })
        );
        let refused = take(&[&topic, b"x", &mark(3 * PIECE, 0)]);
        assert_eq!(refused, Err(WireError::Piece(1)));
    }

    #[test]
    fn a_frame_whose_end_is_missing_is_given_up_for_the_next() {
        let mut assembly = Assembly::default();
        let broken = split(&topic(), vec![1; 3 * PIECE].into()).take(2);
        let whole = split(&topic(), vec![2; 2 * PIECE].into());
        let mut taken: Vec<_> = broken
            .chain(whole)
            .map(|message| assembly.take(&topic(), message).expect("our own"))
            .collect();
        assert_eq!(taken.pop().flatten(), Some(vec![2; 2 * PIECE].into()));
        assert!(taken.iter().all(Option::is_none));
    }

    proptest! {
        /// Pieces lost, doubled and in any order give whole frames or none, and never more bytes
        /// held than one frame has.
        #[test]
        fn no_sequence_of_pieces_makes_a_wrong_frame(picks in prop::collection::vec(0usize..8, 0..40)) {
            let frames: Vec<Bytes> =
                [1, 2].map(|n| Bytes::from(vec![n; 3 * PIECE + usize::from(n)])).into();
            let messages: Vec<_> = frames
                .iter()
                .flat_map(|frame| split(&topic(), frame.clone()))
                .collect();
            let mut assembly = Assembly::default();
            for pick in picks {
                if let Ok(Some(frame)) = assembly.take(&topic(), messages[pick].clone()) {
                    prop_assert!(frames.contains(&frame));
                }
                prop_assert!(assembly.pieces.len() <= 3 * PIECE + 2);
            }
        }
    }
}
