//! Hex as settings have it: read as the nodes do where that is without loss, refused where they
//! would cut it silently.

use hex_conservative::{DisplayHex, FromHex};

/// Hex that a node would read as something else than what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// The node stops reading at this character, and takes what came before.
    #[error(
        "character {at} is `{found}`, where the node stops reading: write hexadecimal digits only"
    )]
    Digit {
        /// Its place, counted from 1.
        at: usize,
        /// What stands there.
        found: char,
    },
    /// The node drops the last digit.
    #[error(
        "{0} digits make no whole bytes, and the node drops the last one: a digit is missing or too many"
    )]
    Odd(usize),
    /// The node drops the first digits.
    #[error("{found} digits are more than {most}, and the node drops the first ones")]
    TooLong {
        /// Its digits.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// Nothing where something must be.
    #[error("there is nothing: write the value, or leave the setting out")]
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

/// Bytes in the order written (`ParseHex`).
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, HexError> {
    check_digits(text)?;
    Vec::from_hex(text).map_err(|_| HexError::Odd(text.len()))
}

/// A number of N bytes, written with the most significant digit first and kept with the least
/// significant byte first (`uint256S`, `uint160::SetHex`): fewer digits are the low ones.
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

/// A number as it is displayed: the last byte first.
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
    fn what_a_node_would_cut_is_refused() {
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
    fn short_numbers_are_the_low_digits() {
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
