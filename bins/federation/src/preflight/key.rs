//! The keys: whether they open, are the roster's, and sign.

use federation_chain::BlockHash;
use federation_ocean_rpc::NodeClient;
use federation_operator::config::Config;
use federation_signer::KeySource;
use secp256k1::{Message, SECP256K1};

use crate::{
    checks::Checks,
    keys::{self, Keys},
    rehearse::{self, BAD_KEY},
    run::with_causes,
};

const KEYS: &str = "keys";

/// A hash that no block has: a signature of it is good for nothing.
const NO_BLOCK: [u8; 32] = [0; 32];

/// Opens both, and lets them sign something that is worth nothing.
pub(super) async fn check(config: &Config, node: &NodeClient) -> Checks {
    let mut checks = Checks::default();
    let keys = match keys::open(config, node).await {
        Ok(keys) => keys,
        Err(error) => {
            checks.red(KEYS, "opened", error.what(), error.cure());
            return checks;
        }
    };
    block(config, &keys, &mut checks).await;
    rehearse::check_identity(config, &keys, &mut checks).await;
    checks
}

async fn block(config: &Config, keys: &Keys, checks: &mut Checks) {
    let found = keys.block.public_key();
    let expected = config
        .federation
        .operator(config.me)
        .map(|operator| operator.block_key);
    if expected != Some(found) {
        checks.red(
            KEYS,
            "block key",
            format!("{found} is not this operator's in the roster"),
            "give the key with which you joined",
        );
        return;
    }
    if let KeySource::Node { .. } = config.keys.block {
        checks.green(KEYS, "block key", format!("{found}, in the node's wallet"));
        return;
    }
    let signed = keys.block.sign_block(BlockHash::from_bytes(NO_BLOCK)).await;
    let verified = signed.map(|mut signature| {
        signature.normalize_s();
        let message = Message::from_digest(NO_BLOCK);
        SECP256K1.verify_ecdsa(&message, &signature, &found).is_ok()
    });
    match verified {
        Ok(true) => checks.green(KEYS, "block key", format!("{found}, and it signs")),
        Ok(false) => checks.red(KEYS, "block key", "its signature is not true", BAD_KEY),
        Err(error) => checks.red(KEYS, "block key", with_causes(&error), BAD_KEY),
    }
}
