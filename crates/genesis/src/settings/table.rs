//! The settings that define a chain, with the nodes' defaults.
//!
//! Sources: `CCustomParams` in `chainparams.cpp` of Elements 23.3 and of Ocean `master`, and their
//! `init.cpp`. The [`Role`] of a setting is what it affects.

use crate::NodeKind;

/// What a setting affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The genesis hash.
    Genesis,
    /// Not the genesis hash, but which blocks are valid, or the id of an asset.
    Rules,
    /// Not the blocks, but how nodes and wallets of the chain connect: the network's magic bytes,
    /// addresses, relay policy.
    Network,
}

impl Role {
    /// Returns its name: `genesis`, `rules` or `network`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Rules => "rules",
            Self::Network => "network",
        }
    }
}

/// The format of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A script in hex.
    Script,
    /// This number of bytes in hex, or nothing.
    Bytes(usize),
    /// A 256-bit number in hex.
    Hash,
    /// A 160-bit number in hex.
    Hash160,
    /// A decimal number.
    Number,
    /// A number from 0 to 255.
    Byte,
    /// 0 or 1.
    Flag,
    /// Any text.
    Text,
    /// A list of texts.
    Texts,
    /// A list of byte strings in hex.
    Hexes,
    /// An asset id in hex; the pegged asset if it is not set.
    Asset,
    /// A list of `SCRIPT:HEIGHT`.
    ScriptsAt,
    /// A list of `HASH:NUMBER`.
    HashesAt,
    /// A list of decimal numbers.
    Numbers,
}

impl Kind {
    /// Whether the setting may occur several times in a file.
    pub(crate) const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Texts | Self::Hexes | Self::ScriptsAt | Self::HashesAt | Self::Numbers
        )
    }
}

/// The specification of a setting.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) role: Role,
    /// The node's default, as it would be written in the file.
    pub(crate) default: &'static str,
}

const fn spec(name: &'static str, kind: Kind, role: Role, default: &'static str) -> Spec {
    Spec {
        name,
        kind,
        role,
        default,
    }
}

use Kind::{
    Asset, Byte, Bytes, Flag, Hash, Hash160, HashesAt, Hexes, Number, Numbers, Script, ScriptsAt,
    Text, Texts,
};
use Role::{Genesis, Network, Rules};

const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const POW_LIMIT: &str = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
/// The entry that Elements uses if no peg-out keys are given: one key, twice.
const JUNK_PAK: &str = "02fcba7ecf41bc7e1be4ee122d9d22e3333671eb0a3a87b5cdf099d59874e1940f02fcba7ecf41bc7e1be4ee122d9d22e3333671eb0a3a87b5cdf099d59874e1940f";

