//! The manifest: a canonical text of everything that defines a chain, and its hash.

use core::fmt;

use bitcoin::hashes::{Hash, sha256};
use elements::Txid;
use hex_conservative::DisplayHex;

use crate::{Genesis, NodeKind, Role, Settings, Sweep, Terms, hex};

/// The first line, which also separates the hash from those of other texts.
const TITLE: &str = "federation chain manifest 1";

/// The hash of a manifest: SHA-256 of its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestHash([u8; 32]);

impl ManifestHash {
    /// The bytes of the hash, in display order.
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

/// Everything that defines a chain: values derived from the genesis block, and every setting,
/// including those that do not affect the genesis hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Name, role and value, in the order of the text.
    lines: Vec<(String, Role, String)>,
}

/// An entry that differs between two manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The setting, or a value derived from several.
    pub name: String,
    /// Whether it affects the genesis block, the rules or the network.
    pub role: Role,
    /// The values in the first manifest; empty if it has none.
    pub left: Vec<String>,
    /// The values in the second manifest; empty if it has none.
    pub right: Vec<String>,
}

impl Manifest {
    /// Creates the manifest of a chain.
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

    /// The text: a title, then one line `name=value` per entry, each ending in a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{TITLE}\n");
        for (name, _, value) in &self.lines {
            text += &format!("{name}={value}\n");
        }
        text
    }

    /// The SHA-256 of the text, as `sha256sum` prints it.
    #[must_use]
    pub fn hash(&self) -> ManifestHash {
        ManifestHash(sha256::Hash::hash(self.to_text().as_bytes()).to_byte_array())
    }

    /// Returns the entries that differ from another manifest, in the order of the texts.
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
