//! The digest that a key signs to prove itself.

use federation_chain::TaggedHash;
use secp256k1::{
    PublicKey,
    rand::{RngCore, rngs::OsRng},
};

use crate::{HsmError, session::SessionKey, signature};

/// The tag of the digest, hashed as in BIP 340.
const TAG: &str = "federation/signer-proof/v1";

/// The tag of the digest that a key signs while its public key is unknown.
const UNKNOWN_TAG: &str = "federation/signer-unknown/v1";

/// Returns the digest that a key signs to prove that private and public key belong together: the
/// tagged hash of the public key and a nonce. No block or transaction has this hash, since theirs
/// do not begin with a tag.
#[must_use]
pub fn proof_digest(public_key: &PublicKey, nonce: &[u8; 32]) -> [u8; 32] {
    TaggedHash::new(TAG.as_bytes())
        .with(&public_key.serialize())
        .with(nonce)
        .finish()
}

fn nonce() -> [u8; 32] {
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    nonce
}

/// Returns a one-time digest for a key to prove itself.
pub(crate) fn fresh_digest(public_key: &PublicKey) -> [u8; 32] {
    proof_digest(public_key, &nonce())
}

/// Returns whether a key signs for this public key.
pub(crate) fn proves(key: &SessionKey<'_>, public_key: &PublicKey) -> Result<bool, HsmError> {
    let digest = fresh_digest(public_key);
    let bytes = key.sign(&digest)?;
    Ok(signature::verified(&bytes, &digest, public_key).is_some())
}

/// Returns the public key of a signer, determined from two signatures that have no other use: each
/// is compatible with a few keys, both together with one. `None` if they do not determine one key
/// on the curve.
pub(crate) fn signer(key: &SessionKey<'_>) -> Result<Option<PublicKey>, HsmError> {
    let signers = || {
        let digest = TaggedHash::new(UNKNOWN_TAG.as_bytes())
            .with(&nonce())
            .finish();
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
    fn the_digest_is_the_tagged_hash_of_key_and_nonce() {
        let key: PublicKey = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
            .parse()
            .expect("a key");
        let digest = proof_digest(&key, &[7; 32]);
        assert_ne!(digest, proof_digest(&key, &[8; 32]));
        // With `python3`: sha256(sha256(tag) * 2 + key + bytes([7]) * 32).
        assert_eq!(
            digest.to_lower_hex_string(),
            "54f6e3e47adfeaf425eeb6c1ac942c8eabac4c8a3f178852ed0a198d3e703e80"
        );
    }
}
