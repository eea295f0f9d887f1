//! Finding the operator's signature in the result of `signblock`.

use federation_chain::{
    BlockHash, Dialect, SignatureFormError, signature_of_signblock, signatures_of_script_sig,
};
use hex_conservative::FromHex;
use secp256k1::{Message, PublicKey, SECP256K1, ecdsa::Signature};
use serde::Deserialize;

/// Why a result of `signblock` has no signature by the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The signature is not hex.
    #[error("the node's signature is not hex")]
    Hex,
    /// The signatures have another form than this dialect's.
    #[error(transparent)]
    Form(#[from] SignatureFormError),
    /// The wallet does not have the operator's key.
    #[error(
        "the node's wallet did not sign with key {0}: import this operator's block key into it \
         (importprivkey), or choose the wallet that holds it"
    )]
    NotOurKey(Box<PublicKey>),
}

/// The result of `signblock`: a string on Ocean, a list on Elements.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// The `scriptSig` in hex.
    ScriptSig(String),
    /// One entry for each key in the wallet.
    List(Vec<Entry>),
}

/// A signature with its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    /// The key, in hex.
    pubkey: String,
    /// The signature, in hex.
    sig: String,
}

impl Answer {
    /// Returns a key's signature of a block hash, with low S.
    pub(crate) fn signature(
        &self,
        dialect: Dialect,
        hash: BlockHash,
        key: &PublicKey,
    ) -> Result<Signature, AnswerError> {
        let hex = |text: &str| Vec::<u8>::from_hex(text).map_err(|_| AnswerError::Hex);
        let candidates = match self {
            Self::ScriptSig(text) => signatures_of_script_sig(&hex(text)?)?,
            Self::List(entries) => {
                let ours = key.to_string();
                entries
                    .iter()
                    .filter(|entry| entry.pubkey == ours)
                    .map(|entry| Ok(signature_of_signblock(dialect, &hex(&entry.sig)?)?))
                    .collect::<Result<_, AnswerError>>()?
            }
        };
        let message = Message::from_digest(hash.to_bytes());
        candidates
            .into_iter()
            .map(|mut signature| {
                signature.normalize_s();
                signature
            })
            .find(|signature| SECP256K1.verify_ecdsa(&message, signature, key).is_ok())
            .ok_or_else(|| AnswerError::NotOurKey(Box::new(*key)))
    }
}

#[cfg(test)]
mod tests {
    use federation_chain::{script_sig_of_signatures, signblock_of_signature};
    use hex_conservative::DisplayHex;
    use proptest::prelude::*;
    use secp256k1::SecretKey;

    use super::*;

    const HASH: BlockHash = BlockHash::from_bytes([7; 32]);

    fn signed(seed: u8) -> (PublicKey, Signature) {
        let secret = SecretKey::from_slice(&[seed; 32]).expect("a key");
        let message = Message::from_digest(HASH.to_bytes());
        (
            secret.public_key(SECP256K1),
            SECP256K1.sign_ecdsa(&message, &secret),
        )
    }

    fn list(dialect: Dialect, all: &[(PublicKey, Signature)]) -> Answer {
        let entry = |(key, signature): &(PublicKey, Signature)| Entry {
            pubkey: key.to_string(),
            sig: signblock_of_signature(dialect, signature).to_lower_hex_string(),
        };
        Answer::List(all.iter().map(entry).collect())
    }

    #[test]
    fn our_signature_is_found_among_others_in_every_form() {
        let all = [signed(1), signed(2), signed(3)];
        let (key, signature) = all[1];
        let bare: Vec<_> = all.iter().map(|(_, signature)| *signature).collect();
        let script_sig = script_sig_of_signatures(&bare).to_lower_hex_string();
        for (dialect, answer) in [
            (Dialect::Ocean, Answer::ScriptSig(script_sig)),
            (Dialect::Elements, list(Dialect::Elements, &all)),
            (Dialect::Dynafed, list(Dialect::Dynafed, &all)),
        ] {
            assert_eq!(answer.signature(dialect, HASH, &key), Ok(signature));
            let (stranger, _) = signed(4);
            assert_eq!(
                answer.signature(dialect, HASH, &stranger),
                Err(AnswerError::NotOurKey(Box::new(stranger)))
            );
            let other = BlockHash::from_bytes([8; 32]);
            assert!(answer.signature(dialect, other, &key).is_err());
        }
    }

    #[test]
    fn a_signature_listed_with_our_key_but_by_another_is_refused() {
        let (key, _) = signed(1);
        let (_, wrong) = signed(2);
        let answer = list(Dialect::Elements, &[(key, wrong)]);
        assert!(matches!(
            answer.signature(Dialect::Elements, HASH, &key),
            Err(AnswerError::NotOurKey(_))
        ));
    }

    proptest! {
        #[test]
        fn no_result_panics(text in "[0-9a-f]{0,300}|\\PC{0,40}") {
            let (key, _) = signed(1);
            for dialect in Dialect::ALL {
                let list = Answer::List(vec![Entry { pubkey: key.to_string(), sig: text.clone() }]);
                prop_assert!(list.signature(dialect, HASH, &key).is_err());
                let script_sig = Answer::ScriptSig(text.clone());
                prop_assert!(script_sig.signature(dialect, HASH, &key).is_err());
            }
        }
    }
}
