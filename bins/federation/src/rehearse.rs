//! `federation rehearse`: block 1, made and signed in this process, before there is any node.

use std::{collections::BTreeMap, process::ExitCode};

use federation_ceremony::Certificate;
use federation_chain::{Block, Dialect, SigningRules};
use federation_cli::CliError;
use federation_multisig::{KeyOrder, MultisigScript};
use federation_operator::config::Config;
use federation_signer::{IdentitySigner, KeySource};
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey, ecdsa::Signature, rand, schnorr};

use crate::{
    checks::Checks,
    cli::RehearseArgs,
    config_check,
    keys::{self, Keys},
    node,
    run::with_causes,
    runtime,
};

const BLOCK: &str = "block 1";
const KEYS: &str = "keys";

/// What to do about a key that does not sign as it should.
pub(crate) const BAD_KEY: &str = "look at the key's table in operator.toml, and try a module with `multisig hsm test`: `federation help keys`";

/// Rehearses; exit code 1 if anything is red.
pub(crate) fn run(args: &RehearseArgs) -> Result<ExitCode, CliError> {
    let config = config_check::load(&args.config, &args.settings.overrides())?;
    let Some(certificate) = config.certificate.clone() else {
        return Err(CliError::failure(
            "the files name no certificate, and block 1 follows from it",
            "add `certificate = \"certificate.json\"` to operator.toml, or give --certificate",
        ));
    };
    let checks = runtime::current_thread()?.block_on(async {
        let node = node::client(&config)?;
        let keys = keys::open(&config, &node).await?;
        let mut checks = Checks::default();
        checks.green(
            "certificate",
            "agreed",
            format!(
                "{} by all {}",
                certificate.agreed_hash(),
                certificate.operators().len()
            ),
        );
        checks.green("certificate", "federation.toml", "says the same");
        if may_sign(&config, &mut checks) {
            rehearse(&config, &certificate, &keys, &mut checks).await?;
        }
        check_identity(&config, keys.identity.as_ref(), &mut checks).await;
        Ok::<_, CliError>(checks)
    })?;
    checks.tell(args.json)
}

/// Whether the key signs without a node.
fn may_sign(config: &Config, checks: &mut Checks) -> bool {
    if matches!(config.keys.block, KeySource::Node { .. }) {
        checks.yellow(
            BLOCK,
            "signature",
            "the block key is in the node's wallet, which signs blocks of its own chain only",
            "ask `federation preflight` whether the node is there; block 1 itself will show the rest",
        );
        return false;
    }
    true
}

async fn rehearse(
    config: &Config,
    certificate: &Certificate,
    keys: &Keys,
    checks: &mut Checks,
) -> Result<(), CliError> {
    let genesis = certificate.chain().genesis();
    let fault = |error: &dyn core::error::Error| {
        CliError::failure(with_causes(error), "report this as a fault of the program")
    };
    let rules = certificate.federation().rules();
    let block = genesis
        .rehearsal_block(rules)
        .map_err(|error| fault(&error))?;
    match rules.check_challenge(block.header()) {
        Ok(()) => checks.green(
            BLOCK,
            "signers",
            format!(
                "{} of {}, named in a header of {} bytes ({})",
                rules.script().threshold(),
                rules.script().keys().len(),
                block.header().encode().len(),
                rules.dialect(),
            ),
        ),
        Err(error) => checks.red(BLOCK, "signers", error, "do not start: ask the others"),
    }
    let found = keys.block.public_key();
    let Some(place) = place_of(config, rules.script(), &found) else {
        checks.red(
            KEYS,
            "block key",
            format!("{found} is not this operator's in the roster"),
            "give the key with which you joined",
        );
        return Ok(());
    };
    checks.green(
        KEYS,
        "block key",
        format!("{found}, number {} of the script", place + 1),
    );
    let Some(signature) = sign(keys, &block, checks).await else {
        return Ok(());
    };
    match rules.verify_signature(block.block_hash(), place, &signature) {
        Ok(()) => checks.green(BLOCK, "own signature", "is true over the header's hash"),
        Err(error) => checks.red(BLOCK, "own signature", error, "try the key elsewhere"),
    }
    check_size(rules, checks);
    let made_up = MadeUp::new(rules, &found).map_err(|error| fault(error.as_ref()))?;
    let block = genesis
        .rehearsal_block(&made_up.rules)
        .map_err(|error| fault(&error))?;
    if let Some(own) = sign(keys, &block, checks).await {
        made_up.check(&block, own, checks);
    }
    Ok(())
}

