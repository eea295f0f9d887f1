//! Reading untrusted bytes: every length is checked before it is used.

use crate::DecodeError;

/// Upper limit on any length or count in a block: twice the largest block, in bytes.
const MAX_LENGTH: u64 = 16 * 1024 * 1024;

/// A position in untrusted bytes.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Returns the bytes from here to a later position in the same bytes.
    pub(crate) fn until(&self, later: &Self) -> &'a [u8] {
        &self.bytes[self.at..later.at]
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.rest();
        let taken = rest.get(..count).ok_or(DecodeError::Truncated {
            at: self.bytes.len(),
            wanted: count - rest.len().min(count),
        })?;
        self.at += count;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Reads a compact size, which must be in its shortest form and at most [`MAX_LENGTH`].
    pub(crate) fn length(&mut self) -> Result<usize, DecodeError> {
        let at = self.at;
        let (length, least) = match self.u8()? {
            0xfd => (u64::from(u16::from_le_bytes(self.array()?)), 0xfd),
            0xfe => (u64::from(u32::from_le_bytes(self.array()?)), 0x1_0000),
            0xff => (u64::from_le_bytes(self.array()?), 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if length < least {
            return Err(DecodeError::NonMinimalLength(at));
        }
        match usize::try_from(length) {
            Ok(size) if length <= MAX_LENGTH => Ok(size),
            _ => Err(DecodeError::TooLong { at, length }),
        }
    }

    pub(crate) fn var_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        match self.rest().len() {
            0 => Ok(()),
            more => Err(DecodeError::TrailingBytes(more)),
        }
    }
}

/// Appends a compact size, Bitcoin's encoding of lengths and counts, in its shortest form.
pub fn push_compact_size(bytes: &mut Vec<u8>, length: usize) {
    match length as u64 {
        small @ 0..=0xfc => bytes.push(small as u8),
        middle @ 0xfd..=0xffff => {
            bytes.push(0xfd);
            bytes.extend_from_slice(&(middle as u16).to_le_bytes());
        }
        large @ 0x1_0000..=0xffff_ffff => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(large as u32).to_le_bytes());
        }
        huge => {
            bytes.push(0xff);
            bytes.extend_from_slice(&huge.to_le_bytes());
        }
    }
}

/// Appends bytes, preceded by their length.
pub(crate) fn push_var_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    push_compact_size(bytes, value.len());
    bytes.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_round_trip_and_longer_forms_are_refused(length in 0usize..=MAX_LENGTH as usize) {
            let mut bytes = Vec::new();
            push_compact_size(&mut bytes, length);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.length(), Ok(length));
            prop_assert_eq!(cursor.finish(), Ok(()));
            let mut long = vec![0xff];
            long.extend_from_slice(&(length as u64).to_le_bytes());
            prop_assert_eq!(Cursor::new(&long).length(), Err(DecodeError::NonMinimalLength(0)));
        }
    }

    #[test]
    fn an_absurd_length_is_refused_before_anything_is_read() {
        let bytes = [0xfe, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            Cursor::new(&bytes).var_bytes(),
            Err(DecodeError::TooLong {
                at: 0,
                length: 0xffff_ffff
            })
        );
        assert_eq!(
            Cursor::new(&[5, 1]).var_bytes(),
            Err(DecodeError::Truncated { at: 2, wanted: 4 })
        );
    }
}
