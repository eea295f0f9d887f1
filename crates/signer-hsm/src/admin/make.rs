//! New keys in a token: generated or imported.

use std::path::Path;

use cryptoki::{
    error::RvError,
    mechanism::Mechanism,
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
};
use federation_signer::{KeySelector, Secret, TokenSelector};
use hex_conservative::FromHex;
use secp256k1::PublicKey;
use zeroize::{Zeroize, Zeroizing};

use super::{
    KeyEntry, entry_of,
    template::{self, Variant, first_accepted},
    user::User,
};
use crate::{HsmError, Pin, curve, find, module::Module, proof, session::Mode};

/// Generates a key pair in a token: on secp256k1, for signing only, sensitive and not extractable.
/// The key is tested with a signature.
///
/// # Errors
/// [`HsmError::LabelTaken`] if the token has an object with this label; [`HsmError::LeftThere`] if
/// the key was generated but failed a check; otherwise see [`HsmError`].
pub fn generate_key(
    module: &Path,
    token: &TokenSelector,
    pin: &Pin,
    label: &str,
) -> Result<KeyEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let user = User::log_in(&module, &state, token, pin, Mode::Write)?;
    refuse_used_label(&user, label)?;
    let pair = first_accepted(|variant| {
        let id = variant.fresh_id(&user.session)?;
        let mut public = variant.public(label, &id);
        public.push(Attribute::EcParams(curve::SECP256K1.to_vec()));
        let private = variant.private(label, &id);
        let session = &user.session;
        Ok(session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?)
    });
    let (public, private) = pair.map_err(|error| {
        user.not_written(error, |code| {
            template::is_of_template(code).then_some(HsmError::NoKeygen(code))
        })
    })?;
    left_in_token(label, || {
        let selector = KeySelector::Label(label.to_owned());
        let found = find::key_at(&user.session, private, &selector)?;
        let public_key = match find::point_of(&user.session, public)? {
            Some(public_key) => public_key,
            None => user.with_key(&found, |at| find::by_signatures(at, &found, &selector))?,
        };
        proven(&user, &found, public_key)
    })
}

/// Imports a key that exists elsewhere into a token, sensitive and not extractable. A key that was
/// never anywhere else is preferable. The key is tested with a signature. Once it is in the token
/// it stays there, whatever fails afterwards.
///
/// # Errors
/// [`HsmError::LabelTaken`] if the token has an object with this label; [`HsmError::LeftThere`] if
/// the key was imported but failed a check; otherwise see [`HsmError`].
pub fn import_key(
    module: &Path,
    token: &TokenSelector,
    pin: &Pin,
    label: &str,
    secret: &Secret,
) -> Result<KeyEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    let user = User::log_in(&module, &state, token, pin, Mode::Write)?;
    refuse_used_label(&user, label)?;
    let value = Zeroizing::new(
        <[u8; 32]>::from_hex(&secret.to_hex())
            .map_err(|error| HsmError::Answer(error.to_string()))?,
    );
    let private = first_accepted(|variant| put_private(&user, variant, label, &value));
    let private = private.map_err(|error| {
        user.not_written(error, |code| {
            is_of_import(code).then_some(HsmError::NoImport(code))
        })
    })?;
    let public_key = secret.public_key();
    left_in_token(label, || {
        add_public(&user, private, label, &public_key)?;
        let selector = KeySelector::Label(label.to_owned());
        let found = find::key_at(&user.session, private, &selector)?;
        proven(&user, &found, public_key)
    })
}

/// Returns the error codes of a module that does not support importing keys.
const fn is_of_import(code: RvError) -> bool {
    template::is_of_template(code)
        || matches!(
            code,
            RvError::FunctionNotSupported | RvError::ActionProhibited
        )
}

fn put_private(
    user: &User<'_>,
    variant: &Variant,
    label: &str,
    value: &[u8; 32],
) -> Result<ObjectHandle, HsmError> {
    let id = variant.fresh_id(&user.session)?;
    let mut private = variant.private(label, &id);
    private.retain(|attribute| !matches!(attribute, Attribute::KeyType(_)));
    private.extend([
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::EcParams(curve::SECP256K1.to_vec()),
        Attribute::Value(value.to_vec()),
    ]);
    let created = user.session.create_object(&private);
    for attribute in &mut private {
        if let Attribute::Value(value) = attribute {
            value.zeroize();
        }
    }
    Ok(created?)
}

/// Adds the public key, unless the module has done so. If the module refuses, it may have the key
/// without a separate object, or not need one.
fn add_public(
    user: &User<'_>,
    private: ObjectHandle,
    label: &str,
    public_key: &PublicKey,
) -> Result<(), HsmError> {
    let session = &user.session;
    let id = find::id(session, private)?;
    for half in find::public_halves(session, label.as_bytes(), &id)? {
        if find::point_of(session, half)? == Some(*public_key) {
            return Ok(());
        }
    }
    let put = first_accepted(|variant| {
        let mut public = variant.public(label, &id);
        public.retain(|attribute| !matches!(attribute, Attribute::KeyType(_)));
        public.extend([
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::EcParams(curve::SECP256K1.to_vec()),
            Attribute::EcPoint(curve::point_attribute(public_key)),
        ]);
        Ok(session.create_object(&public)?)
    });
    if let Err(error) = put {
        tracing::debug!(%error, "public key object refused by the module");
    }
    Ok(())
}

/// Refuses a label that is already used by any object.
fn refuse_used_label(user: &User<'_>, label: &str) -> Result<(), HsmError> {
    let session = &user.session;
    let bytes = label.as_bytes();
    let mut taken = !session
        .find_objects(&[Attribute::Label(bytes.to_vec())])?
        .is_empty();
    // Some modules pad labels.
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        if taken {
            break;
        }
        for handle in session.find_objects(&[Attribute::Class(class)])? {
            taken |= find::same_label(&find::label(session, handle)?, bytes);
        }
    }
    if !taken {
        return Ok(());
    }
    Err(HsmError::LabelTaken {
        token: user.token.label(),
        label: label.to_owned(),
    })
}

/// Returns the entry of a key, after testing it.
fn proven(
    user: &User<'_>,
    found: &find::FoundKey,
    public_key: PublicKey,
) -> Result<KeyEntry, HsmError> {
    if !user.with_key(found, |at| proof::proves(at, &public_key))? {
        return Err(HsmError::BadSignature);
    }
    let mut entry = entry_of(&user.session, found.handle)?;
    entry.public_key = Some(public_key);
    Ok(entry)
}

/// Marks an error after the creation of a key with the fact that the key is in the token.
fn left_in_token<T>(
    label: &str,
    rest: impl FnOnce() -> Result<T, HsmError>,
) -> Result<T, HsmError> {
    rest().map_err(|error| HsmError::LeftThere {
        label: label.to_owned(),
        reason: error.to_string(),
    })
}
