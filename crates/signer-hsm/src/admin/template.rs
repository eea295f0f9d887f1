//! What a new key is to be, said in as many attributes as the module takes.

use cryptoki::{
    error::{Error, RvError},
    object::{Attribute, KeyType},
    session::Session,
};
use secp256k1::rand::{RngCore, rngs::OsRng};

use crate::HsmError;

/// Length of the id that a new key gets, in bytes.
const ID_BYTES: usize = 8;

/// Length of the id where the module takes no longer one.
const SHORT_ID_BYTES: usize = 2;

/// How often a short id that is free is looked for.
const TRIES: usize = 64;

/// Which of the attributes that some modules refuse, or miss, are given. Those that keep the key in
/// the token always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variant {
    /// `CKA_PRIVATE` of the public half, that all may see it.
    public_flag: bool,
    /// Length of `CKA_ID`; none of length 0.
    id: usize,
    /// `CKA_KEY_TYPE` where the call says it already.
    key_type: bool,
    /// `CKA_DERIVE`, which is false anyway.
    derive: bool,
}

impl Variant {
    const WANTED: Self = Self {
        public_flag: true,
        id: ID_BYTES,
        key_type: false,
        derive: false,
    };

    /// All of them, those with the fewest differences from what is wanted first.
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

    /// An id that no object has; empty if none is to be given.
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
            "it says of every short id that it is taken".to_owned(),
        ))
    }

    /// Of a public half.
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

    /// Of a private half.
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

/// Makes something by the first variant that the module takes. If it takes none, the error is that
/// of the first.
pub(super) fn first_taken<T>(
    mut make: impl FnMut(&Variant) -> Result<T, HsmError>,
) -> Result<T, HsmError> {
    let mut first = None;
    for variant in Variant::all() {
        match make(&variant) {
            Err(error) if error.code().is_some_and(is_of_template) => {
                tracing::debug!(%error, ?variant, "the module refuses a template");
                first.get_or_insert(error);
            }
            other => return other,
        }
    }
    Err(first.unwrap_or_else(|| Error::NotSupported.into()))
}

/// The codes that find fault with a template, so that nothing was made.
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
    fn what_is_wanted_is_tried_first_and_then_with_ever_less() {
        let all = Variant::all();
        assert_eq!(all[0], Variant::WANTED);
        assert!(all.is_sorted_by_key(Variant::differences));
        assert_eq!(all.len(), 24);
    }

    #[test]
    fn a_key_is_never_asked_for_without_what_keeps_it_in_the_token() {
        for variant in Variant::all() {
            let private = variant.private("block", &[1; 8]);
            for kept in [
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
            ] {
                assert!(private.contains(&kept), "{variant:?}");
            }
        }
    }

    #[test]
    fn only_a_fault_of_the_template_is_tried_again() {
        let mut tries = 0;
        let result = first_taken(|_| {
            tries += 1;
            refused(RvError::DeviceMemory)
        });
        assert_eq!((result, tries), (refused(RvError::DeviceMemory), 1));
        tries = 0;
        let result = first_taken(|_| {
            tries += 1;
            let code = if tries == 1 {
                RvError::TemplateIncomplete
            } else {
                RvError::AttributeValueInvalid
            };
            refused(code)
        });
        assert_eq!((result, tries), (refused(RvError::TemplateIncomplete), 24));
    }
}
