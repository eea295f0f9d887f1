//! The messages between the old operators: JSON without sender, signature or hash.
//!
//! ```json
//! {"height": 7, "block": {"blockhex": "..."}}
//! {"height": 7, "sig": {"blocksig": "0047..."}}
//! ```
//!
//! The height is that of the block to create. With a reissuance, `block` also has `txs`, and `sig` has
//! `txsigs` and `id`.

use bytes::Bytes;
use federation_chain::{BlockHeight, script_sig_of_signatures, signatures_of_script_sig};
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::ecdsa::Signature;
use serde::{Deserialize, Deserializer, Serialize};

use crate::RawReissuance;

/// The largest block accepted from the wire, in bytes: the largest that a node creates, with room for
/// signatures and a long header.
pub const MAX_BLOCK: usize = 8_000_000;
/// The longest message, in bytes: a block in hex and the JSON around it.
pub const MAX_MESSAGE: usize = 2 * MAX_BLOCK + 64 * 1024;
/// The most reissuances in a proposal: one for each asset.
const MAX_REISSUANCES: usize = 100;
/// The longest scriptSig in hex: signatures of 20 keys.
const MAX_SCRIPT_SIG: usize = 2 * (1 + 20 * 74);

/// A message between operators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the old wire no longer changes")]
pub enum Message {
    /// A leader proposes a block.
    Proposal {
        /// Its height.
        height: BlockHeight,
        /// Its bytes, unsigned.
        block: Bytes,
        /// Reissuances to sign with it.
        reissuances: Vec<RawReissuance>,
    },
    /// An operator signs the block proposed for a height.
    Signatures {
        /// Its height.
        height: BlockHeight,
        /// Usually one signature; a node with several keys produces more.
        signatures: Vec<Signature>,
        /// Signatures of the reissuances proposed with it.
        reissuances: Option<TxSignatures>,
    },
}

/// One operator's signatures of the reissuances in a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the old wire no longer changes")]
pub struct TxSignatures {
    /// The operator's index, as claimed by itself.
    pub id: usize,
    /// For each reissuance, a signature prefixed with its length, in hex.
    pub signatures: Vec<String>,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The message is too long.
    #[error("message of {0} bytes exceeds the limit of {MAX_MESSAGE}")]
    TooLong(usize),
    /// The JSON is malformed.
    #[error("malformed message: {0}")]
    Json(String),
    /// A field is not in hex.
    #[error("`{0}` must be in hex")]
    Hex(&'static str),
    /// There are too many reissuances.
    #[error("{0} reissuances in one message exceed the limit of {MAX_REISSUANCES}")]
    Reissuances(usize),
    /// The signatures are malformed.
    #[error("`blocksig` must be a scriptSig of signatures: {0}")]
    ScriptSig(#[from] federation_chain::SignatureFormError),
}

/// The JSON; hex strings are borrowed while it is parsed.
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
        deserialize_with = "null_as_empty"
    )]
    txs: Vec<RawReissuance>,
}

/// Parses a list for which Python may also write null.
fn null_as_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
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
    /// Parses a message.
    ///
    /// # Errors
    /// If the bytes are not a message.
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
            _ => Err(json("expected either `block` or `sig`".to_owned())),
        }
    }

    /// Returns the message as sent over the wire.
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
        // Serializing numbers and strings cannot fail.
        serde_json::to_vec(&wire).unwrap_or_default().into()
    }

    /// Returns the height of the block it concerns.
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

    /// Returns no, one or two reissuances.
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
    fn messages_of_the_python_program_are_read() {
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
    fn malformed_messages_are_refused_with_the_reason() {
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
        // Deep nesting does not overflow the stack.
        let deep = format!(r#"{{"height": 1, "x": {}"#, "[".repeat(100_000));
        assert!(matches!(error(&deep), MessageError::Json(_)));
    }
}
