//! The keys: whether they open, are the roster's, and sign.

use std::time::{SystemTime, UNIX_EPOCH};

use federation_chain::BlockHash;
use federation_ocean_rpc::{NodeClient, RpcError};
use federation_operator::config::Config;
use federation_signer::{KeySource, Signer};
use federation_signer_node::WalletFault;
use secp256k1::{Message, PublicKey, SECP256K1};

use crate::{
    checks::Checks,
    keys,
    rehearse::{self, BAD_KEY},
    reissuance,
    run::with_causes,
};

const KEYS: &str = "keys";
const BLOCK: &str = "block key";

/// A hash that no block has: a signature of it is good for nothing.
const NO_BLOCK: [u8; 32] = [0; 32];

/// Opens all as the daemon does, and lets them sign something that is worth nothing.
pub(super) async fn check(config: &Config, node: &NodeClient) -> Checks {
    let mut checks = Checks::default();
    // Taken as the daemon takes it, so that one that runs is noticed.
    match keys::take_block(config, node).await {
        Ok((signer, _locks)) => block(config, signer.as_ref(), node, &mut checks).await,
        Err(error) => checks.red(KEYS, BLOCK, error.what(), error.cure()),
    }
    match keys::open_identity(config) {
        Ok(identity) => {
            rehearse::check_identity(config, identity.as_ref(), &mut checks).await;
        }
        Err(error) => checks.red(KEYS, "identity key", error.what(), error.cure()),
    }
    spending(config, &mut checks).await;
    checks
}

async fn block(config: &Config, signer: &dyn Signer, node: &NodeClient, checks: &mut Checks) {
    let found = signer.public_key();
    if let Err(error) = keys::check_block(config, &found) {
        checks.red(KEYS, BLOCK, error.what(), error.cure());
        return;
    }
    if let KeySource::Node { wallet: name } = &config.keys.block {
        wallet(config, node, name.as_deref(), checks).await;
        return;
    }
    let signed = signer.sign_block(BlockHash::from_bytes(NO_BLOCK)).await;
    let verified = signed.map(|mut signature| {
        signature.normalize_s();
        let message = Message::from_digest(NO_BLOCK);
        SECP256K1.verify_ecdsa(&message, &signature, &found).is_ok()
    });
    match verified {
        Ok(true) => checks.green(KEYS, BLOCK, format!("{found}, and it signs")),
        Ok(false) => checks.red(KEYS, BLOCK, "its signature is not true", BAD_KEY),
        Err(error) => checks.red(KEYS, BLOCK, with_causes(&error), BAD_KEY),
    }
}

/// Whether the node's wallet has the key and is one that signs blocks. It is given none to sign: it would
/// be a block of its chain.
async fn wallet(config: &Config, node: &NodeClient, name: Option<&str>, checks: &mut Checks) {
    let signer = match keys::open_wallet(config, node, name) {
        Ok(signer) => signer,
        Err(error) => {
            checks.red(KEYS, BLOCK, error.what(), error.cure());
            return;
        }
    };
    let checked = signer.check_wallet().await;
    tell_wallet(&signer.public_key(), checked, checks);
}

fn tell_wallet(key: &PublicKey, checked: Result<Option<u64>, WalletFault>, checks: &mut Checks) {
    let unlock = "unlock it for longer, or take its pass phrase away: `federation help keys`";
    match checked {
        Ok(None) => checks.green(KEYS, BLOCK, format!("{key}, in the node's legacy wallet")),
        Ok(Some(until)) => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            let left = until.saturating_sub(now) / 60;
            let found = format!("{key}, in the node's wallet, which locks itself in {left} min");
            checks.yellow(KEYS, BLOCK, found, unlock);
        }
        // The daemon does not need what was asked, so it may be well.
        Err(WalletFault::Node(error @ RpcError::Forbidden { .. })) => checks.yellow(
            KEYS,
            BLOCK,
            format!("not looked at: {error}"),
            "let this user ask it for as long as the check takes: `federation help operations` has the methods",
        ),
        Err(error) => checks.red(
            KEYS,
            BLOCK,
            error,
            "use a legacy wallet that has the key: `federation help keys`",
        ),
    }
}

/// The key that spends reissuance tokens, if there is one.
async fn spending(config: &Config, checks: &mut Checks) {
    const NAME: &str = "reissuance key";
    let spender = match keys::open_reissuance(config).await {
        Ok(None) => return,
        Ok(Some(spender)) => spender,
        Err(error) => {
            checks.red(KEYS, NAME, error.what(), error.cure());
            return;
        }
    };
    match reissuance::check_key(config, spender.as_ref()) {
        Ok(key) => checks.green(KEYS, NAME, format!("{key}, of the scripts' keys")),
        Err(error) => checks.red(KEYS, NAME, error.what(), error.cure()),
    }
}
