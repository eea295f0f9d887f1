//! The digest by which a key proves that it signs.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use secp256k1::PublicKey;

/// The tag of the digest, hashed by the scheme of BIP 340.
const TAG: &str = "federation/signer-proof/v1";

/// What a key signs to prove that its halves belong together: the tagged hash of its public half
/// and a nonce. No block and no transaction has this hash, since theirs begin with no tag.
#[must_use]
pub fn proof_digest(public_key: &PublicKey, nonce: &[u8; 32]) -> [u8; 32] {
    let tag = sha256::Hash::hash(TAG.as_bytes());
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine.input(&public_key.serialize());
    engine.input(nonce);
    sha256::Hash::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests {
    use hex_conservative::DisplayHex;

    use super::*;

    #[test]
    fn the_digest_is_of_key_and_nonce_under_the_tag() {
        let key: PublicKey = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
            .parse()
            .expect("a key");
        let digest = proof_digest(&key, &[7; 32]);
        assert_ne!(digest, proof_digest(&key, &[8; 32]));
        // By `python3`: sha256(sha256(tag) * 2 + key + bytes([7]) * 32).
        assert_eq!(
            digest.to_lower_hex_string(),
            "54f6e3e47adfeaf425eeb6c1ac942c8eabac4c8a3f178852ed0a198d3e703e80"
        );
    }
}
