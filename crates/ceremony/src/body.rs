//! What parties say to each other: a chain to be made, their keys, their agreement.

use core::fmt;

use secp256k1::{PublicKey, XOnlyPublicKey, ecdsa};
use serde::{Deserialize, Serialize};

use crate::Digest;

/// What a key of a party is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyUse {
    /// It signs blocks.
    Block,
    /// It pays out to the parent chain: `fedpegscript`.
    Peg,
    /// It reissues assets: Ocean's `issuecontrolscript`; on Elements it holds the initial reissuance
    /// tokens, once they are swept to it.
    Reissuance,
}

impl KeyUse {
    /// Its name: `block`, `peg` or `reissuance`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Peg => "peg",
            Self::Reissuance => "reissuance",
        }
    }
}

/// One who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is a part of a message")]
pub struct Member {
    /// Its name in the federation.
    pub name: String,
    /// The key that signs its messages, here and as an operator (BIP 340).
    pub identity: XOnlyPublicKey,
}

/// Where coins go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Destination {
    /// To the parties: M of N of the keys that they bring for this use, as P2WSH, on Ocean as P2SH
    /// (bare from 16 keys on).
    Keys(KeyUse),
    /// To an output script in hex, that of an address.
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

/// Where the coins go that anyone could take from a genesis else. On Elements the transaction that
/// takes them there in block 1 follows from it, see [`Chain::sweep`](crate::Chain::sweep); on Ocean
/// the setting `initialfreecoinsdestination` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is a part of a message")]
pub struct SweepTo {
    /// Where the coins of `initialfreecoins` go, if there are any.
    pub coins: Option<Destination>,
    /// Where the tokens of `initialreissuancetokens` go, if there are any.
    pub tokens: Option<Destination>,
}

/// The first message: who is to make which chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is a message")]
pub struct Proposal {
    /// `elements` or `ocean`.
    pub node: String,
    /// The chain's settings as they stand in a node's configuration, without those that follow from
    /// the parties' keys.
    pub configuration: String,
    /// The text of Ocean's terms and conditions, where the chain has them.
    pub terms: Option<String>,
    /// M: how many sign a block.
    pub threshold: u8,
    /// The time from one block to the next, in milliseconds.
    pub interval: u64,
    /// The keys that each party brings, the one for blocks among them, in ascending order.
    pub keys: Vec<KeyUse>,
    /// Where the coins go that anyone could take, if the chain has any.
    pub sweep: Option<SweepTo>,
    /// Who takes part, in the order of the roster.
    pub members: Vec<Member>,
    /// 32 random bytes: no two ceremonies are one.
    pub nonce: Digest,
    /// Where every block pays its fees: `con_mandatorycoinbase` follows from it. Without it that is
    /// what the configuration says; if that says nothing, anyone can take them.
    // The last field, for what is hashed has no names: left out, all stays as it was before there
    // was this field, and nothing else can stand in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<Destination>,
}

/// A key and the proof that its owner holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is a part of a message")]
pub struct ProvenKey {
    /// What it is for.
    pub usage: KeyUse,
    /// The public key.
    pub key: PublicKey,
    /// Its signature over [`proof_digest`](crate::proof_digest).
    pub proof: ecdsa::Signature,
}

/// The second message: a party's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is a message")]
pub struct Join {
    /// Where its messenger is reached, `host:port`.
    pub endpoint: String,
    /// Where its node is reached by other nodes, `host:port`.
    pub node: String,
    /// One key for each use of the proposal, in its order.
    pub keys: Vec<ProvenKey>,
}

/// The third message: a party agrees to the chain that it has computed itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "it is a message")]
pub struct Approval {
    /// The hash of the manifest, over everything.
    pub manifest: Digest,
    /// The genesis hash, as nodes show it.
    pub genesis: String,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Body {
    /// Who is to make which chain.
    Proposal(Proposal),
    /// A party's keys.
    Join(Join),
    /// A party agrees.
    Approval(Approval),
}

impl Join {
    /// Whether it says the same as another one, by proofs that may be others: a key in a module
    /// proves itself by another signature each time.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let keys = |join: &Self| {
            let keys = join.keys.iter().map(|key| (key.usage, key.key));
            keys.collect::<Vec<_>>()
        };
        self.endpoint == other.endpoint && self.node == other.node && keys(self) == keys(other)
    }
}

impl Body {
    /// Whether it says the same as another one. Proofs of possession say nothing beside their keys.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Join(ours), Self::Join(theirs)) => ours.says_the_same(theirs),
            _ => self == other,
        }
    }

    /// What kind it is: `proposal`, `join` or `approval`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Proposal(_) => "proposal",
            Self::Join(_) => "join",
            Self::Approval(_) => "approval",
        }
    }
}
