//! What the old operators say to each other: JSON without sender, signature or hash.
//!
//! ```json
//! {"height": 7, "block": {"blockhex": "..."}}
//! {"height": 7, "sig": {"blocksig": "0047..."}}
//! ```
//!
//! The height is that of the block to be made. `block` also has `txs`, and `sig` has `txsigs` and
//! `id`, at a reissuance.

use bytes::Bytes;
use federation_chain::{BlockHeight, script_sig_of_signatures, signatures_of_script_sig};
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::ecdsa::Signature;
use serde::{Deserialize, Deserializer, Serialize};

use crate::RawReissuance;

/// The largest block that is taken from the wire, in bytes: the largest that a node makes, with
/// room for signatures and a long header.
pub const MAX_BLOCK: usize = 8_000_000;
/// The longest message, in bytes: a block in hex and the JSON around it.
pub const MAX_MESSAGE: usize = 2 * MAX_BLOCK + 64 * 1024;
/// The most reissuances in a proposal: one for each asset.
const MAX_REISSUANCES: usize = 100;
/// The longest scriptSig in hex: signatures of 20 keys.
const MAX_SCRIPT_SIG: usize = 2 * (1 + 20 * 74);

/// What operators say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the old wire does not change any more"
)]
pub enum Message {
    /// A leader proposes a block.
    Proposal {
        /// Its height.
        height: BlockHeight,
        /// Its bytes, unsigned.
        block: Bytes,
        /// Reissuances that are to be signed with it.
        reissuances: Vec<RawReissuance>,
    },
    /// An operator signs the block that was proposed for a height.
    Signatures {
        /// Its height.
        height: BlockHeight,
        /// Signatures, usually one; a node with several keys gives more.
        signatures: Vec<Signature>,
        /// Signatures of the reissuances that were proposed with it.
        reissuances: Option<TxSignatures>,
    },
}

/// One operator's signatures of the reissuances in a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the old wire does not change any more"
)]
pub struct TxSignatures {
    /// The operator's place in the list, as it says itself.
    pub id: usize,
    /// For each reissuance a signature with its length before it, in hex.
    pub signatures: Vec<String>,
}

/// Bytes that are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Too long.
    #[error("a message of {0} bytes is above the limit of {MAX_MESSAGE}")]
    TooLong(usize),
    /// Not the JSON that it should be.
    #[error("no message: {0}")]
    Json(String),
    /// Hex that is none.
    #[error("`{0}` is not in hex")]
    Hex(&'static str),
    /// More reissuances than there are assets.
    #[error("{0} reissuances in one message are too many")]
    Reissuances(usize),
    /// Signatures that are none.
    #[error("`blocksig` is no scriptSig of signatures: {0}")]
    ScriptSig(#[from] federation_chain::SignatureFormError),
}

/// The JSON; hex stays in place while it is read.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    height: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    block: Option<WireBlock<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sig: Option<WireSig<'a>>,
}

#[derive(Serialize, Deserialize)]
struct WireBlock<'a> {
    #[serde(borrow)]
    blockhex: std::borrow::Cow<'a, str>,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_none"
    )]
    txs: Vec<RawReissuance>,
}

