//! The location of a key: plain data for configuration files and command lines. Opening it is up to
//! the program, which knows the crates for all kinds.

use core::{fmt, str::FromStr, time::Duration};
use std::path::{Path, PathBuf};

use hex_conservative::{DisplayHex, FromHex};

use crate::SecretSource;

/// The maximum size of a PKCS#11 key id, in bytes.
const MAX_ID: usize = 64;

/// The location of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be opened by every program"
)]
pub enum KeySource {
    /// In a plain key file.
    File(PathBuf),
    /// In an encrypted key file.
    Keystore(KeystoreSource),
    /// In a hardware module.
    Hsm(HsmSource),
    /// In the wallet of the operator's node.
    Node {
        /// The wallet's name; `None` for the node's only one.
        wallet: Option<String>,
    },
}

/// An encrypted key file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct KeystoreSource {
    /// The file.
    pub file: PathBuf,
    /// The source of its passphrase.
    pub passphrase: SecretSource,
}

/// A key in a hardware module, by PKCS#11.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct HsmSource {
    /// The module's shared library.
    pub module: PathBuf,
    /// The token.
    pub token: TokenSelector,
    /// The key.
    pub key: KeySelector,
    /// The source of the user PIN.
    pub pin: SecretSource,
    /// The number of concurrent sessions; the signer's default if `None`.
    pub sessions: Option<u32>,
    /// The timeout of a signature; the signer's default if `None`.
    pub timeout: Option<Duration>,
}

impl KeySource {
    /// Returns the name of its kind in configuration files.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Keystore(_) => "keystore",
            Self::Hsm(_) => "hsm",
            Self::Node { .. } => "node",
        }
    }

    /// Returns the file that must exist for it: the key file, or the module's library.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Keystore(keystore) => Some(&keystore.file),
            Self::Hsm(hsm) => Some(&hsm.module),
            Self::Node { .. } => None,
        }
    }
}

/// A string that is not a selector of a token or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSelectorError {
    /// Not a selector of a token.
    #[error("`{0}` does not select a token: expected label:NAME, serial:NUMBER or slot:NUMBER")]
    Token(String),
    /// Not a selector of a key.
    #[error("`{0}` does not select a key: expected label:NAME or id:HEX")]
    Key(String),
}

/// Selects a token of a module. As text `label:NAME`, `serial:NUMBER` or `slot:NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be opened by every program"
)]
pub enum TokenSelector {
    /// By its label.
    Label(String),
    /// By its serial number.
    Serial(String),
    /// By the number of its slot, which some modules change when they start.
    Slot(u64),
}

/// Selects a key of a token. As text `label:NAME` or `id:HEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind must be opened by every program"
)]
pub enum KeySelector {
    /// By its label (`CKA_LABEL`).
    Label(String),
    /// By its id (`CKA_ID`).
    Id(Vec<u8>),
}

impl fmt::Display for TokenSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label:{label}"),
            Self::Serial(serial) => write!(f, "serial:{serial}"),
            Self::Slot(slot) => write!(f, "slot:{slot}"),
        }
    }
}

impl FromStr for TokenSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        let refused = || ParseSelectorError::Token(clipped(text));
        match text.split_once(':') {
            Some(("label", label)) if !label.is_empty() => Ok(Self::Label(label.to_owned())),
            Some(("serial", serial)) if !serial.is_empty() => Ok(Self::Serial(serial.to_owned())),
            Some(("slot", slot)) => slot.parse().map(Self::Slot).map_err(|_| refused()),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for KeySelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label:{label}"),
            Self::Id(id) => write!(f, "id:{}", id.as_hex()),
        }
    }
}

impl FromStr for KeySelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        let refused = || ParseSelectorError::Key(clipped(text));
        match text.split_once(':') {
            Some(("label", label)) if !label.is_empty() => Ok(Self::Label(label.to_owned())),
            Some(("id", id)) => Vec::<u8>::from_hex(id)
                .ok()
                .filter(|id| !id.is_empty() && id.len() <= MAX_ID)
                .map(Self::Id)
                .ok_or_else(refused),
            _ => Err(refused()),
        }
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn selectors_round_trip(text in "\\PC{1,40}", slot: u64, id in prop::collection::vec(any::<u8>(), 1..64)) {
            for token in [
                TokenSelector::Label(text.clone()),
                TokenSelector::Serial(text.clone()),
                TokenSelector::Slot(slot),
            ] {
                prop_assert_eq!(token.to_string().parse(), Ok(token));
            }
            for key in [KeySelector::Label(text.clone()), KeySelector::Id(id)] {
                prop_assert_eq!(key.to_string().parse(), Ok(key));
            }
        }

        #[test]
        fn no_string_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<TokenSelector>();
            let _ = text.parse::<KeySelector>();
        }
    }

    #[test]
    fn a_selector_needs_a_valid_kind_and_value() {
        assert!("ops".parse::<TokenSelector>().is_err());
        assert!("slot:one".parse::<TokenSelector>().is_err());
        assert!("id:".parse::<KeySelector>().is_err());
        assert!("id:0g".parse::<KeySelector>().is_err());
    }
}
