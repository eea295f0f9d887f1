//! Signing with the user's own keys.

use std::path::Path;

use federation_ceremony::{Body, Digest, KeyUse, Message, ProvenKey, message_digest, proof_digest};
use federation_cli::CliError;
use federation_keystore::{is_keystore, open_as};
use federation_multisig::Network;
use federation_signer::{
    IdentitySigner, KeyRole, KeySelector, Secret, SecretSource, SignerError, SoftwareIdentity,
    SoftwareSpender, SpendSigner, key_file,
};
use federation_signer_hsm::{HsmConfig, HsmKey, HsmSpender, Pin};
use secp256k1::{XOnlyPublicKey, schnorr};

use super::{
    args::{HsmKeyArgs, IdentityArgs, JoinArgs},
    folder::refused,
};
use crate::key::{passphrase, with_causes};

/// Opens a key file, encrypted or plain.
fn open(file: &Path, role: KeyRole, source: &SecretSource) -> Result<Secret, CliError> {
    if is_keystore(file) {
        return open_as(file, role, &passphrase(source, file)?).map_err(|error| {
            CliError::failure(
                with_causes(&error),
                "check the file and its pass phrase; see `multisig help keystores`",
            )
        });
    }
    key_file::read(file, &Network::ELEMENTS_CUSTOM).map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "make a key with `multisig key new FILE --role ROLE`",
        )
    })
}

/// Opens the user's identity key.
pub(super) fn identity(args: &IdentityArgs) -> Result<SoftwareIdentity, CliError> {
    open(&args.identity_key, KeyRole::Identity, &args.passphrase).map(SoftwareIdentity::new)
}

/// Signs a message of a ceremony.
pub(super) fn sign_message(
    ceremony: Digest,
    identity: &SoftwareIdentity,
    body: Body,
) -> Result<Message, CliError> {
    let sender = IdentitySigner::public_key(identity);
    let digest = message_digest(ceremony, &sender, &body).map_err(refused)?;
    let signature = wait(identity.sign_envelope(digest.to_bytes()))?.map_err(not_signed)?;
    let signature = schnorr::Signature::from_slice(&signature).map_err(refused)?;
    Message::new(ceremony, sender, body, signature).map_err(refused)
}

/// One of the user's keys, and its use. The digests that it signs here are tagged, so that they cannot
/// be those of a block or a transaction.
pub(super) type OwnKey = (KeyUse, Box<dyn SpendSigner>);

/// Opens the user's keys for the uses that a proposal requires, in its order. The token's PIN is asked
/// for only once.
pub(super) fn own(uses: &[KeyUse], args: &JoinArgs) -> Result<Vec<OwnKey>, CliError> {
    let mut pin = None;
    let keys = uses.iter().map(|usage| {
        let (file, hsm) = match usage {
            KeyUse::Peg => (&args.keys.peg_key, &args.keys.peg_hsm_key),
            KeyUse::Reissuance => (&args.keys.reissuance_key, &args.keys.reissuance_hsm_key),
            _ => (&args.keys.block_key, &args.keys.block_hsm_key),
        };
        let key: Box<dyn SpendSigner> = match (file, hsm) {
            (Some(file), _) => {
                let source = args.keys.keys_passphrase.as_ref();
                let source = source.unwrap_or(&args.identity.passphrase);
                let secret = open(file, role_of(*usage), source)?;
                Box::new(SoftwareSpender::new(secret))
            }
            (None, Some(selector)) => Box::new(in_module(&args.hsm, selector, &mut pin)?),
            (None, None) => {
                let name = usage.as_str();
                return Err(CliError::usage(
                    format!("the proposal requires a {name} key"),
                    format!("give --{name}-key FILE or --{name}-hsm-key KEY"),
                ));
            }
        };
        Ok((*usage, key))
    });
    keys.collect()
}

const fn role_of(usage: KeyUse) -> KeyRole {
    match usage {
        KeyUse::Peg => KeyRole::Peg,
        KeyUse::Reissuance => KeyRole::Reissuance,
        _ => KeyRole::Block,
    }
}

/// Opens a key in a hardware module.
fn in_module(
    args: &HsmKeyArgs,
    selector: &KeySelector,
    known: &mut Option<Pin>,
) -> Result<HsmSpender, CliError> {
    let missing = |flag: &str| {
        CliError::usage(
            format!("a key in a hardware module requires {flag}"),
            "take its value from `multisig hsm list`; see `multisig help hardware-modules`",
        )
    };
    let module = args.module.as_ref().ok_or_else(|| missing("--module"))?;
    let token = args.token.as_ref().ok_or_else(|| missing("--token"))?;
    let pin = match known {
        Some(pin) => pin.clone(),
        None => {
            let what = format!("user PIN of token {token}");
            let pin = Pin::read(&args.pin, &what, module, token).map_err(|error| {
                CliError::failure(with_causes(&error), "choose another source with --pin")
            })?;
            known.insert(pin).clone()
        }
    };
    let config = HsmConfig::new(module, token.clone(), selector.clone(), pin).with_sessions(1);
    let key = wait(HsmKey::open(config))?.map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "check it with `multisig hsm list`; see `multisig help hardware-modules`",
        )
    })?;
    Ok(HsmSpender::new(key))
}

/// Proves possession of a key.
pub(super) fn prove(
    ceremony: Digest,
    owner: &XOnlyPublicKey,
    usage: KeyUse,
    spender: &dyn SpendSigner,
) -> Result<ProvenKey, CliError> {
    let key = spender.public_key();
    let digest = proof_digest(ceremony, owner, usage, &key);
    let proof = wait(spender.sign_spend(digest.to_bytes()))?.map_err(not_signed)?;
    Ok(ProvenKey { usage, key, proof })
}

fn not_signed(error: SignerError) -> CliError {
    CliError::failure(with_causes(&error), "try again")
}

/// Runs a future to completion, in a runtime with timers: calls to modules have timeouts.
fn wait<T>(signing: impl Future<Output = T>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map(|runtime| runtime.block_on(signing))
        .map_err(|error| CliError::failure(error, "try again"))
}
