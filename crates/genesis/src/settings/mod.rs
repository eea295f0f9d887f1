//! The settings that make a chain, as a node takes them out of its configuration file.

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

/// Chains of Elements whose parameters are in the node.
const FIXED: &[&str] = &[
    "main",
    "test",
    "signet",
    "regtest",
    "liquidv1",
    "liquidv1test",
    "liquidtestnet",
];

/// All settings that make a chain, with the nodes' defaults for those that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    node: NodeKind,
    chain: String,
    values: BTreeMap<&'static str, Value>,
    /// Those that stand in the file.
    given: Vec<&'static str>,
}

/// One setting, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub role: Role,
    /// Its values: one, or those of a list, none if that is empty.
    pub values: Vec<String>,
    /// Whether it stands in the file; else it is the node's default.
    pub given: bool,
}

impl Settings {
    /// Reads a node's configuration file.
    ///
    /// Settings that do not make the chain (RPC, peers, wallets) are passed over, but for those that
    /// the node would ignore where they stand.
    ///
    /// # Errors
    /// If a line is wrong, or says to the node something else than it seems to: see [`ConfError`].
    pub fn parse(node: NodeKind, text: &str) -> Result<Self, InvalidConf> {
        let entries = conf::parse(node, text)?;
        let mut errors = Vec::new();
        let chain = chain_of(node, &entries, &mut errors);
        check_places(node, &chain, &entries, &mut errors);
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

    /// The settings of a chain of this name, all of them the node's defaults.
    ///
    /// # Errors
    /// If no node has a custom chain of that name.
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

    /// The same with a setting as it would stand in the file; one that is a list gets one more
    /// entry.
    ///
    /// # Errors
    /// If there is no such setting among those that make a chain, or the value is none of its kind.
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

    /// The lines of a configuration file that make this chain: its name, and the settings that are
    /// not left to the node.
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
        // The chain's section goes before what stands above all sections.
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

    /// The family of the node.
    #[must_use]
    pub const fn node(&self) -> NodeKind {
        self.node
    }

    /// The chain's name.
    #[must_use]
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// Every setting with its value, by name.
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
    // An empty script setting is the default to both nodes, but for Elements' signblockscript,
    // which is then empty and is refused for that.
    let name = || spec.name.to_owned();
    Value::parse(spec.kind, text).map_err(|error| match error {
        ValueError::Hex(source) => ConfError::Hex {
            line,
            name: name(),
            source,
        },
        ValueError::Script => ConfError::Script { line, name: name() },
        ValueError::Other(what) => ConfError::Value {
            line,
            name: name(),
            value: text.to_owned(),
            what,
        },
    })
}

fn parse_entry(spec: &Spec, entry: &Entry) -> Result<Value, ConfError> {
    let must_be_there = match spec.kind {
        Kind::Script => !spec.default.is_empty(),
        Kind::Asset => true,
        _ => false,
    };
    if entry.value.is_empty() && must_be_there {
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

/// Which chain the file is for.
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

/// Finds settings that the node does not see where they stand, and names that are none.
fn check_places(node: NodeKind, chain: &str, entries: &[Entry], errors: &mut Vec<ConfError>) {
    for entry in entries {
        let makes_chain =
            entry.name == "chain" || table(node).iter().any(|spec| spec.name == entry.name);
        let wrong_section = |section: &String, cure| ConfError::Section {
            line: entry.line,
            name: entry.name.clone(),
            section: section.clone(),
            chain: chain.to_owned(),
            cure,
        };
        match (&entry.section, node) {
            // Ocean knows no sections, and does not start.
            (Some(section), NodeKind::Ocean) => {
                errors.push(wrong_section(section, "above all sections"));
            }
            (Some(section), NodeKind::Elements) if entry.name == "chain" => {
                errors.push(wrong_section(section, "above all sections"));
            }
            // Without a chain that is said already.
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

/// What is wrong with a name that is none of those that make a chain, if it is like one.
fn unknown(node: NodeKind, entry: &Entry) -> Option<ConfError> {
    let (line, name) = (entry.line, entry.name.clone());
    if let Some(cure) = replaced(node, &name) {
        return Some(ConfError::Replaced { line, name, cure });
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