/// Python writes what is not there as null, too.
fn null_is_none<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Serialize, Deserialize)]
struct WireSig<'a> {
    #[serde(borrow)]
    blocksig: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    txsigs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_json(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong(bytes.len()));
        }
        let json = |reason: String| MessageError::Json(reason.chars().take(200).collect());
        let wire: Wire<'_> =
            serde_json::from_slice(bytes).map_err(|error| json(error.to_string()))?;
        let height = BlockHeight::new(wire.height);
        match (wire.block, wire.sig) {
            (Some(block), None) => {
                if block.blockhex.len() > 2 * MAX_BLOCK {
                    return Err(MessageError::TooLong(bytes.len()));
                }
                let reissuances = block.txs;
                if reissuances.len() > MAX_REISSUANCES {
                    return Err(MessageError::Reissuances(reissuances.len()));
                }
                let block = Vec::from_hex(&block.blockhex)
                    .map_err(|_| MessageError::Hex("blockhex"))?
                    .into();
                Ok(Self::Proposal {
                    height,
                    block,
                    reissuances,
                })
            }
            (None, Some(sig)) => {
                if sig.blocksig.len() > MAX_SCRIPT_SIG {
                    return Err(MessageError::TooLong(bytes.len()));
                }
                let script_sig =
                    Vec::from_hex(&sig.blocksig).map_err(|_| MessageError::Hex("blocksig"))?;
                let signatures = signatures_of_script_sig(&script_sig)?;
                let reissuances = match (sig.id, sig.txsigs) {
                    (Some(id), Some(signatures)) => Some(TxSignatures { id, signatures }),
                    _ => None,
                };
                let count = reissuances.as_ref().map_or(0, |r| r.signatures.len());
                if count > MAX_REISSUANCES {
                    return Err(MessageError::Reissuances(count));
                }
                Ok(Self::Signatures {
                    height,
                    signatures,
                    reissuances,
                })
            }
            _ => Err(json("neither a block nor a signature".to_owned())),
        }
    }

    /// The message as it goes over the wire.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        let (height, block, sig) = match self {
            Self::Proposal {
                height,
                block,
                reissuances,
            } => {
                let blockhex = block.to_lower_hex_string().into();
                let txs = reissuances.clone();
                (*height, Some(WireBlock { blockhex, txs }), None)
            }
            Self::Signatures {
                height,
                signatures,
                reissuances,
            } => {
                let blocksig = script_sig_of_signatures(signatures)
                    .to_lower_hex_string()
                    .into();
                let (id, txsigs) = match reissuances.clone() {
                    Some(TxSignatures { id, signatures }) => (Some(id), Some(signatures)),
                    None => (None, None),
                };
                let sig = WireSig {
                    blocksig,
                    txsigs,
                    id,
                };
                (*height, None, Some(sig))
            }
        };
        let wire = Wire {
            height: height.to_u32(),
            block,
            sig,
        };
        // Numbers and text have no way to fail.
        serde_json::to_vec(&wire).unwrap_or_default().into()
    }

    /// The height of the block that it is about.
    #[must_use]
    pub const fn height(&self) -> BlockHeight {
        match self {
            Self::Proposal { height, .. } | Self::Signatures { height, .. } => *height,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signature() -> impl Strategy<Value = Signature> {
        any::<[u8; 64]>().prop_filter_map("above the group's order", |bytes| {
            Signature::from_compact(&bytes).ok()
        })
    }

    /// None, one or two.
    fn reissuances(seed: u32) -> Vec<RawReissuance> {
        let one = RawReissuance {
            hex: "01".to_owned(),
            asset: "bb".to_owned(),
            token: "cc".to_owned(),
            txid: "aa".to_owned(),
            vout: 1,
        };
        vec![one; seed as usize % 3]
    }

    fn message() -> impl Strategy<Value = Message> {
        let proposal = (any::<u32>(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(
            |(height, block)| Message::Proposal {
                height: BlockHeight::new(height),
                block: block.into(),
                reissuances: reissuances(height),
            },
        );
        let signatures = (any::<u32>(), prop::collection::vec(signature(), 0..4)).prop_map(
            |(height, signatures)| Message::Signatures {
                height: BlockHeight::new(height),
                signatures,
                reissuances: height.is_multiple_of(2).then(|| TxSignatures {
                    id: 2,
                    signatures: vec!["47aa".to_owned(); height as usize % 3],
                }),
            },
        );
        prop_oneof![proposal, signatures]
    }

    proptest! {
        #[test]
        fn messages_read_back(message in message()) {
            prop_assert_eq!(Message::from_json(&message.to_json()), Ok(message));
        }

        #[test]
        fn garbage_is_an_error_or_reads_back(text in "[{}\":a-z0-9, \\[\\]]{0,60}|\\{\"height\": ?[0-9]{0,11}, ?\"(block|sig)\": ?\\{\"(blockhex|blocksig)\": ?\"[0-9a-f]{0,9}\"\\}\\}") {
            if let Ok(message) = Message::from_json(text.as_bytes()) {
                prop_assert_eq!(Message::from_json(&message.to_json()), Ok(message));
            }
        }
    }

    #[test]
    fn what_python_writes_is_read() {
        let proposal = br#"{"height": 7, "block": {"blockhex": "00ff", "txs": [{"hex": "01", "asset": "bb", "token": "cc", "txid": "aa", "vout": 1}]}}"#;
        assert_eq!(
            Message::from_json(proposal),
            Ok(Message::Proposal {
                height: BlockHeight::new(7),
                block: Bytes::from_static(&[0, 255]),
                reissuances: reissuances(1),
            })
        );
        let empty = br#"{"height": 7, "sig": {"blocksig": "00", "txsigs": ["47aa"], "id": 2}}"#;
        assert_eq!(
            Message::from_json(empty),
            Ok(Message::Signatures {
                height: BlockHeight::new(7),
                signatures: vec![],
                reissuances: Some(TxSignatures {
                    id: 2,
                    signatures: vec!["47aa".to_owned()],
                }),
            })
        );
    }

    #[test]
    fn what_is_no_message_is_refused_for_its_reason() {
        let error = |text: &str| Message::from_json(text.as_bytes()).expect_err(text);
        for text in [
            "",
            "[]",
            "7",
            "{}",
            r#"{"height": -1, "block": {"blockhex": ""}}"#,
            r#"{"height": 4294967296, "block": {"blockhex": ""}}"#,
            r#"{"height": 1, "block": {"blockhex": 7}}"#,
            r#"{"height": 1, "block": {"blockhex": "00"}, "sig": {"blocksig": "00"}}"#,
            r#"{"height": 1}"#,
        ] {
            assert!(matches!(error(text), MessageError::Json(_)), "{text}");
        }
        let block = r#"{"height": 1, "block": {"blockhex": "0"}}"#;
        assert_eq!(error(block), MessageError::Hex("blockhex"));
        let sig = r#"{"height": 1, "sig": {"blocksig": "0g"}}"#;
        assert_eq!(error(sig), MessageError::Hex("blocksig"));
        let sig = r#"{"height": 1, "sig": {"blocksig": "0101"}}"#;
        assert!(matches!(error(sig), MessageError::ScriptSig(_)));
        let long = format!(
            r#"{{"height": 1, "sig": {{"blocksig": "{}"}}}}"#,
            "0".repeat(4000)
        );
        assert!(matches!(error(&long), MessageError::TooLong(_)));
        // Deep nesting overflows no stack.
        let deep = format!(r#"{{"height": 1, "x": {}"#, "[".repeat(100_000));
        assert!(matches!(error(&deep), MessageError::Json(_)));
    }
}
