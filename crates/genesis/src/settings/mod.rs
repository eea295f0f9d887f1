//! The settings that define a chain, as a node reads them from its configuration file.

mod table;
mod value;

use std::collections::BTreeMap;

pub use table::Role;

pub(crate) use value::Value;

use crate::{
    NodeKind,
    conf::{self, ConfError, Entry, InvalidConf, is_true},
};
use table::{Kind, SECTION_ONLY, Spec, is_local, is_of, nearest, replaced, table};
use value::ValueError;

/// Chains whose parameters are built into Elements.
const FIXED: &[&str] = &[
    "main",
    "test",
    "signet",
    "regtest",
    "liquidv1",
    "liquidv1test",
    "liquidtestnet",
];

/// All settings that define a chain, with the node's defaults for those that are omitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    node: NodeKind,
    chain: String,
    values: BTreeMap<&'static str, Value>,
    /// The names of those that are set in the file.
    given: Vec<&'static str>,
}

/// One setting, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it affects.
    pub role: Role,
    /// Its value; for a list all of its values, which may be none.
    pub values: Vec<String>,
    /// Whether it is set in the file; otherwise it has the node's default.
    pub given: bool,
}

impl Settings {
    /// Reads a node's configuration file.
    ///
    /// Settings that do not define the chain (RPC, peers, wallets) are skipped, unless the node would
    /// ignore them in the section where they are set.
    ///
    /// # Errors
    /// If a line is malformed, or means something else to the node than it appears to: see
    /// [`ConfError`].
    pub fn parse(node: NodeKind, text: &str) -> Result<Self, InvalidConf> {
        let entries = conf::parse(node, text)?;
        let mut errors = Vec::new();
        let chain = chain_of(node, &entries, &mut errors);
        check_entries(node, &chain, &entries, &mut errors);
        let mut settings = Self {
            node,
            chain,
            values: BTreeMap::new(),
            given: Vec::new(),
        };
        for spec in table(node) {
            match settings.value_of(spec, &entries) {
                Ok(value) => {
                    settings.values.insert(spec.name, value);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(settings)
        } else {
            Err(InvalidConf { errors })
        }
    }

    /// Creates the settings of a custom chain with this name, all with the node's defaults.
    ///
    /// # Errors
    /// If the name is invalid, or is that of a chain built into the node.
    pub fn new(node: NodeKind, chain: &str) -> Result<Self, ConfError> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '[' | ']' | '/' | '\\');
        if chain.is_empty() || !chain.chars().all(plain) {
            return Err(ConfError::ChainName(chain.to_owned()));
        }
        if node == NodeKind::Elements && FIXED.contains(&chain) {
            return Err(ConfError::FixedChain(chain.to_owned()));
        }
        let mut settings = Self {
            node,
            chain: chain.to_owned(),
            values: BTreeMap::new(),
            given: Vec::new(),
        };
        for spec in table(node) {
            let value = settings.value_of(spec, &[])?;
            settings.values.insert(spec.name, value);
        }
        Ok(settings)
    }

