//! Keeping house in a module: tokens listed and initialised, keys made and imported.
//!
//! These calls block, and are for command lines: call them where that is no harm.

use std::path::Path;

use cryptoki::{
    context::Pkcs11,
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::Slot,
};
use federation_signer::{KeySelector, Secret, TokenSelector};
use hex_conservative::FromHex;
use secp256k1::{
    PublicKey,
    rand::{RngCore, rngs::OsRng},
};
use zeroize::Zeroizing;

use crate::{
    HsmError, Pin, curve,
    find::{self, Token},
    module::Module,
    session::{log_in, pin_form},
};

/// Most bytes of a token's label (`CK_TOKEN_INFO`).
const MAX_LABEL: usize = 32;

/// Length of the id that a new key gets, in bytes.
const ID_BYTES: usize = 8;

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
    /// Who made it.
    pub manufacturer: String,
    /// The model.
    pub model: String,
    /// Whether it is initialised.
    pub initialised: bool,
    /// Whether it has a user PIN.
    pub has_user_pin: bool,
    /// Whether the user PIN is locked.
    pub pin_locked: bool,
}

/// A private key in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEntry {
    /// The label.
    pub label: String,
    /// The id.
    pub id: Vec<u8>,
    /// The public half, if it is a key for this project.
    pub public_key: Option<PublicKey>,
    /// Why it is none, if so.
    pub problem: Option<String>,
    /// Whether it can be taken out of the token; none if the module does not tell.
    pub extractable: Option<bool>,
}

/// All tokens of a module.
///
/// # Errors
/// If the module cannot be used.
pub fn tokens(module: &Path) -> Result<Vec<TokenEntry>, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    Ok(find::tokens(&state.pkcs11)?.iter().map(entry).collect())
}

fn entry(token: &Token) -> TokenEntry {
    let info = &token.info;
    TokenEntry {
        slot: token.slot.id(),
        label: info.label().to_owned(),
        serial: info.serial_number().to_owned(),
        manufacturer: info.manufacturer_id().to_owned(),
        model: info.model().to_owned(),
        initialised: info.token_initialized(),
        has_user_pin: info.user_pin_initialized(),
        pin_locked: info.user_pin_locked(),
    }
}

/// Initialises a token with a label, the security officer's PIN and the user's PIN. Takes the slot
/// that is given, or the first without a token. Never erases a token.
///
/// # Errors
/// [`HsmError::TokenInUse`] if the slot holds a token; [`HsmError::LabelTaken`] if another token
/// has the label; else see [`HsmError`].
pub fn init_token(
    module: &Path,
    slot: Option<u64>,
    label: &str,
    so_pin: &Pin,
    user_pin: &Pin,
) -> Result<TokenEntry, HsmError> {
    if label.len() > MAX_LABEL {
        return Err(HsmError::LongLabel(label.len()));
    }
    let module = Module::load(module)?;
    let state = module.enter();
    let pkcs11 = &state.pkcs11;
    let tokens = find::tokens(pkcs11)?;
    let same = |token: &&Token| token.info.token_initialized() && token.info.label() == label;
    if let Some(token) = tokens.iter().find(same) {
        return Err(HsmError::TokenInUse {
            slot: token.slot.id(),
            label: label.to_owned(),
        });
    }
    let free = tokens
        .iter()
        .find(|token| match slot {
            Some(slot) => token.slot.id() == slot,
            None => !token.info.token_initialized(),
        })
        .ok_or(HsmError::NoFreeSlot)?;
    if free.info.token_initialized() {
        return Err(HsmError::TokenInUse {
            slot: free.slot.id(),
            label: free.label(),
        });
    }
    // Before anything is written: a token with one PIN only is half made.
    let lengths = free.info.min_pin_length()..=free.info.max_pin_length();
    if !lengths.contains(&so_pin.len()) || !lengths.contains(&user_pin.len()) {
        return Err(pin_form(free));
    }
    pkcs11
        .init_token(free.slot, so_pin.as_auth(), label)
        .map_err(|error| pin_problem(error.into(), free))?;
    set_user_pin(pkcs11, free.slot, so_pin, user_pin)?;
    // Some modules number the slot anew.
    find::token(pkcs11, &TokenSelector::Label(label.to_owned())).map(|token| entry(&token))
}

fn set_user_pin(pkcs11: &Pkcs11, slot: Slot, so_pin: &Pin, user_pin: &Pin) -> Result<(), HsmError> {
    let token = Token {
        slot,
        info: pkcs11.get_token_info(slot)?,
    };
    let session = pkcs11.open_rw_session(slot)?;
    log_in(&session, &token, UserType::So, so_pin)?;
    let set = session
        .init_pin(user_pin.as_auth())
        .map_err(|error| pin_problem(error.into(), &token));
    // A security officer who stays logged in keeps the user out.
    let out = session.logout();
    set?;
    Ok(out?)
}

fn pin_problem(error: HsmError, token: &Token) -> HsmError {
    use cryptoki::error::RvError;

    match error.code() {
        Some(RvError::PinLenRange | RvError::PinInvalid) => pin_form(token),
        _ => error,
    }
}

/// A user's session that may change the token.
struct Writer {
    session: Session,
    token: Token,
}

fn writer(pkcs11: &Pkcs11, token: &TokenSelector, pin: &Pin) -> Result<Writer, HsmError> {
    let token = find::token(pkcs11, token)?;
    let session = pkcs11.open_rw_session(token.slot)?;
    log_in(&session, &token, UserType::User, pin)?;
    Ok(Writer { session, token })
}

