//! A guard's knowledge as a file: signed by the operator, bound to one federation, chain and key.
//!
//! ```text
//! federation guard record, version 1
//! federation: 64 digits
//! chain: the genesis block's hash
//! block key: 66 digits
//! kind: transfer, or copy
//! number: the number of transfers so far
//! written: seconds since 1970
//! final: a height, or none
//! signed: a height and a block's hash; a line for each, lowest height first
//! signature: 128 digits
//! ```
//!
//! Every record has exactly one encoding: any other is refused. The signature, by the operator's
//! identity key, is over SHA-256 tagged `federation/guard-record/v1` of all lines before it.
//! Heights and times are decimal, hashes as nodes display them.

use core::{fmt, str::FromStr};
use std::collections::BTreeMap;

use federation_chain::{BlockHash, BlockHeight, TaggedHash, UnixTime};
use federation_roster::FederationId;
use hex_conservative::{DisplayHex, FromHex};
use secp256k1::{Message, PublicKey, SECP256K1, XOnlyPublicKey, schnorr};

use super::{AUDIT_HEIGHTS, GuardState, MAX_OPEN_HEIGHTS};

/// The maximum size of a file, in bytes: larger than the fullest guard's.
pub const MAX_GUARD_RECORD_BYTES: usize = 192 * 1024;

/// The maximum number of lines with signed blocks.
const MAX_SIGNED: usize = AUDIT_HEIGHTS as usize + 1 + MAX_OPEN_HEIGHTS;

const TITLE: &str = "federation guard record, version ";
const VERSION: &str = "1";
const SIGNATURE: &str = "signature: ";

/// The federation, chain and key that a guard record is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardPin {
    /// The federation: its roster and its rules.
    pub federation: FederationId,
    /// The chain's genesis block.
    pub genesis: BlockHash,
    /// The key that signs blocks.
    pub block_key: PublicKey,
}

/// The purpose of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind is a new version of the file"
)]
pub enum GuardRecordKind {
    /// The key moves with it: the guard that wrote it does not sign any more.
    Transfer,
    /// A backup: the guard that wrote it went on signing, so more may have been signed since.
    Copy,
}

impl GuardRecordKind {
    /// Returns its name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Copy => "copy",
        }
    }
}

impl fmt::Display for GuardRecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The knowledge of one guard at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct GuardRecord {
    /// Its federation, chain and key.
    pub pin: GuardPin,
    /// Its purpose.
    pub kind: GuardRecordKind,
    /// The number of transfers, including this one.
    pub number: u32,
    /// When it was written, in whole seconds.
    pub written: UnixTime,
    /// The blocks that the key has signed.
    pub state: GuardState,
}

/// A record with the operator's signature, which only [`Self::verify`] checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedGuardRecord {
    record: GuardRecord,
    signature: [u8; 64],
}

/// Why bytes are not a guard record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeGuardRecordError {
    /// The file is longer than any record.
    #[error("{0} bytes are too many for a guard record: expected a file written by `guard export`")]
    TooLong(usize),
    /// The file is not a guard record.
    #[error("not a guard record: expected a file written by `guard export`")]
    NoRecord,
    /// The record has another version.
    #[error(
        "the record has version `{0}`, but this program reads {VERSION}: use the version that wrote it, or a newer one"
    )]
    Version(String),
    /// A line is malformed.
    #[error("line {0} is malformed: the file was truncated or modified, fetch it again")]
    Line(usize),
    /// The content is valid but not in canonical form.
    #[error(
        "the file is not in the form that `guard export` writes: it was modified, fetch it again"
    )]
    NotCanonical,
}

/// Why a record does not belong to this guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardRecordError {
    /// It belongs to another federation.
    #[error("the record belongs to federation {found}, not to {expected}")]
    Federation {
        /// That of the file.
        found: FederationId,
        /// That of this guard.
        expected: FederationId,
    },
    /// It belongs to another chain.
    #[error("the record belongs to the chain with genesis block {found}, not to {expected}")]
    Chain {
        /// That of the file.
        found: BlockHash,
        /// That of this guard.
        expected: BlockHash,
    },
    /// It belongs to another key.
    #[error("the record belongs to block key {found}, not to {expected}")]
    BlockKey {
        /// That of the file.
        found: Box<PublicKey>,
        /// That of this guard.
        expected: Box<PublicKey>,
    },
    /// Its signature is not by this operator.
    #[error(
        "the record is not signed by this operator's identity key {0}: it was modified, or written by someone else"
    )]
    Signature(XOnlyPublicKey),
}

impl GuardRecord {
    /// Returns the 32 bytes that the operator's identity key signs.
    #[must_use]
    pub fn signing_digest(&self) -> [u8; 32] {
        TaggedHash::new(b"federation/guard-record/v1")
            .with(self.to_string().as_bytes())
            .finish()
    }

    /// Attaches a signature, unchecked.
    #[must_use]
    pub const fn with_signature(self, signature: [u8; 64]) -> SignedGuardRecord {
        SignedGuardRecord {
            record: self,
            signature,
        }
    }
}