    /// Sets a setting to a value as it would be written in the file; a list gets one more entry.
    ///
    /// # Errors
    /// If no setting that defines a chain has this name, or the value is invalid.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, ConfError> {
        let unknown = || ConfError::Unknown(name.to_owned());
        let spec = table(self.node)
            .iter()
            .find(|spec| spec.name == name)
            .ok_or_else(unknown)?;
        let value = parse_one(spec, 0, value)?;
        let again = self.given.contains(&spec.name);
        if !again {
            self.given.push(spec.name);
        }
        match (self.values.get_mut(spec.name), value) {
            (Some(Value::List(list)), Value::List(more)) if again => list.extend(more),
            (_, value) => {
                self.values.insert(spec.name, value);
            }
        }
        Ok(self)
    }

    /// The lines of a configuration file that define this chain: its name, and the settings that are
    /// not left at their defaults.
    #[must_use]
    pub fn to_conf(&self) -> String {
        let mut text = format!("chain={}\n", self.chain);
        for setting in self.iter().filter(|setting| setting.given) {
            for value in setting.values {
                text += &format!("{}={value}\n", setting.name);
            }
        }
        text
    }

    fn value_of(&mut self, spec: &Spec, entries: &[Entry]) -> Result<Value, ConfError> {
        let (in_section, above): (Vec<_>, Vec<_>) = entries
            .iter()
            .filter(|entry| entry.name == spec.name)
            .filter(|entry| {
                entry
                    .section
                    .as_deref()
                    .is_none_or(|name| name == self.chain)
            })
            .partition(|entry| entry.section.is_some());
        if in_section.is_empty() && above.is_empty() {
            if spec.kind.is_list() && spec.default.is_empty() {
                return Ok(Value::List(Vec::new()));
            }
            return parse_one(spec, 0, spec.default);
        }
        self.given.push(spec.name);
        if spec.kind.is_list() {
            return list_of(spec, in_section.into_iter().chain(above));
        }
        // The chain's section overrides what is set above all sections.
        let group = if in_section.is_empty() {
            above
        } else {
            in_section
        };
        let mut group = group.into_iter();
        let Some(first) = group.next() else {
            return parse_one(spec, 0, spec.default);
        };
        let value = parse_entry(spec, first)?;
        for other in group {
            if parse_entry(spec, other)? != value {
                return Err(ConfError::Twice {
                    line: other.line,
                    name: spec.name.to_owned(),
                });
            }
        }
        Ok(value)
    }

    /// The kind of node.
    #[must_use]
    pub const fn node(&self) -> NodeKind {
        self.node
    }

    /// The name of the chain.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// All settings with their values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = Setting> + '_ {
        let mut specs: Vec<&Spec> = table(self.node).iter().collect();
        specs.sort_by_key(|spec| spec.name);
        specs.into_iter().map(|spec| Setting {
            name: spec.name,
            role: spec.role,
            values: self
                .values
                .get(spec.name)
                .map(Value::lines)
                .unwrap_or_default(),
            given: self.given.contains(&spec.name),
        })
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        match self.values.get(name) {
            Some(Value::Bytes(bytes)) => bytes,
            Some(Value::Hash(bytes)) => bytes,
            Some(Value::Hash160(bytes)) => bytes,
            _ => &[],
        }
    }

    pub(crate) fn hash(&self, name: &str) -> [u8; 32] {
        match self.values.get(name) {
            Some(Value::Hash(bytes)) => *bytes,
            _ => [0; 32],
        }
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        match self.values.get(name) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Flag(true)))
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }
}

fn parse_one(spec: &Spec, line: usize, text: &str) -> Result<Value, ConfError> {
    // Both nodes take an empty script setting for the default, except Elements' signblockscript,
    // which would then be empty and is refused.
    let name = || spec.name.to_owned();
    Value::parse(spec.kind, text).map_err(|error| match error {
        ValueError::Hex(source) => ConfError::Hex {
            line,
            name: name(),
            source,
        },
        ValueError::Script => ConfError::Script { line, name: name() },
        ValueError::Other(expected) => ConfError::Value {
            line,
            name: name(),
            value: text.to_owned(),
            expected,
        },
    })
}

fn parse_entry(spec: &Spec, entry: &Entry) -> Result<Value, ConfError> {
    let is_required = match spec.kind {
        Kind::Script => !spec.default.is_empty(),
        Kind::Asset => true,
        _ => false,
    };
    if entry.value.is_empty() && is_required {
        return Err(ConfError::Hex {
            line: entry.line,
            name: spec.name.to_owned(),
            source: crate::HexError::Empty,
        });
    }
    parse_one(spec, entry.line, &entry.value)
}

fn list_of<'a>(spec: &Spec, entries: impl Iterator<Item = &'a Entry>) -> Result<Value, ConfError> {
    let mut list = Vec::new();
    for entry in entries {
        if entry.negated {
            return Err(ConfError::NegatedList {
                line: entry.line,
                name: spec.name.to_owned(),
            });
        }
        list.extend(parse_entry(spec, entry)?.lines());
    }
    Ok(Value::List(list))
}