/// The place in the script of a key that is this operator's.
fn place_of(config: &Config, script: &MultisigScript, key: &PublicKey) -> Option<usize> {
    let own = config.federation.operator(config.me)?.block_key;
    let mut keys = script.keys().iter();
    (own == *key).then(|| keys.position(|known| known == key))?
}

/// A signature by the own key, past the guard: no node ever takes the block.
async fn sign(keys: &Keys, block: &Block, checks: &mut Checks) -> Option<Signature> {
    let signed = keys
        .block
        .sign_full_block(block.block_hash(), block.as_bytes())
        .await;
    match signed {
        Ok(mut signature) => {
            signature.normalize_s();
            Some(signature)
        }
        Err(error) => {
            checks.red(BLOCK, "own signature", with_causes(&error), BAD_KEY);
            None
        }
    }
}

fn check_size(rules: &SigningRules, checks: &mut Checks) {
    let needed = SigningRules::required_signature_size(rules.dialect(), rules.script());
    let threshold = rules.script().threshold();
    if rules.dialect() == Dialect::Ocean {
        let found = format!("{threshold} need {needed} bytes at most; the chain has no limit");
        checks.green(BLOCK, "size of signatures", found);
        return;
    }
    let allowed = rules.max_signature_size();
    let found = format!("{threshold} need {needed} bytes at most, {allowed} are allowed");
    if needed <= allowed {
        checks.green(BLOCK, "size of signatures", found);
    } else {
        checks.red(
            BLOCK,
            "size of signatures",
            found,
            "begin a new ceremony with con_max_block_sig_size as large as that",
        );
    }
}

/// The same federation with made-up keys in place of all others, so that a whole block can be made.
struct MadeUp {
    rules: SigningRules,
    own: PublicKey,
    others: Vec<SecretKey>,
}

impl MadeUp {
    fn new(rules: &SigningRules, own: &PublicKey) -> Result<Self, Box<dyn core::error::Error>> {
        let script = rules.script();
        let others: Vec<_> = script.keys()[1..]
            .iter()
            .map(|_| SecretKey::new(&mut rand::thread_rng()))
            .collect();
        let mut keys: Vec<_> = others
            .iter()
            .map(|secret| secret.public_key(SECP256K1))
            .collect();
        keys.push(*own);
        let script = MultisigScript::new(script.threshold(), keys, KeyOrder::Lexicographic)?;
        let rules = SigningRules::new(rules.dialect(), script, rules.max_signature_size())?;
        Ok(Self {
            rules,
            own: *own,
            others,
        })
    }

    /// Puts the own signature and made-up ones in place, and checks the whole as nodes do.
    fn check(&self, block: &Block, own: Signature, checks: &mut Checks) {
        let message = Message::from_digest(block.block_hash().to_bytes());
        let mut signatures = BTreeMap::new();
        let place_of = |key| {
            let mut keys = self.rules.script().keys().iter();
            keys.position(|known| *known == key)
        };
        signatures.extend(place_of(self.own).map(|place| (place, own)));
        let missing = self.rules.script().threshold().to_usize() - 1;
        for secret in self.others.iter().take(missing) {
            let place = place_of(secret.public_key(SECP256K1));
            let signature = SECP256K1.sign_ecdsa(&message, secret);
            signatures.extend(place.map(|place| (place, signature)));
        }
        match self.rules.assemble(block, &signatures) {
            Ok(complete) => checks.green(
                BLOCK,
                "complete",
                format!(
                    "valid with {} signatures of this form: {} bytes of header, {} of block",
                    signatures.len(),
                    complete.header().encode().len(),
                    complete.as_bytes().len(),
                ),
            ),
            Err(error) => checks.red(
                BLOCK,
                "complete",
                with_causes(&error),
                "do not start: report it",
            ),
        }
    }
}

/// The identity key speaks to the other operators.
pub(crate) async fn check_identity(
    config: &Config,
    identity: &dyn IdentitySigner,
    checks: &mut Checks,
) {
    let found = identity.public_key();
    if let Err(error) = keys::check_identity(config, &found) {
        checks.red(KEYS, "identity key", error.what(), error.cure());
        return;
    }
    // No envelope and no message of a ceremony has this hash.
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
            checks.green(KEYS, "identity key", format!("{found}, and it signs"));
        }
        Ok(_) => checks.red(KEYS, "identity key", "its signature is not true", BAD_KEY),
        Err(error) => checks.red(KEYS, "identity key", with_causes(&error), BAD_KEY),
    }
}