/// Settings of a custom Elements chain.
const ELEMENTS: &[Spec] = &[
    spec("fedpegscript", Script, Genesis, "51"),
    spec("signblockscript", Script, Genesis, "51"),
    spec("initialfreecoins", Number, Genesis, "0"),
    spec("initialreissuancetokens", Number, Genesis, "0"),
    spec(
        "parentgenesisblockhash",
        Hash,
        Genesis,
        "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    ),
    spec("con_signed_blocks", Flag, Genesis, "1"),
    spec("con_blockheightinheader", Flag, Genesis, "1"),
    spec("con_genesis_style", Text, Genesis, "elements"),
    spec("con_elementsmode", Flag, Genesis, "1"),
    spec("con_max_block_sig_size", Number, Rules, "74"),
    spec("evbparams", Texts, Rules, ""),
    spec("vbparams", Texts, Rules, ""),
    spec("testactivationheight", Texts, Rules, ""),
    spec("dynamic_epoch_length", Number, Rules, "10"),
    spec("total_valid_epochs", Number, Rules, "2"),
    spec("pak", Hexes, Rules, JUNK_PAK),
    spec("enforce_pak", Flag, Rules, "0"),
    spec("con_start_p2wsh_script", Number, Rules, "0"),
    spec("con_mandatorycoinbase", Script, Rules, ""),
    spec("con_blocksubsidy", Number, Rules, "0"),
    spec("con_nsubsidyhalvinginterval", Number, Rules, "150"),
    spec("subsidyasset", Asset, Rules, ""),
    spec("con_connect_genesis_outputs", Number, Rules, "1"),
    spec("con_has_parent_chain", Flag, Rules, "1"),
    spec("con_parentpowlimit", Hash, Rules, POW_LIMIT),
    spec("con_parent_chain_signblockscript", Script, Rules, ""),
    spec("con_parent_pegged_asset", Hash, Rules, ZERO),
    spec("peginconfirmationdepth", Number, Rules, "8"),
    spec("con_csv_deploy_start", Number, Rules, "1"),
    spec("con_bip16exception", Hash, Rules, ZERO),
    spec("con_bip34height", Number, Rules, "0"),
    spec("con_bip34hash", Hash, Rules, ZERO),
    spec("con_bip65height", Number, Rules, "0"),
    spec("con_bip66height", Number, Rules, "0"),
    spec("con_powlimit", Hash, Rules, POW_LIMIT),
    spec("con_npowtargettimespan", Number, Rules, "1209600"),
    spec("con_npowtargetspacing", Number, Rules, "600"),
    spec("con_fpowallowmindifficultyblocks", Flag, Rules, "1"),
    spec("con_fpownoretargeting", Flag, Rules, "1"),
    spec("con_nrulechangeactivationthreshold", Number, Rules, "108"),
    spec("con_nminerconfirmationwindow", Number, Rules, "144"),
    spec("acceptunlimitedissuances", Flag, Rules, "0"),
    spec("feeasset", Asset, Network, ""),
    spec("acceptdiscountct", Flag, Network, "0"),
    spec("creatediscountct", Flag, Network, "0"),
    spec("multi_data_permitted", Text, Network, "enforce_pak"),
    spec("pchmessagestart", Bytes(4), Network, "5319f20e"),
    spec("bech32_hrp", Text, Network, "ert"),
    spec("blech32_hrp", Text, Network, "el"),
    spec("pubkeyprefix", Byte, Network, "235"),
    spec("scriptprefix", Byte, Network, "75"),
    spec("blindedprefix", Byte, Network, "4"),
    spec("secretprefix", Byte, Network, "239"),
    spec("extpubkeyprefix", Bytes(4), Network, "043587cf"),
    spec("extprvkeyprefix", Bytes(4), Network, "04358394"),
    spec("parentpubkeyprefix", Byte, Network, "111"),
    spec("parentscriptprefix", Byte, Network, "196"),
    spec("parent_bech32_hrp", Text, Network, "bcrt"),
    spec("parent_blech32_hrp", Text, Network, "bcrt"),
];

/// Settings of an Ocean chain.
const OCEAN: &[Spec] = &[
    spec("fedpegscript", Script, Genesis, "51"),
    spec("signblockscript", Script, Genesis, "51"),
    spec(
        "parentcontract",
        Hash160,
        Genesis,
        "076c97e1c869072ee22f8c91978c99b4bcb02591",
    ),
    spec("fedpegaddress", Bytes(20), Genesis, ""),
    spec("issuecontrolscript", Script, Genesis, ""),
    spec("initialfreecoins", Number, Genesis, "0"),
    spec("initialfreecoinsdestination", Script, Genesis, "51"),
    spec("policycoins", Number, Genesis, "0"),
    spec("freezelistcoinsdestination", Script, Genesis, "6a"),
    spec("burnlistcoinsdestination", Script, Genesis, "6a"),
    spec("whitelistcoinsdestination", Script, Genesis, "6a"),
    spec("challengecoinsdestination", Script, Genesis, "6a"),
    spec("permissioncoinsdestination", Script, Genesis, "6a"),
    spec("issuancecoinsdestination", Script, Genesis, "6a"),
    spec(
        "parentgenesisblockhash",
        Hash,
        Genesis,
        "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    ),
    spec("genesistimestamp", Number, Genesis, "1514764800"),
    spec("embedcontract", Flag, Genesis, "1"),
    spec("attestationhash", Hash, Genesis, ZERO),
    spec("con_mandatorycoinbase", Script, Rules, ""),
    spec("embedmapping", Flag, Rules, "1"),
    spec("peginconfirmationdepth", Number, Rules, "8"),
    spec("con_parentpowlimit", Hash, Rules, POW_LIMIT),
    spec("con_nsubsidyhalvinginterval", Number, Rules, "150"),
    spec("con_bip34height", Number, Rules, "100000000"),
    spec("con_bip34hash", Hash, Rules, ZERO),
    spec("con_bip65height", Number, Rules, "1351"),
    spec("con_bip66height", Number, Rules, "1251"),
    spec("con_powlimit", Hash, Rules, POW_LIMIT),
    spec("con_npowtargettimespan", Number, Rules, "1209600"),
    spec("con_npowtargetspacing", Number, Rules, "600"),
    spec("con_fpowallowmindifficultyblocks", Flag, Rules, "1"),
    spec("con_fpownoretargeting", Flag, Rules, "1"),
    spec("con_nrulechangeactivationthreshold", Number, Rules, "108"),
    spec("con_nminerconfirmationwindow", Number, Rules, "144"),
    spec("coinbasechange", ScriptsAt, Rules, ""),
    spec("contractchange", Numbers, Rules, ""),
    spec("signblockscriptchange", ScriptsAt, Rules, ""),
    spec("freezelistassetchange", HashesAt, Rules, ""),
    spec("burnlistassetchange", HashesAt, Rules, ""),
    spec("whitelistassetchange", HashesAt, Rules, ""),
    spec("issuanceassetchange", HashesAt, Rules, ""),
    spec("challengeassetchange", HashesAt, Rules, ""),
    spec("disabledoutput", HashesAt, Rules, ""),
    spec("pkhwhitelist", Flag, Network, "0"),
    spec("freezelist", Flag, Network, "0"),
    spec("burnlist", Flag, Network, "0"),
    spec("issuanceblock", Flag, Network, "0"),
    spec("contractintx", Flag, Network, "0"),
    spec("contractinkycfile", Flag, Network, "1"),
    spec("fixedtxfee", Number, Network, "0"),
    spec("feeasset", Asset, Network, ""),
    spec("frequirestandard", Flag, Network, "0"),
];

/// Returns the settings that define a chain of this kind.
pub(crate) const fn table(node: NodeKind) -> &'static [Spec] {
    match node {
        NodeKind::Elements => ELEMENTS,
        NodeKind::Ocean => OCEAN,
    }
}

/// Settings that Elements reads only from the chain's section (`NETWORK_ONLY`).
pub(crate) const SECTION_ONLY: &[&str] = &[
    "addnode",
    "bind",
    "connect",
    "port",
    "rpcbind",
    "rpcport",
    "wallet",
    "walletdir",
];

/// Settings of older nodes that current ones silently ignore, each with its replacement.
const REPLACED: &[(NodeKind, &str, &str)] = &[
    (
        NodeKind::Elements,
        "con_dyna_deploy_start",
        "evbparams=dynafed:START:::, with START -1 (from block 1) or -2 (never)",
    ),
    (
        NodeKind::Elements,
        "con_taproot_signal_start",
        "evbparams=taproot:START:::",
    ),
    (
        NodeKind::Elements,
        "con_connect_coinbase",
        "con_connect_genesis_outputs",
    ),
    (
        NodeKind::Elements,
        "segwitheight",
        "testactivationheight=segwit@HEIGHT",
    ),
    (NodeKind::Elements, "bip9params", "vbparams or evbparams"),
    (
        NodeKind::Elements,
        "ndefaultport",
        "port in the chain's section",
    ),
    (NodeKind::Elements, "frequirestandard", "acceptnonstdtxn"),
    (NodeKind::Elements, "fallback_fee_enabled", "fallbackfee"),
    (NodeKind::Ocean, "vbparams", "bip9params"),
];

/// Returns the replacement for a setting of an older node, if it is one.
pub(crate) fn replaced(node: NodeKind, name: &str) -> Option<&'static str> {
    let mut all = REPLACED.iter();
    all.find(|(of, old, _)| *of == node && *old == name)
        .map(|(_, _, replacement)| *replacement)
}

