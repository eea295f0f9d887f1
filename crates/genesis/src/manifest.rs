//! The manifest: everything that makes a chain, in one text that has one form, and its hash.

use core::fmt;

use bitcoin::hashes::{Hash, sha256};
use elements::Txid;
use hex_conservative::DisplayHex;

use crate::{Genesis, NodeKind, Role, Settings, Sweep, Terms, hex};

/// The first line, which also keeps the hash apart from all others.
const TITLE: &str = "federation chain manifest 1";

/// The hash of a manifest: SHA-256 of its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestHash([u8; 32]);

impl ManifestHash {
    /// The hash's bytes, in the order shown.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for ManifestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hex(), f)
    }
}

impl fmt::Debug for ManifestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManifestHash({self})")
    }
}

/// Everything that makes a chain: what follows from the genesis, and every setting, those too that
/// leave the genesis hash alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Name, what it does, and value, in the order of the text.
    lines: Vec<(String, Role, String)>,
}

/// What is different in two manifests under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The setting, or what follows from several.
    pub name: String,
    /// Whether it changes the genesis, the rules or the network.
    pub role: Role,
    /// The values in the first; none where it has none.
    pub left: Vec<String>,
    /// The values in the second.
    pub right: Vec<String>,
}

impl Manifest {
    /// The manifest of a chain.
    #[must_use]
    pub fn new(
        settings: &Settings,
        genesis: &Genesis,
        terms: Option<&Terms>,
        sweep: Option<&Sweep>,
    ) -> Self {
        let mut lines = Vec::new();
        let mut add = |name: &str, role, value: String| lines.push((name.to_owned(), role, value));
        add("node", Role::Genesis, settings.node().to_string());
        add("chain", Role::Genesis, settings.chain().to_owned());
        add("genesis_hash", Role::Genesis, genesis.hash().to_string());
        add(
            "pegged_asset",
            Role::Rules,
            genesis.pegged_asset().to_string(),
        );
        if settings.node() == NodeKind::Ocean && settings.flag("embedcontract") {
            let hash = terms.map_or([0; 32], Terms::contract_hash);
            add("terms_hash", Role::Genesis, hex::reversed(&hash));
        }
        if let Some(params) = genesis.block_1_params() {
            let root = params.calculate_root();
            add("block_1_params_root", Role::Rules, root.to_string());
        }
        if let Some(txid) = sweep.map(Sweep::txid) {
            add("sweep", Role::Rules, Txid::to_string(&txid));
        }
        for setting in settings.iter() {
            for value in setting.values {
                add(&format!("setting.{}", setting.name), setting.role, value);
            }
        }
        Self { lines }
    }

    /// The text: a title, and a line `name=value` for each item, all ended by a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{TITLE}\n");
        for (name, _, value) in &self.lines {
            text += &format!("{name}={value}\n");
        }
        text
    }

    /// SHA-256 of the text, as `sha256sum` gives it.
    #[must_use]
    pub fn hash(&self) -> ManifestHash {
        ManifestHash(sha256::Hash::hash(self.to_text().as_bytes()).to_byte_array())
    }

    /// What is different in another one, in the order of the texts.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut names: Vec<(&String, Role)> = Vec::new();
        for (name, role, _) in self.lines.iter().chain(&other.lines) {
            if !names.iter().any(|(known, _)| *known == name) {
                names.push((name, *role));
            }
        }
        names
            .into_iter()
            .map(|(name, role)| Difference {
                name: name.clone(),
                role,
                left: self.values(name),
                right: other.values(name),
            })
            .filter(|difference| difference.left != difference.right)
            .collect()
    }

    fn values(&self, name: &str) -> Vec<String> {
        self.lines
            .iter()
            .filter(|(other, _, _)| other == name)
            .map(|(_, _, value)| value.clone())
            .collect()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
