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
    session::SessionKey,
};

/// The maximum number of names in an error.
const MAX_LISTED: usize = 8;

/// Trims padding: some modules pad labels and serial numbers with spaces, others with zero bytes,
/// some of them at the start.
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

    /// Returns whether PINs are entered at the token itself.
    pub(crate) fn has_pad(&self) -> bool {
        self.info.protected_authentication_path()
    }

    /// Returns whether it may hold keys. Some modules do not flag initialised tokens as such.
    pub(crate) fn is_ready(&self) -> bool {
        self.info.token_initialized() || !self.label().is_empty()
    }
}

/// Returns the one token that matches the selector.
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

/// Returns all tokens, including uninitialised ones.
pub(crate) fn tokens(pkcs11: &Pkcs11) -> Result<Vec<Token>, HsmError> {
    let mut tokens = Vec::new();
    for slot in pkcs11.get_slots_with_token()? {
        match pkcs11.get_token_info(slot) {
            Ok(info) => tokens.push(Token { slot, info }),
            // Removed or broken: the other tokens are not affected.
            Err(Error::Pkcs11(code, _)) if code != RvError::CryptokiNotInitialized => {
                tracing::debug!(slot = slot.id(), ?code, "token information unavailable");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(tokens)
}

/// Queries one attribute by itself: some modules return nothing if one of several is missing.
/// `None` if the module does not return it, for whatever reason.
pub(crate) fn attribute(
    session: &Session,
    object: ObjectHandle,
    kind: AttributeType,
) -> Result<Option<Attribute>, HsmError> {
    match session.get_attributes(object, &[kind]) {
        Ok(reported) => Ok(reported.into_iter().next()),
        Err(error @ Error::Pkcs11(code, _)) if is_lost(code) => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, ?kind, "attribute unavailable");
            Ok(None)
        }
    }
}

/// Returns whether the session is gone, rather than the attribute missing.
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

/// Returns the label of an object, as stored.
pub(crate) fn label(session: &Session, object: ObjectHandle) -> Result<Vec<u8>, HsmError> {
    Ok(match attribute(session, object, AttributeType::Label)? {
        Some(Attribute::Label(label)) => label,
        _ => Vec::new(),
    })
}

/// Returns the id of an object, as stored; empty if it has none.
pub(crate) fn id(session: &Session, object: ObjectHandle) -> Result<Vec<u8>, HsmError> {
    Ok(match attribute(session, object, AttributeType::Id)? {
        Some(Attribute::Id(id)) => id,
        _ => Vec::new(),
    })
}

/// Returns whether two labels are equal except for padding.
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
    /// The public key reported by the token, if any.
    reported: Option<PublicKey>,
    /// Whether the token reports the curve as secp256k1.
    ours: bool,
    /// Whether it requires the PIN for each use.
    pub(crate) each_use: bool,
}

impl FoundKey {
    /// Returns the public key, if the token leaves no doubt.
    pub(crate) fn certain(&self) -> Option<PublicKey> {
        self.reported.filter(|_| self.ours)
    }
}

/// Returns the one key that matches the selector.
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

/// Returns the private keys that match the selector. If the module's search finds none, all are
/// checked one by one: it may have padded the label, or not support the search.
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

/// Returns the key of a handle, if it may be on secp256k1 and may sign.
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
        if curve == Curve::Unknown {
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
        // If there are several, none is certain.
        reported: points.pop().filter(|_| points.is_empty()),
        ours: curve == Curve::Secp256k1,
        each_use: matches!(each_use, Some(Attribute::AlwaysAuthenticate(true))),
    })
}

/// Returns the public key as determined by signatures, if the token leaves doubt.
pub(crate) fn by_signatures(
    at: &SessionKey<'_>,
    key: &FoundKey,
    selector: &KeySelector,
) -> Result<PublicKey, HsmError> {
    let signer = proof::signer(at)?.ok_or_else(|| HsmError::NoPublicKey(selector.clone()))?;
    match key.reported {
        Some(reported) if reported != signer => Err(HsmError::BadSignature),
        _ => Ok(signer),
    }
}

fn curve_of(session: &Session, object: ObjectHandle) -> Result<Curve, HsmError> {
    Ok(match attribute(session, object, AttributeType::EcParams)? {
        Some(Attribute::EcParams(params)) => curve::of_params(&params),
        _ => Curve::Unknown,
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

/// Returns the public key objects of a key: those with its id, or with its label if one of the two
/// has no id.
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

/// Returns the labels of all private keys.
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