/// Settings that look like rules of the chain but affect only the node itself.
const LOCAL: &[&str] = &["con_nminimumchainwork", "con_defaultassumevalid"];

/// Whether a setting looks like a rule of the chain but affects only the node itself.
pub(crate) fn is_local(node: NodeKind, name: &str) -> bool {
    LOCAL.contains(&name) || (node == NodeKind::Elements && name == "con_dyna_deploy_signal")
}

/// Whether a setting defines a chain of this kind.
pub(crate) fn is_of(node: NodeKind, name: &str) -> bool {
    table(node).iter().any(|spec| spec.name == name)
}

/// Returns the setting whose name is closest to an unknown one, if it is close enough.
pub(crate) fn nearest(node: NodeKind, name: &str) -> Option<&'static str> {
    // Short names are close to many other valid names.
    const SHORTEST: usize = 8;
    if name.len() < SHORTEST || name.len() > 64 {
        return None;
    }
    table(node)
        .iter()
        .filter(|spec| spec.name.len() >= SHORTEST)
        .map(|spec| (distance(spec.name, name), spec.name))
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, meant)| meant)
}

/// The edit distance: the number of characters to change, add or remove.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_listed_once_and_is_not_a_negation() {
        for node in [NodeKind::Elements, NodeKind::Ocean] {
            let names: Vec<_> = table(node).iter().map(|spec| spec.name).collect();
            for (index, name) in names.iter().enumerate() {
                assert!(!names[..index].contains(name), "{name}");
                // Negations are resolved before names are looked up.
                assert!(!name.starts_with("no"), "{name}");
            }
        }
    }

    #[test]
    fn misspelt_names_are_found_and_other_settings_ignored() {
        let nearest = |name| nearest(NodeKind::Elements, name);
        assert_eq!(nearest("signblockscipt"), Some("signblockscript"));
        assert_eq!(nearest("signblocksscript"), Some("signblockscript"));
        assert_eq!(nearest("initialfreecoin"), Some("initialfreecoins"));
        for valid in [
            "par",
            "rpcpassword",
            "validatepegin",
            "mainchainrpcport",
            "fallbackfee",
        ] {
            assert_eq!(nearest(valid), None);
        }
    }
}
