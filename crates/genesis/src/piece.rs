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
    let mut bytes = Vec::new();
    federation_chain::push_compact_size(&mut bytes, number);
    bytes
}

/// Pushes bytes as `CScript << vector` does.
pub(crate) fn push_script(bytes: &[u8]) -> Vec<u8> {
    elements::script::Builder::new()
        .push_slice(bytes)
        .into_script()
        .to_bytes()
}
