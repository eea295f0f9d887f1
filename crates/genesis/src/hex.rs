//! Hex in settings: read as nodes read it where that loses nothing, refused where they would
//! silently truncate it.

use hex_conservative::{DisplayHex, FromHex};

/// The error for hex that a node would misread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// The node stops at this character and uses the digits before it.
    #[error("the node stops reading at character {at}, `{found}`: use hexadecimal digits only")]
    Digit {
        /// Its position, counted from 1.
        at: usize,
        /// The character.
        found: char,
    },
    /// The node drops the last digit.
    #[error(
        "odd number of digits ({0}), of which the node drops the last: add the missing digit or remove the surplus one"
    )]
    Odd(usize),
    /// The node drops the first digits.
    #[error("{found} digits, of which the node uses only the last {most}")]
    TooLong {
        /// The number of digits.
        found: usize,
        /// The maximum.
        most: usize,
    },
    /// A required value is empty.
    #[error("empty value: give one, or omit the setting")]
    Empty,
}

fn check_digits(text: &str) -> Result<(), HexError> {
    match text
        .chars()
        .enumerate()
        .find(|(_, c)| !c.is_ascii_hexdigit())
    {
        Some((at, found)) => Err(HexError::Digit { at: at + 1, found }),
        None => Ok(()),
    }
}

/// Parses bytes in the order written (`ParseHex`).
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, HexError> {
    check_digits(text)?;
    Vec::from_hex(text).map_err(|_| HexError::Odd(text.len()))
}

/// Parses a number of N bytes, written with the most significant digit first and returned with the
/// least significant byte first (`uint256S`, `uint160::SetHex`). Missing digits are leading zeros.
pub(crate) fn number<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    check_digits(digits)?;
    if digits.is_empty() {
        return Err(HexError::Empty);
    }
    if digits.len() > 2 * N {
        return Err(HexError::TooLong {
            found: digits.len(),
            most: 2 * N,
        });
    }
    let padded = format!("{digits:0>width$}", width = 2 * N);
    let mut number = <[u8; N]>::from_hex(&padded).map_err(|_| HexError::Odd(digits.len()))?;
    number.reverse();
    Ok(number)
}

/// Formats a number as it is displayed, the last byte first.
pub(crate) fn reversed(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    bytes.reverse();
    bytes.to_lower_hex_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hex_that_a_node_would_truncate_is_refused() {
        assert_eq!(bytes("5121"), Ok(vec![0x51, 0x21]));
        assert_eq!(bytes("51g1"), Err(HexError::Digit { at: 3, found: 'g' }));
        assert_eq!(bytes("0x51"), Err(HexError::Digit { at: 2, found: 'x' }));
        assert_eq!(bytes("51 21"), Err(HexError::Digit { at: 3, found: ' ' }));
        assert_eq!(bytes("512"), Err(HexError::Odd(3)));
        assert_eq!(number::<2>(""), Err(HexError::Empty));
        assert_eq!(
            number::<2>("12345"),
            Err(HexError::TooLong { found: 5, most: 4 })
        );
        assert_eq!(
            number::<2>("12q"),
            Err(HexError::Digit { at: 3, found: 'q' })
        );
    }

    #[test]
    fn short_numbers_are_padded_with_leading_zeros() {
        assert_eq!(number::<4>("0x1"), Ok([1, 0, 0, 0]));
        assert_eq!(number::<4>("00"), Ok([0; 4]));
        assert_eq!(number::<4>("12345678"), Ok([0x78, 0x56, 0x34, 0x12]));
        assert_eq!(reversed(&[0x78, 0x56, 0x34, 0x12]), "12345678");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,70}") {
            let _ = bytes(&text);
            let _ = number::<32>(&text);
        }
    }
}
