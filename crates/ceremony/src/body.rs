//! The contents of messages: a proposal, a party's keys, its approval.

use core::fmt;

use secp256k1::{PublicKey, XOnlyPublicKey, ecdsa};
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The purpose of a party's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyUse {
    /// Signing blocks: `signblockscript`.
    Block,
    /// Paying out to the parent chain: `fedpegscript`.
    Peg,
    /// Reissuing assets: Ocean's `issuecontrolscript`; on Elements the key holds the initial
    /// reissuance tokens once they are swept to it.
    Reissuance,
}

impl KeyUse {
    /// Returns its name: `block`, `peg` or `reissuance`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Peg => "peg",
            Self::Reissuance => "reissuance",
        }
    }
}

/// A party to the ceremony.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "part of a message")]
pub struct Member {
    /// Its name in the federation.
    pub name: String,
    /// The key that signs its messages, here and as an operator (BIP 340).
    pub identity: XOnlyPublicKey,
}

/// The destination of coins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Destination {
    /// M of N of the parties' keys for this use, as P2WSH, on Ocean as P2SH (bare from 16 keys on).
    Keys(KeyUse),
    /// The output script of an address, in hex.
    Script(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(usage) => write!(f, "{} keys", usage.as_str()),
            Self::Script(hex) => f.write_str(hex),
        }
    }
}

/// The destinations of genesis coins that anyone could otherwise take. On Elements they determine
/// the transaction that sweeps the coins in block 1, see [`Chain::sweep`](crate::Chain::sweep); on
/// Ocean, the setting `initialfreecoinsdestination`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "part of a message")]
pub struct SweepTo {
    /// The destination of the coins of `initialfreecoins`, if there are any.
    pub coins: Option<Destination>,
    /// The destination of the tokens of `initialreissuancetokens`, if there are any.
    pub tokens: Option<Destination>,
}

/// The first message: the chain to set up, and the parties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a message")]
pub struct Proposal {
    /// `elements` or `ocean`.
    pub node: String,
    /// The chain's settings, as in a node's configuration, without those that follow from the
    /// parties' keys.
    pub configuration: String,
    /// The text of Ocean's terms and conditions, if the chain has them.
    pub terms: Option<String>,
    /// M: the number of signatures that a block needs.
    pub threshold: u8,
    /// The block interval, in milliseconds.
    pub interval: u64,
    /// The keys that each party must bring, including the one for blocks, in ascending order.
    pub keys: Vec<KeyUse>,
    /// The destinations of coins that anyone could take, if the chain has any.
    pub sweep: Option<SweepTo>,
    /// The parties, in the order of the roster.
    pub members: Vec<Member>,
    /// 32 random bytes that make the ceremony unique.
    pub nonce: Digest,
    /// The destination of the fees of every block, from which `con_mandatorycoinbase` follows. If it
    /// is omitted, the configuration decides; if that has no such setting, anyone can take the fees.
    // This must stay the last field, because the hashed encoding has no field names: a proposal
    // without it is encoded as it was before the field existed, and nothing can be mistaken for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<Destination>,
}

/// A key, with the proof that its owner holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "part of a message")]
pub struct ProvenKey {
    /// The purpose of the key.
    pub usage: KeyUse,
    /// The public key.
    pub key: PublicKey,
    /// Its signature over [`proof_digest`](crate::proof_digest).
    pub proof: ecdsa::Signature,
}

/// The second message: a party's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a message")]
pub struct Join {
    /// The address of its messenger, `host:port`.
    pub endpoint: String,
    /// The address of its node for other nodes, `host:port`.
    pub node: String,
    /// One key for each use in the proposal, in the same order.
    pub keys: Vec<ProvenKey>,
}

/// The third message: a party approves the chain, which it has computed itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a message")]
pub struct Approval {
    /// The hash of the manifest, which covers everything.
    pub manifest: Digest,
    /// The genesis hash, as nodes show it.
    pub genesis: String,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Body {
    /// The chain to set up, and the parties.
    Proposal(Proposal),
    /// A party's keys.
    Join(Join),
    /// A party's approval of the chain.
    Approval(Approval),
}

impl Join {
    /// Whether it has the same content as another one. Proofs are ignored: a key in a hardware module
    /// makes a different signature each time.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        let keys = |join: &Self| {
            let keys = join.keys.iter().map(|key| (key.usage, key.key));
            keys.collect::<Vec<_>>()
        };
        self.endpoint == other.endpoint && self.node == other.node && keys(self) == keys(other)
    }
}

impl Body {
    /// Whether it has the same content as another one. Proofs of possession are ignored.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Join(ours), Self::Join(theirs)) => ours.has_same_content(theirs),
            _ => self == other,
        }
    }

    /// Returns its kind: `proposal`, `join` or `approval`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Proposal(_) => "proposal",
            Self::Join(_) => "join",
            Self::Approval(_) => "approval",
        }
    }
}