impl Writer {
    /// Refuses a label that any object has.
    fn refuse_taken(&self, label: &str) -> Result<(), HsmError> {
        let taken = self
            .session
            .find_objects(&[Attribute::Label(label.as_bytes().to_vec())])?;
        if taken.is_empty() {
            return Ok(());
        }
        Err(HsmError::LabelTaken {
            token: self.token.label(),
            label: label.to_owned(),
        })
    }
}

/// Makes a key pair in a token: on secp256k1, for signing only, sensitive and not extractable.
///
/// # Errors
/// [`HsmError::LabelTaken`] if the token holds anything of this label; else see [`HsmError`].
pub fn generate_key(
    module: &Path,
    token: &TokenSelector,
    pin: &Pin,
    label: &str,
) -> Result<KeyEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let writer = writer(&state.pkcs11, token, pin)?;
    writer.refuse_taken(label)?;
    let mut id = vec![0; ID_BYTES];
    OsRng.fill_bytes(&mut id);
    let mut public = public_template(label, &id);
    public.push(Attribute::EcParams(curve::SECP256K1.to_vec()));
    let private = private_template(label, &id);
    writer
        .session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?;
    made(&writer, label, id)
}

/// Puts a key that exists elsewhere into a token, sensitive and not extractable. Better is a key
/// that was never anywhere else.
///
/// # Errors
/// [`HsmError::LabelTaken`] if the token holds anything of this label; else see [`HsmError`].
pub fn import_key(
    module: &Path,
    token: &TokenSelector,
    pin: &Pin,
    label: &str,
    secret: &Secret,
) -> Result<KeyEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let writer = writer(&state.pkcs11, token, pin)?;
    writer.refuse_taken(label)?;
    let mut id = vec![0; ID_BYTES];
    OsRng.fill_bytes(&mut id);
    let mut public = public_template(label, &id);
    public.extend([
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::EcParams(curve::SECP256K1.to_vec()),
        Attribute::EcPoint(curve::point_attribute(&secret.public_key())),
    ]);
    let value = Zeroizing::new(
        <[u8; 32]>::from_hex(&secret.to_hex())
            .map_err(|error| HsmError::Answer(error.to_string()))?,
    );
    let mut private = private_template(label, &id);
    private.extend([
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::EcParams(curve::SECP256K1.to_vec()),
        Attribute::Value(value.to_vec()),
    ]);
    let created = writer.session.create_object(&private);
    for attribute in &mut private {
        if let Attribute::Value(value) = attribute {
            zeroize::Zeroize::zeroize(value);
        }
    }
    let handle = created?;
    if let Err(error) = writer.session.create_object(&public) {
        // Half a key is of no use and would block its label.
        let _ = writer.session.destroy_object(handle);
        return Err(error.into());
    }
    made(&writer, label, id)
}

fn public_template(label: &str, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ]
}

fn private_template(label: &str, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ]
}

/// What was made, as the token has it.
fn made(writer: &Writer, label: &str, id: Vec<u8>) -> Result<KeyEntry, HsmError> {
    let found = find::key(
        &writer.session,
        &writer.token.label(),
        &KeySelector::Id(id.clone()),
    )?;
    Ok(KeyEntry {
        label: label.to_owned(),
        id,
        public_key: Some(found.public_key),
        problem: None,
        extractable: Some(false),
    })
}

/// One private key of a token.
///
/// # Errors
/// If there is none, or it is none for this project; see [`HsmError`].
pub fn find_key(
    module: &Path,
    token: &TokenSelector,
    pin: &Pin,
    key: &KeySelector,
) -> Result<KeyEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let writer = writer(&state.pkcs11, token, pin)?;
    let found = find::key(&writer.session, &writer.token.label(), key)?;
    let mut entry = entry_of(&writer.session, found.handle)?;
    entry.public_key = Some(found.public_key);
    Ok(entry)
}

/// All private keys of a token.
///
/// # Errors
/// See [`HsmError`].
pub fn keys(module: &Path, token: &TokenSelector, pin: &Pin) -> Result<Vec<KeyEntry>, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let writer = writer(&state.pkcs11, token, pin)?;
    let session = &writer.session;
    let mut entries = Vec::new();
    for handle in session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
        let mut entry = entry_of(session, handle)?;
        let selector = if entry.id.is_empty() {
            KeySelector::Label(entry.label.clone())
        } else {
            KeySelector::Id(entry.id.clone())
        };
        match find::key(session, &writer.token.label(), &selector) {
            Ok(found) => entry.public_key = Some(found.public_key),
            Err(error) => entry.problem = Some(error.to_string()),
        }
        entries.push(entry);
    }
    entries.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
    Ok(entries)
}

/// What the token says of a private key in clear.
fn entry_of(session: &Session, handle: ObjectHandle) -> Result<KeyEntry, HsmError> {
    let mut entry = KeyEntry {
        label: String::new(),
        id: Vec::new(),
        public_key: None,
        problem: None,
        extractable: None,
    };
    let wanted = [
        AttributeType::Label,
        AttributeType::Id,
        AttributeType::Extractable,
    ];
    for attribute in session.get_attributes(handle, &wanted)? {
        match attribute {
            Attribute::Label(label) => {
                entry.label = String::from_utf8_lossy(&label).into_owned();
            }
            Attribute::Id(id) => entry.id = id,
            Attribute::Extractable(extractable) => entry.extractable = Some(extractable),
            _ => {}
        }
    }
    Ok(entry)
}