/// Returns the chain that the file is for.
fn chain_of(node: NodeKind, entries: &[Entry], errors: &mut Vec<ConfError>) -> String {
    let mut named = None;
    for entry in entries.iter().filter(|entry| entry.section.is_none()) {
        match entry.name.as_str() {
            "chain" => match &named {
                None => named = Some(entry.value.clone()),
                Some(first) if *first != entry.value => errors.push(ConfError::Twice {
                    line: entry.line,
                    name: "chain".to_owned(),
                }),
                Some(_) => {}
            },
            "regtest" | "testnet" | "signet" if is_true(&entry.value) => {
                errors.push(ConfError::OtherChain {
                    line: entry.line,
                    name: entry.name.clone(),
                });
            }
            _ => {}
        }
    }
    match (node, named) {
        (NodeKind::Elements, None) => errors.push(ConfError::NoChain("liquidv1")),
        (NodeKind::Elements, Some(chain)) if FIXED.contains(&chain.as_str()) => {
            errors.push(ConfError::FixedChain(chain));
        }
        (_, Some(chain)) if !chain.is_empty() => return chain,
        (NodeKind::Ocean, None) => return "ocean_test".to_owned(),
        (_, Some(_)) => errors.push(ConfError::NoChain("")),
    }
    String::new()
}

/// Finds settings in sections where the node ignores them, and unknown names.
fn check_entries(node: NodeKind, chain: &str, entries: &[Entry], errors: &mut Vec<ConfError>) {
    for entry in entries {
        let makes_chain =
            entry.name == "chain" || table(node).iter().any(|spec| spec.name == entry.name);
        let wrong_section = |section: &String, hint| ConfError::Section {
            line: entry.line,
            name: entry.name.clone(),
            section: section.clone(),
            chain: chain.to_owned(),
            hint,
        };
        match (&entry.section, node) {
            // Ocean does not support sections, and does not start.
            (Some(section), NodeKind::Ocean) => {
                errors.push(wrong_section(section, "above all sections"));
            }
            (Some(section), NodeKind::Elements) if entry.name == "chain" => {
                errors.push(wrong_section(section, "above all sections"));
            }
            // The missing chain is reported already.
            (_, NodeKind::Elements) if chain.is_empty() => {}
            (Some(section), NodeKind::Elements) if section != chain && makes_chain => {
                errors.push(wrong_section(section, "above all sections or into its own"));
            }
            (None, NodeKind::Elements) if SECTION_ONLY.contains(&entry.name.as_str()) => {
                let elsewhere = entries.iter().any(|other| {
                    other.name == entry.name && other.section.as_deref() == Some(chain)
                });
                if !elsewhere && !entry.negated {
                    errors.push(ConfError::NotInSection {
                        line: entry.line,
                        name: entry.name.clone(),
                        chain: chain.to_owned(),
                    });
                }
            }
            _ => {}
        }
        if entry.name == "includeconf" && !entry.value.is_empty() {
            errors.push(ConfError::Include(entry.line));
        }
        if !makes_chain {
            errors.extend(unknown(node, entry));
        }
    }
}

/// The error for a name that does not define a chain, if it resembles one that does.
fn unknown(node: NodeKind, entry: &Entry) -> Option<ConfError> {
    let (line, name) = (entry.line, entry.name.clone());
    if let Some(replacement) = replaced(node, &name) {
        return Some(ConfError::Replaced {
            line,
            name,
            replacement,
        });
    }
    if is_of(node.other(), &name) {
        let other = node.other();
        return Some(ConfError::OtherNode {
            line,
            name,
            node,
            other,
        });
    }
    if is_local(node, &name) {
        return None;
    }
    match nearest(node, &name) {
        Some(meant) => Some(ConfError::Misspelt { line, name, meant }),
        None if name.starts_with("con_") => Some(ConfError::UnknownRule { line, name }),
        None => None,
    }
}

#[cfg(test)]
mod tests;
