//! Checks the keys: whether they open, match the roster, and sign.

use std::time::{SystemTime, UNIX_EPOCH};

use federation_chain::BlockHash;
use federation_cli::with_causes;
use federation_ocean_rpc::{NodeClient, RpcError};
use federation_operator::config::Config;
use federation_signer::{KeySource, Signer};
use federation_signer_node::WalletFault;
use secp256k1::{Message, PublicKey, SECP256K1};

use crate::{
    checks::Checks,
    key_checks::{self, BAD_KEY, KEYS},
    keys, reissuing,
};

const BLOCK: &str = "block key";

/// A hash that no block has: a signature of it is worthless.
const NO_BLOCK: [u8; 32] = [0; 32];

/// Opens all keys as the daemon does, and has them sign a worthless hash.
pub(super) async fn check(config: &Config, node: &NodeClient) -> Checks {
    let mut checks = Checks::default();
    // Locked as the daemon locks it, so that a running daemon is noticed.
    match keys::take_block(config, node).await {
        Ok((signer, _locks)) => block(config, signer.as_ref(), node, &mut checks).await,
        Err(error) => checks.red(KEYS, BLOCK, error.what(), error.help()),
    }
    match keys::open_identity(config) {
        Ok(identity) => {
            key_checks::check_identity(config, identity.as_ref(), &mut checks).await;
        }
        Err(error) => checks.red(KEYS, "identity key", error.what(), error.help()),
    }
    spending(config, &mut checks).await;
    checks
}

async fn block(config: &Config, signer: &dyn Signer, node: &NodeClient, checks: &mut Checks) {
    let found = signer.public_key();
    if let Err(error) = keys::check_block(config, &found) {
        checks.red(KEYS, BLOCK, error.what(), error.help());
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
        Ok(true) => checks.green(KEYS, BLOCK, format!("{found}, signs")),
        Ok(false) => checks.red(KEYS, BLOCK, "its signature is invalid", BAD_KEY),
        Err(error) => checks.red(KEYS, BLOCK, with_causes(&error), BAD_KEY),
    }
}

/// Checks that the node's wallet has the key and can sign blocks. It is not asked to sign: it signs only
/// blocks of its chain.
async fn wallet(config: &Config, node: &NodeClient, name: Option<&str>, checks: &mut Checks) {
    let signer = match keys::open_wallet(config, node, name) {
        Ok(signer) => signer,
        Err(error) => {
            checks.red(KEYS, BLOCK, error.what(), error.help());
            return;
        }
    };
    let checked = signer.check_wallet().await;
    report_wallet(&signer.public_key(), checked, checks);
}

fn report_wallet(key: &PublicKey, checked: Result<Option<u64>, WalletFault>, checks: &mut Checks) {
    let unlock = "unlock it for longer, or remove its pass phrase: `federation help keys`";
    match checked {
        Ok(None) => checks.green(KEYS, BLOCK, format!("{key}, in the node's legacy wallet")),
        Ok(Some(until)) => {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            let left = until.saturating_sub(now) / 60;
            let found = format!("{key}, in the node's wallet, which will lock in {left} min");
            checks.yellow(KEYS, BLOCK, found, unlock);
        }
        // The daemon does not call this method, so the wallet may be usable.
        Err(WalletFault::Node(error @ RpcError::Forbidden { .. })) => checks.yellow(
            KEYS,
            BLOCK,
            format!("not checked: {error}"),
            "allow the method to this user during the check: `federation help operations` lists the methods",
        ),
        Err(error) => checks.red(
            KEYS,
            BLOCK,
            error,
            "use a legacy wallet that contains the key: `federation help keys`",
        ),
    }
}

/// Checks the key that spends reissuance tokens, if there is one.
async fn spending(config: &Config, checks: &mut Checks) {
    const NAME: &str = "reissuance key";
    let spender = match keys::open_reissuance(config).await {
        Ok(None) => return,
        Ok(Some(spender)) => spender,
        Err(error) => {
            checks.red(KEYS, NAME, error.what(), error.help());
            return;
        }
    };
    match reissuing::check_key(config, spender.as_ref()) {
        Ok(key) => checks.green(KEYS, NAME, format!("{key}, in the scripts")),
        Err(error) => checks.red(KEYS, NAME, error.what(), error.help()),
    }
}