/// The lines that are signed.
impl fmt::Display for GuardRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}{VERSION}")?;
        writeln!(f, "federation: {}", self.pin.federation)?;
        writeln!(f, "chain: {}", self.pin.genesis)?;
        writeln!(f, "block key: {}", self.pin.block_key)?;
        writeln!(f, "kind: {}", self.kind)?;
        writeln!(f, "number: {}", self.number)?;
        writeln!(f, "written: {}", self.written.as_secs())?;
        match self.state.highest_final() {
            Some(height) => writeln!(f, "final: {height}")?,
            None => writeln!(f, "final: none")?,
        }
        for (height, hash) in self.state.records() {
            writeln!(f, "signed: {height} {hash}")?;
        }
        Ok(())
    }
}

impl SignedGuardRecord {
    /// Returns the text of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}{SIGNATURE}{}\n", self.record, self.signature.as_hex())
    }

    /// Parses a file; the signature is not checked yet.
    ///
    /// # Errors
    /// If it is not byte for byte the [encoding](Self::encode) of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeGuardRecordError> {
        if bytes.len() > MAX_GUARD_RECORD_BYTES {
            return Err(DecodeGuardRecordError::TooLong(bytes.len()));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| DecodeGuardRecordError::NoRecord)?;
        let mut lines = Lines::new(text);
        match lines.next_line().strip_prefix(TITLE) {
            None => return Err(DecodeGuardRecordError::NoRecord),
            Some(VERSION) => {}
            Some(other) => {
                let version = other.chars().take(16).collect();
                return Err(DecodeGuardRecordError::Version(version));
            }
        }
        let decoded = Self {
            record: lines.record()?,
            signature: <[u8; 64]>::from_hex(lines.after(SIGNATURE)?).map_err(|_| lines.wrong())?,
        };
        if decoded.encode() == text {
            Ok(decoded)
        } else {
            Err(DecodeGuardRecordError::NotCanonical)
        }
    }

    /// Returns the record if it belongs to this federation, chain and key, and is signed by this
    /// operator.
    ///
    /// # Errors
    /// The first that differs, or that the signature is not by this identity key.
    pub fn verify(
        self,
        pin: &GuardPin,
        identity: &XOnlyPublicKey,
    ) -> Result<GuardRecord, GuardRecordError> {
        let found = self.record.pin;
        if found.federation != pin.federation {
            return Err(GuardRecordError::Federation {
                found: found.federation,
                expected: pin.federation,
            });
        }
        if found.genesis != pin.genesis {
            return Err(GuardRecordError::Chain {
                found: found.genesis,
                expected: pin.genesis,
            });
        }
        if found.block_key != pin.block_key {
            return Err(GuardRecordError::BlockKey {
                found: Box::new(found.block_key),
                expected: Box::new(pin.block_key),
            });
        }
        let digest = Message::from_digest(self.record.signing_digest());
        schnorr::Signature::from_slice(&self.signature)
            .and_then(|signature| SECP256K1.verify_schnorr(&signature, &digest, identity))
            .map_err(|_| GuardRecordError::Signature(*identity))?;
        Ok(self.record)
    }

    /// Returns the unverified content, for display.
    #[must_use]
    pub const fn unverified(&self) -> &GuardRecord {
        &self.record
    }
}

/// The lines of a text, with their numbers.
struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            number: 0,
        }
    }

    fn next_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.number += 1;
        line
    }

    const fn wrong(&self) -> DecodeGuardRecordError {
        DecodeGuardRecordError::Line(self.number)
    }

    /// Returns the rest of the next line after a label.
    fn after(&mut self, label: &str) -> Result<&'a str, DecodeGuardRecordError> {
        let line = self.next_line();
        line.strip_prefix(label).ok_or_else(|| self.wrong())
    }

    fn value<T: FromStr>(&mut self, label: &str) -> Result<T, DecodeGuardRecordError> {
        let text = self.after(label)?;
        text.parse().map_err(|_| self.wrong())
    }

    fn record(&mut self) -> Result<GuardRecord, DecodeGuardRecordError> {
        let federation = <[u8; 32]>::from_hex(self.after("federation: ")?)
            .map(FederationId::from_bytes)
            .map_err(|_| self.wrong())?;
        let genesis = self.value("chain: ")?;
        let block_key = self.value("block key: ")?;
        let kind = match self.after("kind: ")? {
            "transfer" => GuardRecordKind::Transfer,
            "copy" => GuardRecordKind::Copy,
            _ => return Err(self.wrong()),
        };
        let number = self.value("number: ")?;
        let written = UnixTime::from_secs(self.value("written: ")?);
        let highest_final = match self.after("final: ")? {
            "none" => None,
            height => Some(self.height(height)?),
        };
        let mut signed = BTreeMap::new();
        while let Some(line) = self.rest.strip_prefix("signed: ") {
            self.rest = line;
            let (height, hash) = self
                .next_line()
                .split_once(' ')
                .ok_or_else(|| self.wrong())?;
            let hash: BlockHash = hash.parse().map_err(|_| self.wrong())?;
            signed.insert(self.height(height)?, hash);
            if signed.len() > MAX_SIGNED {
                return Err(self.wrong());
            }
        }
        Ok(GuardRecord {
            pin: GuardPin {
                federation,
                genesis,
                block_key,
            },
            kind,
            number,
            written,
            state: GuardState::new(highest_final, signed),
        })
    }

    fn height(&self, text: &str) -> Result<BlockHeight, DecodeGuardRecordError> {
        text.parse().map(BlockHeight::new).map_err(|_| self.wrong())
    }
}

#[cfg(test)]
mod tests;
