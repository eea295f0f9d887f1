//! The digest by which a key proves that it signs.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use secp256k1::{
    PublicKey,
    rand::{RngCore, rngs::OsRng},
};

use crate::{HsmError, session::KeyAt, signature};

/// The tag of the digest, hashed by the scheme of BIP 340.
const TAG: &str = "federation/signer-proof/v1";

/// The tag of the digest that a key signs while its public half is not known.
const UNKNOWN_TAG: &str = "federation/signer-unknown/v1";

/// What a key signs to prove that its halves belong together: the tagged hash of its public half
/// and a nonce. No block and no transaction has this hash, since theirs begin with no tag.
#[must_use]
pub fn proof_digest(public_key: &PublicKey, nonce: &[u8; 32]) -> [u8; 32] {
    tagged(TAG, &[&public_key.serialize(), nonce])
}

fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let tag = sha256::Hash::hash(tag.as_bytes());
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    parts.iter().for_each(|part| engine.input(part));
    sha256::Hash::from_engine(engine).to_byte_array()
}

fn nonce() -> [u8; 32] {
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    nonce
}

/// A digest by which a key proves itself once.
pub(crate) fn fresh_digest(public_key: &PublicKey) -> [u8; 32] {
    proof_digest(public_key, &nonce())
}

/// Whether a key signs as this public half.
pub(crate) fn proves(key: &KeyAt<'_>, public_key: &PublicKey) -> Result<bool, HsmError> {
    let digest = fresh_digest(public_key);
    let bytes = key.sign(&digest)?;
    Ok(signature::verified(&bytes, &digest, public_key).is_some())
}

/// The public half of what signs, from two signatures that are good for nothing else: each leaves a
/// few keys, both together one. None if they are of no one key on the curve.
pub(crate) fn signer(key: &KeyAt<'_>) -> Result<Option<PublicKey>, HsmError> {
    let signers = || {
        let digest = tagged(UNKNOWN_TAG, &[&nonce()]);
        key.sign(&digest)
            .map(|bytes| signature::signers(&bytes, &digest))
    };
    let (first, second) = (signers()?, signers()?);
    let mut common = first.intersection(&second);
    Ok(common.next().copied().filter(|_| common.next().is_none()))
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
