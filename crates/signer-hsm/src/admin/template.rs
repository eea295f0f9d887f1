//! The templates for new keys, with as many attributes as the module accepts.

use cryptoki::{
    error::{Error, RvError},
    object::{Attribute, KeyType},
    session::Session,
};
use secp256k1::rand::{RngCore, rngs::OsRng};

use crate::HsmError;

/// Length of the id of a new key, in bytes.
const ID_BYTES: usize = 8;

/// Length of the id if the module accepts no longer one, in bytes.
const SHORT_ID_BYTES: usize = 2;

/// The number of attempts to find an unused short id.
const TRIES: usize = 64;

/// A choice of the attributes that some modules refuse or require. Those that keep the key in the
/// token are always given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variant {
    /// `CKA_PRIVATE` of the public key, so that everyone may see it.
    public_flag: bool,
    /// Length of `CKA_ID`; 0 to omit it.
    id: usize,
    /// `CKA_KEY_TYPE` although the call implies it.
    key_type: bool,
    /// `CKA_DERIVE`, which is false by default.
    derive: bool,
}

impl Variant {
    const WANTED: Self = Self {
        public_flag: true,
        id: ID_BYTES,
        key_type: false,
        derive: false,
    };

    /// Returns all variants, in order of increasing difference from the preferred one.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for id in [ID_BYTES, SHORT_ID_BYTES, 0] {
            for public_flag in [true, false] {
                for key_type in [false, true] {
                    for derive in [false, true] {
                        all.push(Self {
                            public_flag,
                            id,
                            key_type,
                            derive,
                        });
                    }
                }
            }
        }
        all.sort_by_key(Self::differences);
        all
    }

    fn differences(&self) -> usize {
        let wanted = Self::WANTED;
        let shorter = match self.id {
            ID_BYTES => 0,
            SHORT_ID_BYTES => 1,
            _ => 2,
        };
        shorter
            + usize::from(self.public_flag != wanted.public_flag)
            + usize::from(self.key_type != wanted.key_type)
            + usize::from(self.derive != wanted.derive)
    }

    /// Returns an unused id; empty if none is to be given.
    pub(super) fn fresh_id(&self, session: &Session) -> Result<Vec<u8>, HsmError> {
        let mut id = vec![0; self.id];
        for _ in 0..TRIES {
            OsRng.fill_bytes(&mut id);
            if self.id != SHORT_ID_BYTES
                || session
                    .find_objects(&[Attribute::Id(id.clone())])?
                    .is_empty()
            {
                return Ok(id);
            }
        }
        Err(HsmError::Answer(
            "it reports every short id as used".to_owned(),
        ))
    }

    /// Returns the template of a public key.
    pub(super) fn public(&self, label: &str, id: &[u8]) -> Vec<Attribute> {
        let mut template = vec![Attribute::Token(true), Attribute::Verify(true)];
        if self.public_flag {
            template.push(Attribute::Private(false));
        }
        if self.key_type {
            template.push(Attribute::KeyType(KeyType::EC));
        }
        template.extend(named(label, id));
        template
    }

    /// Returns the template of a private key.
    pub(super) fn private(&self, label: &str, id: &[u8]) -> Vec<Attribute> {
        let mut template = vec![
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ];
        if self.key_type {
            template.push(Attribute::KeyType(KeyType::EC));
        }
        if self.derive {
            template.push(Attribute::Derive(false));
        }
        template.extend(named(label, id));
        template
    }
}

fn named(label: &str, id: &[u8]) -> impl Iterator<Item = Attribute> {
    let id = (!id.is_empty()).then(|| Attribute::Id(id.to_vec()));
    [Attribute::Label(label.as_bytes().to_vec())]
        .into_iter()
        .chain(id)
}

/// Creates something with the first variant that the module accepts. If it accepts none, returns
/// the error of the first.
pub(super) fn first_accepted<T>(
    mut make: impl FnMut(&Variant) -> Result<T, HsmError>,
) -> Result<T, HsmError> {
    let mut first = None;
    for variant in Variant::all() {
        match make(&variant) {
            Err(error) if error.code().is_some_and(is_of_template) => {
                tracing::debug!(%error, ?variant, "template refused by the module");
                first.get_or_insert(error);
            }
            other => return other,
        }
    }
    Err(first.unwrap_or_else(|| Error::NotSupported.into()))
}

/// Returns the error codes for an invalid template, after which nothing was created.
pub(super) const fn is_of_template(code: RvError) -> bool {
    matches!(
        code,
        RvError::AttributeValueInvalid
            | RvError::AttributeTypeInvalid
            | RvError::AttributeReadOnly
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
            | RvError::ArgumentsBad
    )
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    fn refused(code: RvError) -> Result<(), HsmError> {
        Err(Error::Pkcs11(code, Function::GenerateKeyPair).into())
    }

    #[test]
    fn the_preferred_variant_comes_first_and_then_ever_smaller_ones() {
        let all = Variant::all();
        assert_eq!(all[0], Variant::WANTED);
        assert!(all.is_sorted_by_key(Variant::differences));
        assert_eq!(all.len(), 24);
    }

    #[test]
    fn every_variant_keeps_the_key_in_the_token() {
        for variant in Variant::all() {
            let private = variant.private("block", &[1; 8]);
            for required in [
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
            ] {
                assert!(private.contains(&required), "{variant:?}");
            }
        }
    }

    #[test]
    fn only_template_errors_are_retried() {
        let mut attempts = 0;
        let result = first_accepted(|_| {
            attempts += 1;
            refused(RvError::DeviceMemory)
        });
        assert_eq!((result, attempts), (refused(RvError::DeviceMemory), 1));
        attempts = 0;
        let result = first_accepted(|_| {
            attempts += 1;
            let code = if attempts == 1 {
                RvError::TemplateIncomplete
            } else {
                RvError::AttributeValueInvalid
            };
            refused(code)
        });
        assert_eq!(
            (result, attempts),
            (refused(RvError::TemplateIncomplete), 24)
        );
    }
}
