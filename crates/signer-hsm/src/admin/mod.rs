//! Administration of a module: listing and initialising tokens, generating and importing keys.
//!
//! These calls block. They are meant for command lines: do not call them from async code.

mod make;
mod template;
mod token;
mod user;

use std::path::Path;

use cryptoki::{
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};
use federation_signer::{KeySelector, TokenSelector};
use secp256k1::PublicKey;

use self::user::User;
pub use self::{
    make::{generate_key, import_key},
    token::{blank_token, init_token},
};
use crate::{
    HsmError, Pin,
    find::{self, Token, trimmed},
    module::Module,
    session::Mode,
};

/// A token in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenEntry {
    /// The slot's number.
    pub slot: u64,
    /// The label; empty if it is not initialised.
    pub label: String,
    /// The serial number.
    pub serial: String,
    /// The manufacturer.
    pub manufacturer: String,
    /// The model.
    pub model: String,
    /// Whether it is initialised.
    pub initialised: bool,
    /// Whether it has a user PIN.
    pub has_user_pin: bool,
    /// Whether the user PIN is locked.
    pub pin_locked: bool,
    /// Whether PINs are entered on a pad of its own.
    pub pin_pad: bool,
    /// Whether it appears to be empty, so that it can be initialised.
    pub blank: bool,
}

/// A private key in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEntry {
    /// The label.
    pub label: String,
    /// The id.
    pub id: Vec<u8>,
    /// The public key, if the key is usable for this project.
    pub public_key: Option<PublicKey>,
    /// Why it is not usable, if so.
    pub problem: Option<String>,
    /// Whether it can be extracted from the token; `None` if the module does not report it.
    pub extractable: Option<bool>,
}

/// Lists all tokens of a module.
///
/// # Errors
/// If the module cannot be used.
pub fn tokens(module: &Path) -> Result<Vec<TokenEntry>, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    Ok(find::tokens(&state.pkcs11)?.iter().map(entry).collect())
}

/// Returns whether the PINs of a token are entered on its own pad, so that they need not be given
/// here.
///
/// # Errors
/// If the module cannot be used or has no such token.
pub fn has_pin_pad(module: &Path, token: &TokenSelector) -> Result<bool, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    find::token(&state.pkcs11, token).map(|token| token.has_pad())
}

fn entry(token: &Token) -> TokenEntry {
    let info = &token.info;
    let plain = |text: &str| trimmed(text).to_owned();
    TokenEntry {
        slot: token.slot.id(),
        label: token.label(),
        serial: plain(info.serial_number()),
        manufacturer: plain(info.manufacturer_id()),
        model: plain(info.model()),
        initialised: info.token_initialized(),
        has_user_pin: info.user_pin_initialized(),
        pin_locked: info.user_pin_locked(),
        pin_pad: token.has_pad(),
        blank: token::reported_use(token).is_none(),
    }
}

/// Finds one private key of a token. If the public key is uncertain, because the token has no
/// object for it or does not report the curve, it is computed from two signatures that have no
/// other use.
///
/// # Errors
/// If there is no such key, or it is not usable for this project; see [`HsmError`].
pub fn find_key(
    module: &Path,
    token: &TokenSelector,
    pin: &Pin,
    key: &KeySelector,
) -> Result<KeyEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let user = User::log_in(&module, &state, token, pin, Mode::Read)?;
    let found = find::key(&user.session, &user.token.label(), key)?;
    let public_key = match found.certain() {
        Some(public_key) => public_key,
        None => user.with_key(&found, |at| find::by_signatures(at, &found, key))?,
    };
    let mut entry = entry_of(&user.session, found.handle)?;
    entry.public_key = Some(public_key);
    Ok(entry)
}

/// Lists all private keys of a token. No key is asked to sign, so some may be listed without their
/// public key, which [`find_key`] determines.
///
/// # Errors
/// See [`HsmError`].
pub fn keys(module: &Path, token: &TokenSelector, pin: &Pin) -> Result<Vec<KeyEntry>, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let user = User::log_in(&module, &state, token, pin, Mode::Read)?;
    let session = &user.session;
    let mut entries = Vec::new();
    for handle in session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
        let mut entry = entry_of(session, handle)?;
        let selector = if entry.id.is_empty() {
            KeySelector::Label(entry.label.clone())
        } else {
            KeySelector::Id(entry.id.clone())
        };
        match find::key_at(session, handle, &selector) {
            Ok(found) if found.certain().is_some() => entry.public_key = found.certain(),
            Ok(_) => {
                entry.problem = Some(format!(
                    "the token does not report its public key: `multisig hsm pubkey --key {selector}` determines it"
                ))
            }
            Err(error @ HsmError::Call { .. }) => return Err(error),
            Err(error) => entry.problem = Some(error.to_string()),
        }
        entries.push(entry);
    }
    entries.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
    Ok(entries)
}

/// Returns the attributes of a private key that the token reveals.
fn entry_of(session: &Session, handle: ObjectHandle) -> Result<KeyEntry, HsmError> {
    let label = find::label(session, handle)?;
    let extractable = find::attribute(session, handle, AttributeType::Extractable)?;
    Ok(KeyEntry {
        label: trimmed(&String::from_utf8_lossy(&label)).to_owned(),
        id: find::id(session, handle)?,
        public_key: None,
        problem: None,
        extractable: match extractable {
            Some(Attribute::Extractable(extractable)) => Some(extractable),
            _ => None,
        },
    })
}
