//! A fingerprint in words, for reading aloud.

use bip39::Mnemonic;

use crate::Digest;

/// Twelve English words of BIP 39's list: 128 bits of a hash, and a checksum.
pub(crate) fn of(digest: Digest) -> String {
    let fingerprint = Digest::tagged("federation/ceremony/words/1", &[&digest.to_bytes()]);
    // 16 bytes are a valid length of entropy.
    Mnemonic::from_entropy(&fingerprint.to_bytes()[..16])
        .map(|words| words.to_string())
        .unwrap_or_default()
}
