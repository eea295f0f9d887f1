//! Finding a token in a module and a key in a token.

use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
    slot::{Slot, TokenInfo},
};
use federation_signer::{KeySelector, TokenSelector};
use secp256k1::PublicKey;

use crate::{HsmError, curve};

/// Most names that an error lists.
const MAX_LISTED: usize = 8;

/// A token in its slot.
pub(crate) struct Token {
    pub(crate) slot: Slot,
    pub(crate) info: TokenInfo,
}

impl Token {
    pub(crate) fn label(&self) -> String {
        self.info.label().to_owned()
    }
}

/// The one token that is as chosen.
pub(crate) fn token(pkcs11: &Pkcs11, selector: &TokenSelector) -> Result<Token, HsmError> {
    let mut there = Vec::new();
    let mut chosen = Vec::new();
    for token in tokens(pkcs11)? {
        if !token.info.token_initialized() {
            continue;
        }
        there.push(format!("`{}`", token.label()));
        let fits = match selector {
            TokenSelector::Label(label) => token.info.label() == label,
            TokenSelector::Serial(serial) => token.info.serial_number() == serial,
            TokenSelector::Slot(slot) => token.slot.id() == *slot,
        };
        if fits {
            chosen.push(token);
        }
    }
    if chosen.len() > 1 {
        return Err(HsmError::TokenAmbiguous {
            selector: selector.clone(),
            count: chosen.len(),
        });
    }
    chosen.pop().ok_or_else(|| HsmError::TokenMissing {
        selector: selector.clone(),
        found: listed(there),
    })
}

/// All tokens, those that are not initialised yet, too.
pub(crate) fn tokens(pkcs11: &Pkcs11) -> Result<Vec<Token>, HsmError> {
    let mut tokens = Vec::new();
    for slot in pkcs11.get_slots_with_token()? {
        match pkcs11.get_token_info(slot) {
            Ok(info) => tokens.push(Token { slot, info }),
            // Pulled, or broken: the others are as good as before.
            Err(Error::Pkcs11(code, _)) if code != RvError::CryptokiNotInitialized => {
                tracing::debug!(slot = slot.id(), ?code, "a token does not tell what it is");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(tokens)
}

/// A private key that may sign blocks, with its public half.
pub(crate) struct FoundKey {
    pub(crate) handle: ObjectHandle,
    pub(crate) public_key: PublicKey,
}

/// The one key that is as chosen, if it is on secp256k1 and may sign.
pub(crate) fn key(
    session: &Session,
    token: &str,
    selector: &KeySelector,
) -> Result<FoundKey, HsmError> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.push(match selector {
        KeySelector::Label(label) => Attribute::Label(label.clone().into_bytes()),
        KeySelector::Id(id) => Attribute::Id(id.clone()),
    });
    let found = session.find_objects(&template)?;
    let handle = match found.as_slice() {
        [one] => *one,
        [] => {
            return Err(HsmError::KeyMissing {
                token: token.to_owned(),
                selector: selector.clone(),
                found: listed(labels(session)?),
            });
        }
        more => {
            return Err(HsmError::KeyAmbiguous {
                token: token.to_owned(),
                selector: selector.clone(),
                count: more.len(),
            });
        }
    };
    let wanted = [
        AttributeType::KeyType,
        AttributeType::EcParams,
        AttributeType::Sign,
        AttributeType::Id,
        AttributeType::Label,
    ];
    let mut id = Vec::new();
    let mut label = Vec::new();
    let mut params = None;
    for attribute in session.get_attributes(handle, &wanted[..1])? {
        if let Attribute::KeyType(kind) = attribute
            && kind != KeyType::EC
        {
            return Err(HsmError::WrongCurve {
                selector: selector.clone(),
                found: format!("of type {kind}"),
            });
        }
    }
    for attribute in session.get_attributes(handle, &wanted[1..])? {
        match attribute {
            Attribute::EcParams(found) => params = Some(found),
            Attribute::Sign(false) => return Err(HsmError::NotForSigning(selector.clone())),
            Attribute::Id(found) => id = found,
            Attribute::Label(found) => label = found,
            _ => {}
        }
    }
    match params {
        Some(params) if params == curve::SECP256K1 => {}
        Some(other) => {
            return Err(HsmError::WrongCurve {
                selector: selector.clone(),
                found: curve::name(&other),
            });
        }
        None => {
            return Err(HsmError::WrongCurve {
                selector: selector.clone(),
                found: "on a curve that the module does not tell".to_owned(),
            });
        }
    }
    Ok(FoundKey {
        handle,
        public_key: public_half(session, selector, id, label)?,
    })
}

/// The public half, which is an object of its own with the same id, or else the same label.
fn public_half(
    session: &Session,
    selector: &KeySelector,
    id: Vec<u8>,
    label: Vec<u8>,
) -> Result<PublicKey, HsmError> {
    let by = if id.is_empty() {
        Attribute::Label(label)
    } else {
        Attribute::Id(id)
    };
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), by];
    let handles = session.find_objects(&template)?;
    let [handle] = handles.as_slice() else {
        return Err(HsmError::NoPublicKey(selector.clone()));
    };
    for attribute in session.get_attributes(*handle, &[AttributeType::EcPoint])? {
        if let Attribute::EcPoint(bytes) = attribute {
            return curve::point(&bytes).ok_or_else(|| HsmError::BadPublicKey(selector.clone()));
        }
    }
    Err(HsmError::NoPublicKey(selector.clone()))
}

/// The labels of all private keys.
fn labels(session: &Session) -> Result<Vec<String>, HsmError> {
    let mut labels = Vec::new();
    for handle in session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
        for attribute in session.get_attributes(handle, &[AttributeType::Label])? {
            if let Attribute::Label(label) = attribute {
                labels.push(format!("`{}`", String::from_utf8_lossy(&label)));
            }
        }
    }
    Ok(labels)
}

fn listed(mut names: Vec<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    if names.len() > MAX_LISTED {
        names.truncate(MAX_LISTED);
        names.push("..".to_owned());
    }
    names.join(", ")
}
