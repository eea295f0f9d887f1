//! Bytes with a note for each stretch of where it comes from, so that an explanation is the thing
//! itself taken apart and cannot drift from it.

use core::fmt;

use bitcoin::hashes::{Hash, sha256d};
use hex_conservative::DisplayHex;

/// A stretch of bytes in a transaction or header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    field: String,
    bytes: Vec<u8>,
    source: String,
}

impl Piece {
    /// What it is.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Its bytes, as on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The setting that it comes from, what it is computed from, or `constant`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.to_lower_hex_string();
        write!(f, "{:<28} {:<24} {bytes}", self.field, self.source)
    }
}

/// What is the same in every chain.
pub(crate) const CONSTANT: &str = "constant";

/// Puts pieces one behind the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pieces(Vec<Piece>);

impl Pieces {
    pub(crate) fn push(&mut self, field: impl Into<String>, bytes: &[u8], source: &str) {
        self.0.push(Piece {
            field: field.into(),
            bytes: bytes.to_vec(),
            source: source.to_owned(),
        });
    }

    /// A length and what it counts.
    pub(crate) fn push_counted(&mut self, field: &str, bytes: &[u8], source: &str) {
        self.push(
            format!("{field}, length"),
            &compact_size(bytes.len()),
            source,
        );
        if !bytes.is_empty() {
            self.push(field, bytes, source);
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        concat(&self.0)
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256d::Hash::hash(&self.bytes()).to_byte_array()
    }

    pub(crate) fn into_inner(self) -> Vec<Piece> {
        self.0
    }
}

pub(crate) fn concat(pieces: &[Piece]) -> Vec<u8> {
    pieces
        .iter()
        .flat_map(|piece| piece.bytes.clone())
        .collect()
}

/// A count as it stands before what it counts.
pub(crate) fn compact_size(number: usize) -> Vec<u8> {
    match (u8::try_from(number), u16::try_from(number)) {
        (Ok(small @ 0..=252), _) => vec![small],
        (_, Ok(middle)) => [&[0xfd][..], &middle.to_le_bytes()].concat(),
        // A configuration file has at most a megabyte.
        _ => [
            &[0xfe][..],
            &u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes(),
        ]
        .concat(),
    }
}

/// Pushes bytes as `CScript << vector` does.
pub(crate) fn push_script(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len();
    let mut script = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=75), _) => vec![short],
        (Ok(short), _) => vec![0x4c, short],
        (_, Ok(middle)) => [&[0x4d][..], &middle.to_le_bytes()].concat(),
        // A configuration file has at most a megabyte.
        _ => [
            &[0x4e][..],
            &u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes(),
        ]
        .concat(),
    };
    script.extend_from_slice(bytes);
    script
}
