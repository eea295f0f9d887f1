//! Byte strings whose fragments are annotated with their source. The explanation of a block is made
//! of the same fragments as the block, so the two cannot diverge.

use core::fmt;

use bitcoin::hashes::{Hash, sha256d};
use hex_conservative::DisplayHex;

/// An annotated field of a transaction or header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    field: String,
    bytes: Vec<u8>,
    source: String,
}

impl Fragment {
    /// The name of the field.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The bytes, as on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The setting that the bytes come from, what they are computed from, or `constant`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl fmt::Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.to_lower_hex_string();
        write!(f, "{:<28} {:<24} {bytes}", self.field, self.source)
    }
}

/// The source of bytes that are the same on every chain.
pub(crate) const CONSTANT: &str = "constant";

/// A byte string under construction, fragment by fragment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fragments(Vec<Fragment>);

impl Fragments {
    pub(crate) fn push(&mut self, field: impl Into<String>, bytes: &[u8], source: &str) {
        self.0.push(Fragment {
            field: field.into(),
            bytes: bytes.to_vec(),
            source: source.to_owned(),
        });
    }

    /// Appends a length and the bytes that it counts.
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

    pub(crate) fn into_inner(self) -> Vec<Fragment> {
        self.0
    }
}

pub(crate) fn concat(fragments: &[Fragment]) -> Vec<u8> {
    fragments
        .iter()
        .flat_map(|fragment| fragment.bytes.clone())
        .collect()
}

/// Encodes a length or count as a compact size.
pub(crate) fn compact_size(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    federation_chain::push_compact_size(&mut bytes, number);
    bytes
}

/// Encodes a push of the bytes, as `CScript << vector` does.
pub(crate) fn push_script(bytes: &[u8]) -> Vec<u8> {
    elements::script::Builder::new()
        .push_slice(bytes)
        .into_script()
        .to_bytes()
}
