//! The scripts that sign blocks and receive fees, by height.

use federation_multisig::MultisigScript;
use hex_conservative::FromHex;

use crate::{Holder, NodeKind, Settings, UnviableChain};

/// Nodes read heights as 31-bit numbers and do not start with greater ones.
const MAX_HEIGHT: i64 = i32::MAX as i64;

/// The signers from some height on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signers {
    /// The first height; 0 for the initial signers.
    pub from: i64,
    /// The script.
    pub script: Vec<u8>,
    /// The script as M of N keys, if it has that form.
    pub multisig: Option<MultisigScript>,
}

/// Returns all signers that the settings name, by height: `signblockscript`, and on Ocean each
/// `signblockscriptchange`.
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

/// The entries `SCRIPT:HEIGHT` of a list setting.
fn changes(settings: &Settings, name: &str) -> Vec<(i64, Vec<u8>)> {
    let entries = settings.list(name).iter();
    entries
        // Both parts were checked when they were parsed.
        .filter_map(|entry| entry.split_once(':'))
        .map(|(script, height)| {
            (
                height.parse().unwrap_or_default(),
                Vec::from_hex(script).unwrap_or_default(),
            )
        })
        .collect()
}

/// The scripts to which blocks must pay fees, each with its setting and the height from which it
/// applies; empty if fees may be paid to any script.
pub(crate) fn fee_scripts(settings: &Settings) -> Vec<(&'static str, i64, Vec<u8>)> {
    let mandatory = settings.bytes("con_mandatorycoinbase");
    if mandatory.is_empty() {
        return Vec::new();
    }
    let first = ("con_mandatorycoinbase", 0, mandatory.to_vec());
    let later = changes(settings, "coinbasechange").into_iter();
    let later = later.map(|(from, script)| ("coinbasechange", from, script));
    core::iter::once(first).chain(later).collect()
}

/// The problems with later signers, and with the scripts that control fees and issuances.
pub(crate) fn problems(settings: &Settings) -> Vec<UnviableChain> {
    let mut problems = Vec::new();
    for signers in signers_by_height(settings).into_iter().skip(1) {
        let from = signers.from;
        match Holder::of(&signers.script) {
            Holder::Keys { m, n } if 2 * usize::from(m) <= n => {
                problems.push(UnviableChain::LaterNoMajority { from, m, n });
            }
            Holder::Keys { .. } => {}
            _ => problems.push(UnviableChain::LaterNoFederation { from }),
        }
    }
    if settings.node() == NodeKind::Ocean {
        for name in ["signblockscriptchange", "coinbasechange"] {
            problems.extend(height_problems(name, &changes(settings, name)));
        }
        let unchecked = settings.bytes("con_mandatorycoinbase").is_empty();
        if unchecked && !settings.list("coinbasechange").is_empty() {
            problems.push(UnviableChain::Setting {
                name: "coinbasechange",
                value: settings.list("coinbasechange").join(" "),
                why: "the node ignores it unless con_mandatorycoinbase is set: set both",
            });
        }
        let issuer = settings.bytes("issuecontrolscript");
        if !issuer.is_empty() {
            problems.extend(controller_problem("issuecontrolscript", 0, issuer));
        }
    }
    for (name, from, script) in fee_scripts(settings) {
        problems.extend(controller_problem(name, from, &script));
    }
    problems
}

/// The problems with heights in a list that the node does not follow.
fn height_problems(name: &'static str, changes: &[(i64, Vec<u8>)]) -> Vec<UnviableChain> {
    let mut problems = Vec::new();
    for (index, (height, _)) in changes.iter().enumerate() {
        if !(1..=MAX_HEIGHT).contains(height) {
            problems.push(UnviableChain::ChangeHeight {
                name,
                height: *height,
            });
        }
        if changes[..index].iter().any(|(other, _)| other == height) {
            problems.push(UnviableChain::ChangedTwice {
                name,
                height: *height,
            });
        }
    }
    problems
}

/// The problem with a script that controls money or assets, if there is one.
fn controller_problem(name: &'static str, from: i64, script: &[u8]) -> Option<UnviableChain> {
    match Holder::of(script) {
        Holder::Anyone => Some(UnviableChain::ObeysAnyone { name, from }),
        Holder::Keys { m, n } if 2 * usize::from(m) <= n => {
            Some(UnviableChain::ObeysMinority { name, from, m, n })
        }
        _ => None,
    }
}
