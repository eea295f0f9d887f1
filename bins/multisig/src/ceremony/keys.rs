//! Signing with one's own keys.

use std::path::Path;

use federation_ceremony::{Body, Digest, KeyUse, Message, ProvenKey, message_digest, proof_digest};
use federation_cli::CliError;
use federation_keystore::{is_keystore, open_as};
use federation_multisig::Network;
use federation_signer::{
    IdentitySigner, KeyRole, Secret, SecretSource, SignerError, SoftwareIdentity, SoftwareSpender,
    SpendSigner, key_file,
};
use secp256k1::{XOnlyPublicKey, schnorr};

use super::{args::IdentityArgs, folder::refused};
use crate::key::{passphrase, with_causes};

/// Opens a key file, encrypted or plain.
fn open(file: &Path, role: KeyRole, source: &SecretSource) -> Result<Secret, CliError> {
    if is_keystore(file) {
        return open_as(file, role, &passphrase(source, file)?).map_err(|error| {
            CliError::failure(with_causes(&error), "see docs/keys.md, keystores")
        });
    }
    key_file::read(file, &Network::ELEMENTS_CUSTOM).map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "make a key with `multisig key new FILE --role ROLE`",
        )
    })
}

/// One's own identity.
pub(super) fn identity(args: &IdentityArgs) -> Result<SoftwareIdentity, CliError> {
    open(&args.identity_key, KeyRole::Identity, &args.passphrase).map(SoftwareIdentity::new)
}

/// Says something in a ceremony.
pub(super) fn say(
    ceremony: Digest,
    identity: &SoftwareIdentity,
    body: Body,
) -> Result<Message, CliError> {
    let sender = IdentitySigner::public_key(identity);
    let digest = message_digest(ceremony, &sender, &body).map_err(refused)?;
    let signature = wait(identity.sign_envelope(digest.to_bytes()))?;
    let signature = schnorr::Signature::from_slice(&signature).map_err(refused)?;
    Message::new(ceremony, sender, body, signature).map_err(refused)
}

/// Proves that one holds a key.
pub(super) fn prove(
    ceremony: Digest,
    owner: &XOnlyPublicKey,
    usage: KeyUse,
    file: &Path,
    source: &SecretSource,
) -> Result<ProvenKey, CliError> {
    let role = match usage {
        KeyUse::Peg => KeyRole::Peg,
        KeyUse::Reissuance => KeyRole::Reissuance,
        _ => KeyRole::Block,
    };
    // What is signed is no block's hash nor a transaction's: it is tagged.
    let spender = SoftwareSpender::new(open(file, role, source)?);
    let key = SpendSigner::public_key(&spender);
    let digest = proof_digest(ceremony, owner, usage, &key);
    let proof = wait(spender.sign_spend(digest.to_bytes()))?;
    Ok(ProvenKey { usage, key, proof })
}

fn wait<T>(signing: impl Future<Output = Result<T, SignerError>>) -> Result<T, CliError> {
    let failed = |error: &dyn core::fmt::Display| CliError::failure(error, "try again");
    tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| failed(&error))?
        .block_on(signing)
        .map_err(|error| failed(&error))
}
