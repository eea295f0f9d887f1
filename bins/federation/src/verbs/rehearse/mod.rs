//! `federation rehearse`: builds and signs a trial block 1 in this process, before any node exists.

mod args;

use std::{collections::BTreeMap, process::ExitCode};

use federation_ceremony::Certificate;
use federation_chain::{Block, Dialect, SigningRules};
use federation_cli::{BUG, CliError, OrHelp, with_causes};
use federation_multisig::{KeyOrder, MultisigScript};
use federation_operator::config::Config;
use federation_signer::KeySource;
use secp256k1::{Message, PublicKey, SECP256K1, SecretKey, ecdsa::Signature, rand};

pub(crate) use self::args::RehearseArgs;
use crate::{
    checks::Checks,
    files,
    key_checks::{BAD_KEY, KEYS, check_identity},
    keys::{self, Keys},
    node, runtime,
};

const BLOCK: &str = "block 1";

/// Runs the rehearsal; exit code 1 if a check is red.
pub(crate) fn run(args: &RehearseArgs) -> Result<ExitCode, CliError> {
    let config = files::load(&args.config, &args.settings.overrides())?;
    let Some(certificate) = config.certificate.clone() else {
        return Err(CliError::failure(
            "no certificate is configured, and block 1 is built from it",
            "add `certificate = \"certificate.json\"` to operator.toml, or use --certificate",
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
                "{}, signed by all {}",
                certificate.agreed_hash(),
                certificate.operators().len()
            ),
        );
        checks.green("certificate", "federation.toml", "matches it");
        if can_sign(&config, &mut checks) {
            rehearse(&config, &certificate, &keys, &mut checks).await?;
        }
        check_identity(&config, keys.identity.as_ref(), &mut checks).await;
        Ok::<_, CliError>(checks)
    })?;
    checks.print(args.json)
}

/// Whether the key can sign without a node.
fn can_sign(config: &Config, checks: &mut Checks) -> bool {
    if matches!(config.keys.block, KeySource::Node { .. }) {
        checks.yellow(
            BLOCK,
            "signature",
            "the block key is in the node's wallet, which signs only blocks of its chain",
            "run `federation preflight` to check the wallet; the rest shows at block 1",
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
    let rules = certificate.federation().rules();
    let block = genesis.rehearsal_block(rules).or_help(BUG)?;
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
        Err(error) => checks.red(
            BLOCK,
            "signers",
            error,
            "do not start; ask the other operators",
        ),
    }
    let found = keys.block.public_key();
    let Some(position) = position_of(config, rules.script(), &found) else {
        checks.red(
            KEYS,
            "block key",
            format!("{found} is not this operator's key in the roster"),
            "configure the key that you joined the federation with",
        );
        return Ok(());
    };
    checks.green(
        KEYS,
        "block key",
        format!("{found}, number {} in the script", position + 1),
    );
    let Some(signature) = sign(keys, &block, checks).await else {
        return Ok(());
    };
    match rules.verify_signature(block.block_hash(), position, &signature) {
        Ok(()) => checks.green(BLOCK, "own signature", "valid for the header's hash"),
        Err(error) => checks.red(BLOCK, "own signature", error, BAD_KEY),
    }
    check_size(rules, checks);
    let fake = FakeFederation::new(rules, &found).or_help(BUG)?;
    let block = genesis.rehearsal_block(&fake.rules).or_help(BUG)?;
    if let Some(own) = sign(keys, &block, checks).await {
        fake.check(&block, own, checks);
    }
    Ok(())
}

/// Returns the position in the script of this operator's key; none for another key.
fn position_of(config: &Config, script: &MultisigScript, key: &PublicKey) -> Option<usize> {
    let own = config.federation.member(config.me)?.block_key;
    let mut keys = script.keys().iter();
    (own == *key).then(|| keys.position(|known| known == key))?
}

/// Signs with this operator's key, bypassing the guard: no node would ever accept the block.
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
        let found = format!("at most {needed} bytes for {threshold}; the chain has no limit");
        checks.green(BLOCK, "size of signatures", found);
        return;
    }
    let allowed = rules.max_signature_size();
    let found = format!("at most {needed} bytes for {threshold}, {allowed} allowed");
    if needed <= allowed {
        checks.green(BLOCK, "size of signatures", found);
    } else {
        checks.red(
            BLOCK,
            "size of signatures",
            found,
            "start a new ceremony with con_max_block_sig_size of at least that size",
        );
    }
}

/// The federation with generated keys in place of all other operators', so that a block can be completed.
struct FakeFederation {
    rules: SigningRules,
    own: PublicKey,
    others: Vec<SecretKey>,
}

impl FakeFederation {
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

    /// Adds this operator's signature and those of generated keys, and validates the block as nodes do.
    fn check(&self, block: &Block, own: Signature, checks: &mut Checks) {
        let message = Message::from_digest(block.block_hash().to_bytes());
        let mut signatures = BTreeMap::new();
        let position_of = |key| {
            let mut keys = self.rules.script().keys().iter();
            keys.position(|known| *known == key)
        };
        signatures.extend(position_of(self.own).map(|position| (position, own)));
        let missing = self.rules.script().threshold().to_usize() - 1;
        for secret in self.others.iter().take(missing) {
            let position = position_of(secret.public_key(SECP256K1));
            let signature = SECP256K1.sign_ecdsa(&message, secret);
            signatures.extend(position.map(|position| (position, signature)));
        }
        match self.rules.assemble(block, &signatures) {
            Ok(complete) => checks.green(
                BLOCK,
                "complete",
                format!(
                    "valid with {} signatures of this form: header {} bytes, block {} bytes",
                    signatures.len(),
                    complete.header().encode().len(),
                    complete.as_bytes().len(),
                ),
            ),
            Err(error) => checks.red(
                BLOCK,
                "complete",
                with_causes(&error),
                "do not start; report it",
            ),
        }
    }
}
