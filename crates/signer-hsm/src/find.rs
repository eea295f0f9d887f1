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

use crate::{
    HsmError,
    curve::{self, Curve},
    proof,
    session::KeyAt,
};

/// Most names that an error lists.
const MAX_LISTED: usize = 8;

/// A text without what it may be padded with: some modules fill labels and serial numbers with
/// blanks, others with zero bytes, some of them in front.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(['\0', ' '])
}

/// A token in its slot.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) slot: Slot,
    pub(crate) info: TokenInfo,
}

impl Token {
    pub(crate) fn at(pkcs11: &Pkcs11, slot: Slot) -> Result<Self, HsmError> {
        let info = pkcs11.get_token_info(slot)?;
        Ok(Self { slot, info })
    }

    pub(crate) fn label(&self) -> String {
        trimmed(self.info.label()).to_owned()
    }

    pub(crate) fn serial(&self) -> &str {
        trimmed(self.info.serial_number())
    }

    /// Whether PINs are typed at the token itself.
    pub(crate) fn has_pad(&self) -> bool {
        self.info.protected_authentication_path()
    }

    /// Whether it may hold keys. Some modules do not flag as initialised what they made ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.info.token_initialized() || !self.label().is_empty()
    }
}

/// The one token that is as chosen.
pub(crate) fn token(pkcs11: &Pkcs11, selector: &TokenSelector) -> Result<Token, HsmError> {
    let mut there = Vec::new();
    let mut chosen = Vec::new();
    for token in tokens(pkcs11)? {
        if !token.is_ready() {
            continue;
        }
        there.push(format!("`{}`", token.label()));
        let fits = match selector {
            TokenSelector::Label(label) => token.label() == trimmed(label),
            TokenSelector::Serial(serial) => token.serial() == trimmed(serial),
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

/// One attribute, asked for by itself: some modules tell nothing if one of several is not there.
/// None if the module does not tell it, whatever it says instead.
pub(crate) fn attribute(
    session: &Session,
    object: ObjectHandle,
    kind: AttributeType,
) -> Result<Option<Attribute>, HsmError> {
    match session.get_attributes(object, &[kind]) {
        Ok(told) => Ok(told.into_iter().next()),
        Err(error @ Error::Pkcs11(code, _)) if is_lost(code) => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, ?kind, "an attribute is not told");
            Ok(None)
        }
    }
}

/// Whether the session is gone, so that it is not the attribute that is missing.
const fn is_lost(code: RvError) -> bool {
    matches!(
        code,
        RvError::CryptokiNotInitialized
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::ObjectHandleInvalid
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
    )
}

/// The label of an object, as the token has it.
pub(crate) fn label(session: &Session, object: ObjectHandle) -> Result<Vec<u8>, HsmError> {
    Ok(match attribute(session, object, AttributeType::Label)? {
        Some(Attribute::Label(label)) => label,
        _ => Vec::new(),
    })
}

/// The id of an object, as the token has it; empty if it has none.
pub(crate) fn id(session: &Session, object: ObjectHandle) -> Result<Vec<u8>, HsmError> {
    Ok(match attribute(session, object, AttributeType::Id)? {
        Some(Attribute::Id(id)) => id,
        _ => Vec::new(),
    })
}

/// Whether two labels are the same but for padding.
pub(crate) fn same_label(one: &[u8], other: &[u8]) -> bool {
    let plain = |label: &[u8]| -> Vec<u8> {
        let padding = |byte: &&u8| matches!(byte, 0 | b' ');
        let front = label.iter().take_while(padding).count();
        let back = label.iter().rev().take_while(padding).count();
        let end = label.len() - back.min(label.len() - front);
        label[front..end].to_vec()
    };
    plain(one) == plain(other)
}

/// A private key that may sign.
pub(crate) struct FoundKey {
    pub(crate) handle: ObjectHandle,
    /// The public half, if the token tells one.
    told: Option<PublicKey>,
    /// Whether the token says that it is on secp256k1.
    ours: bool,
    /// Whether it wants the PIN for each use.
    pub(crate) each_use: bool,
}

impl FoundKey {
    /// The public half, if the token leaves no doubt.
    pub(crate) fn certain(&self) -> Option<PublicKey> {
        self.told.filter(|_| self.ours)
    }
}

/// The one key that is as chosen.
pub(crate) fn key(
    session: &Session,
    token: &str,
    selector: &KeySelector,
) -> Result<FoundKey, HsmError> {
    let found = private_keys(session, selector)?;
    match found.as_slice() {
        [one] => key_at(session, *one, selector),
        [] => {
            let found = labels(session)?;
            Err(if found.is_empty() {
                HsmError::NoKeys {
                    token: token.to_owned(),
                    selector: selector.clone(),
                }
            } else {
                HsmError::KeyMissing {
                    token: token.to_owned(),
                    selector: selector.clone(),
                    found: listed(found),
                }
            })
        }
        more => Err(HsmError::KeyAmbiguous {
            token: token.to_owned(),
            selector: selector.clone(),
            count: more.len(),
        }),
    }
}

/// The private keys that are as chosen. What the module does not find is looked for one by one: it
/// may have padded the label, or not search by it.
fn private_keys(session: &Session, selector: &KeySelector) -> Result<Vec<ObjectHandle>, HsmError> {
    let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
    let chosen = match selector {
        KeySelector::Label(label) => Attribute::Label(label.clone().into_bytes()),
        KeySelector::Id(id) => Attribute::Id(id.clone()),
    };
    match session.find_objects(&[class.clone(), chosen]) {
        Ok(found) if !found.is_empty() => return Ok(found),
        Err(error @ Error::Pkcs11(code, _)) if is_lost(code) => return Err(error.into()),
        _ => {}
    }
    let mut fitting = Vec::new();
    for handle in session.find_objects(&[class])? {
        let fits = match selector {
            KeySelector::Label(chosen) => same_label(&label(session, handle)?, chosen.as_bytes()),
            KeySelector::Id(chosen) => id(session, handle)? == *chosen,
        };
        if fits {
            fitting.push(handle);
        }
    }
    Ok(fitting)
}

/// The key that a handle is of, if it may be on secp256k1 and may sign.
pub(crate) fn key_at(
    session: &Session,
    handle: ObjectHandle,
    selector: &KeySelector,
) -> Result<FoundKey, HsmError> {
    let wrong = |found| HsmError::WrongCurve {
        selector: selector.clone(),
        found,
    };
    if let Some(Attribute::KeyType(kind)) = attribute(session, handle, AttributeType::KeyType)?
        && kind != KeyType::EC
    {
        return Err(wrong(format!("of type {kind}")));
    }
    if let Some(Attribute::Sign(false)) = attribute(session, handle, AttributeType::Sign)? {
        return Err(HsmError::NotForSigning(selector.clone()));
    }
    let each_use = attribute(session, handle, AttributeType::AlwaysAuthenticate)?;
    let (label, id) = (label(session, handle)?, id(session, handle)?);
    let halves = public_halves(session, &label, &id)?;
    let mut curve = curve_of(session, handle)?;
    let mut points: Vec<_> = point_of(session, handle)?.into_iter().collect();
    for half in halves {
        if curve == Curve::Untold {
            curve = curve_of(session, half)?;
        }
        points.extend(point_of(session, half)?);
    }
    points.sort_unstable();
    points.dedup();
    if let Curve::Other(found) = curve {
        return Err(wrong(found));
    }
    Ok(FoundKey {
        handle,
        // Of several, none is certain.
        told: points.pop().filter(|_| points.is_empty()),
        ours: curve == Curve::Secp256k1,
        each_use: matches!(each_use, Some(Attribute::AlwaysAuthenticate(true))),
    })
}

/// What a key's signatures say of its public half, for a token that leaves doubt.
pub(crate) fn by_signatures(
    at: &KeyAt<'_>,
    key: &FoundKey,
    selector: &KeySelector,
) -> Result<PublicKey, HsmError> {
    let signer = proof::signer(at)?.ok_or_else(|| HsmError::NoPublicKey(selector.clone()))?;
    match key.told {
        Some(told) if told != signer => Err(HsmError::BadSignature),
        _ => Ok(signer),
    }
}

fn curve_of(session: &Session, object: ObjectHandle) -> Result<Curve, HsmError> {
    Ok(match attribute(session, object, AttributeType::EcParams)? {
        Some(Attribute::EcParams(params)) => curve::of_params(&params),
        _ => Curve::Untold,
    })
}

pub(crate) fn point_of(
    session: &Session,
    object: ObjectHandle,
) -> Result<Option<PublicKey>, HsmError> {
    for kind in [AttributeType::EcPoint, AttributeType::PublicKeyInfo] {
        if let Some(Attribute::EcPoint(bytes) | Attribute::PublicKeyInfo(bytes)) =
            attribute(session, object, kind)?
            && let Some(point) = curve::point(&bytes)
        {
            return Ok(Some(point));
        }
    }
    Ok(None)
}

/// The objects that are the public half of a key: those with its id, or with its label where one of
/// the two halves has no id.
pub(crate) fn public_halves(
    session: &Session,
    own_label: &[u8],
    own_id: &[u8],
) -> Result<Vec<ObjectHandle>, HsmError> {
    let class = Attribute::Class(ObjectClass::PUBLIC_KEY);
    if !own_id.is_empty() {
        let by_id = [class.clone(), Attribute::Id(own_id.to_vec())];
        match session.find_objects(&by_id) {
            Ok(found) if !found.is_empty() => return Ok(found),
            Err(error @ Error::Pkcs11(code, _)) if is_lost(code) => return Err(error.into()),
            _ => {}
        }
    }
    let mut halves = Vec::new();
    for handle in session.find_objects(&[class])? {
        let other = id(session, handle)?;
        let fits = if own_id.is_empty() || other.is_empty() {
            !own_label.is_empty() && same_label(own_label, &label(session, handle)?)
        } else {
            own_id == other
        };
        if fits {
            halves.push(handle);
        }
    }
    Ok(halves)
}

/// The labels of all private keys.
fn labels(session: &Session) -> Result<Vec<String>, HsmError> {
    let mut labels = Vec::new();
    for handle in session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
        let label = label(session, handle)?;
        labels.push(format!("`{}`", trimmed(&String::from_utf8_lossy(&label))));
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
