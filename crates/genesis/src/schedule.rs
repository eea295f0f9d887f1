//! Which script signs from which height on, and where fees go.

use federation_multisig::MultisigScript;
use hex_conservative::FromHex;

use crate::{Holder, NodeKind, Problem, Settings};

/// Nodes read heights as numbers of 31 bits, and stop at greater ones.
const MAX_HEIGHT: i64 = i32::MAX as i64;

/// Who signs from a height on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signers {
    /// The first height; 0 for those of the chain's beginning.
    pub from: i64,
    /// The script.
    pub script: Vec<u8>,
    /// The script as M of N keys, if it is that.
    pub multisig: Option<MultisigScript>,
}

/// Everybody who will ever sign, as far as the settings tell: `signblockscript`, and on Ocean each
/// `signblockscriptchange`, by height.
#[must_use]
pub fn signers_by_height(settings: &Settings) -> Vec<Signers> {
    let first = (0, settings.bytes("signblockscript").to_vec());
    let mut all: Vec<Signers> = core::iter::once(first)
        .chain(changes(settings, "signblockscriptchange"))
        .map(|(from, script)| Signers {
            from,
            multisig: MultisigScript::from_bytes(&script).ok(),
            script,
        })
        .collect();
    all.sort_by_key(|signers| signers.from);
    all
}

/// The entries `SCRIPT:HEIGHT` of a list.
fn changes(settings: &Settings, name: &str) -> Vec<(i64, Vec<u8>)> {
    let entries = settings.list(name).iter();
    entries
        // Both halves were checked when they were read.
        .filter_map(|entry| entry.split_once(':'))
        .map(|(script, height)| {
            (
                height.parse().unwrap_or_default(),
                Vec::from_hex(script).unwrap_or_default(),
            )
        })
        .collect()
}

/// Where a chain's blocks have to pay their fees: for each height from which it holds the script,
/// and the setting that says so; nothing if blocks may pay them anywhere.
pub(crate) fn payees(settings: &Settings) -> Vec<(&'static str, i64, Vec<u8>)> {
    let mandatory = settings.bytes("con_mandatorycoinbase");
    if mandatory.is_empty() {
        return Vec::new();
    }
    let first = ("con_mandatorycoinbase", 0, mandatory.to_vec());
    let later = changes(settings, "coinbasechange").into_iter();
    let later = later.map(|(from, script)| ("coinbasechange", from, script));
    core::iter::once(first).chain(later).collect()
}

/// What is wrong with the scripts that count later, and with those that fees and issuances obey.
pub(crate) fn problems(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for signers in signers_by_height(settings).into_iter().skip(1) {
        let from = signers.from;
        match Holder::of(&signers.script) {
            Holder::Keys { m, n } if 2 * usize::from(m) <= n => {
                problems.push(Problem::LaterNoMajority { from, m, n });
            }
            Holder::Keys { .. } => {}
            _ => problems.push(Problem::LaterNoFederation { from }),
        }
    }
    if settings.node() == NodeKind::Ocean {
        for name in ["signblockscriptchange", "coinbasechange"] {
            problems.extend(height_problems(name, &changes(settings, name)));
        }
        let unchecked = settings.bytes("con_mandatorycoinbase").is_empty();
        if unchecked && !settings.list("coinbasechange").is_empty() {
            problems.push(Problem::Setting {
                name: "coinbasechange",
                value: settings.list("coinbasechange").join(" "),
                why: "the node checks it only where con_mandatorycoinbase is set: set both",
            });
        }
        let issuer = settings.bytes("issuecontrolscript");
        if !issuer.is_empty() {
            problems.extend(obeys("issuecontrolscript", 0, issuer));
        }
    }
    for (name, from, script) in payees(settings) {
        problems.extend(obeys(name, from, &script));
    }
    problems
}

/// Heights at which the node does not do what the list says.
fn height_problems(name: &'static str, changes: &[(i64, Vec<u8>)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (height, _)) in changes.iter().enumerate() {
        if !(1..=MAX_HEIGHT).contains(height) {
            problems.push(Problem::ChangeHeight {
                name,
                height: *height,
            });
        }
        if changes[..index].iter().any(|(other, _)| other == height) {
            problems.push(Problem::ChangedTwice {
                name,
                height: *height,
            });
        }
    }
    problems
}

/// What is wrong with a script that one does not sign blocks with, but that money or assets obey.
fn obeys(name: &'static str, from: i64, script: &[u8]) -> Option<Problem> {
    match Holder::of(script) {
        Holder::Anyone => Some(Problem::ObeysAnyone { name, from }),
        Holder::Keys { m, n } if 2 * usize::from(m) <= n => {
            Some(Problem::ObeysMinority { name, from, m, n })
        }
        _ => None,
    }
}
