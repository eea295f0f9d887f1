//! Checks of keys that several verbs make.

use federation_cli::with_causes;
use federation_operator::config::Config;
use federation_signer::IdentitySigner;
use secp256k1::{Message, SECP256K1, schnorr};

use crate::{checks::Checks, keys};

/// The group of the checks of keys.
pub(crate) const KEYS: &str = "keys";

/// The help for a key that does not sign correctly.
pub(crate) const BAD_KEY: &str = "check the key's table in operator.toml, and test a hardware module with `multisig hsm test`: `federation help keys`";

/// Checks that the identity key, which signs messages to the other operators, is this operator's and signs.
pub(crate) async fn check_identity(
    config: &Config,
    identity: &dyn IdentitySigner,
    checks: &mut Checks,
) {
    let found = identity.public_key();
    if let Err(error) = keys::check_identity(config, &found) {
        checks.red(KEYS, "identity key", error.what(), error.help());
        return;
    }
    // No envelope and no ceremony message has this hash.
    let digest = [0; 32];
    let verifies = |signature: [u8; 64]| {
        schnorr::Signature::from_slice(&signature).is_ok_and(|signature| {
            SECP256K1
                .verify_schnorr(&signature, &Message::from_digest(digest), &found)
                .is_ok()
        })
    };
    match identity.sign_envelope(digest).await {
        Ok(signature) if verifies(signature) => {
            checks.green(KEYS, "identity key", format!("{found}, signs"));
        }
        Ok(_) => checks.red(KEYS, "identity key", "its signature is invalid", BAD_KEY),
        Err(error) => checks.red(KEYS, "identity key", with_causes(&error), BAD_KEY),
    }
}
