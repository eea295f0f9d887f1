//! Files that are read as written, and files that a node would read differently.

use super::*;
use crate::HexError;

const SCRIPT: &str = "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee52102f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f952ae";

fn elements(text: &str) -> Result<Settings, InvalidConf> {
    Settings::parse(NodeKind::Elements, text)
}

fn error(text: &str) -> ConfError {
    let errors = elements(text).expect_err("an invalid file").errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

#[test]
fn omitted_settings_have_the_nodes_default() {
    let settings = elements("chain=home\n[home]\nrpcport=1\n").expect("a file");
    assert_eq!(settings.bytes("fedpegscript"), [0x51]);
    assert_eq!(settings.number("con_max_block_sig_size"), 74);
    assert!(settings.flag("con_has_parent_chain"));
    assert!(settings.list("evbparams").is_empty());
    assert_eq!(settings.list("pak").len(), 1);
    assert!(settings.iter().all(|setting| !setting.given));
    let ocean = Settings::parse(NodeKind::Ocean, "").expect("a file");
    assert_eq!(ocean.chain(), "ocean_test");
}

#[test]
fn every_default_is_a_value_of_its_kind() {
    for node in [NodeKind::Elements, NodeKind::Ocean] {
        let settings = Settings::parse(node, "chain=home").expect("a file");
        assert_eq!(settings.iter().count(), table(node).len());
    }
}

#[test]
fn the_chains_section_overrides_settings_above_all_sections() {
    let text = "chain=home\ninitialfreecoins=1\n[home]\ninitialfreecoins=2\n";
    let settings = elements(text).expect("a file");
    assert_eq!(settings.number("initialfreecoins"), 2);
    let settings = elements("chain=home\nhome.initialfreecoins=3").expect("a file");
    assert_eq!(settings.number("initialfreecoins"), 3);
}

#[test]
fn a_negated_flag_is_off_and_a_negated_list_is_refused() {
    let settings = elements("chain=home\nnocon_has_parent_chain=1").expect("a file");
    assert!(!settings.flag("con_has_parent_chain"));
    assert_eq!(
        error("chain=home\nnopak=1"),
        ConfError::NegatedList {
            line: 2,
            name: "pak".to_owned()
        }
    );
}

#[test]
fn lists_keep_their_order_with_the_section_first() {
    let settings = elements("chain=home\nevbparams=a\nevbparams=b\n[home]\nevbparams=c");
    assert_eq!(settings.expect("a file").list("evbparams"), ["c", "a", "b"]);
}

#[test]
fn truncated_hex_is_refused() {
    assert_eq!(
        error(&format!(
            "chain=home\nsignblockscript={}o{}",
            &SCRIPT[..10],
            &SCRIPT[11..]
        )),
        ConfError::Hex {
            line: 2,
            name: "signblockscript".to_owned(),
            source: HexError::Digit { at: 11, found: 'o' }
        }
    );
    assert_eq!(
        error(&format!("chain=home\nfedpegscript={}", &SCRIPT[..20])),
        ConfError::Script {
            line: 2,
            name: "fedpegscript".to_owned()
        }
    );
    assert!(matches!(
        error("chain=home\nsignblockscript="),
        ConfError::Hex {
            source: HexError::Empty,
            ..
        }
    ));
}

#[test]
fn settings_in_sections_that_the_node_ignores_are_refused() {
    assert!(matches!(
        error("chain=home\n[hone]\nfedpegscript=51"),
        ConfError::Section { line: 3, .. }
    ));
    let errors = elements(
        "[home]
chain=home
port=1",
    )
    .expect_err("no chain")
    .errors;
    assert_eq!(errors[0], ConfError::NoChain("liquidv1"));
    assert!(matches!(errors[1..], [ConfError::Section { line: 2, .. }]));
    assert_eq!(
        error("chain=home\nrpcport=7041"),
        ConfError::NotInSection {
            line: 2,
            name: "rpcport".to_owned(),
            chain: "home".to_owned()
        }
    );
    // Another section may hold settings that concern only the node, and negations always count.
    assert!(elements("chain=home\nnoconnect=1\n[other]\nrpcport=1").is_ok());
    let ocean = Settings::parse(NodeKind::Ocean, "chain=home\n[home]\nport=1");
    assert!(matches!(
        ocean.expect_err("sections").errors()[0],
        ConfError::Section { line: 3, .. }
    ));
}

#[test]
fn values_that_a_node_would_misread_are_refused() {
    for line in [
        "initialfreecoins=21e14",
        "con_has_parent_chain=true",
        "pubkeyprefix=300",
    ] {
        let error = error(&format!("chain=home\n{line}"));
        assert!(matches!(error, ConfError::Value { line: 2, .. }), "{error}");
    }
}

#[test]
fn a_setting_may_be_repeated_only_with_the_same_value() {
    assert!(elements("chain=home\ninitialfreecoins=5\ninitialfreecoins=05").is_ok());
    assert_eq!(
        error("chain=home\ninitialfreecoins=5\ninitialfreecoins=6"),
        ConfError::Twice {
            line: 3,
            name: "initialfreecoins".to_owned()
        }
    );
    assert!(matches!(
        error("chain=home\nchain=away"),
        ConfError::Twice { line: 2, .. }
    ));
}

#[test]
fn a_misspelt_setting_is_refused() {
    assert_eq!(
        error("chain=home\nsignblockscipt=51"),
        ConfError::Misspelt {
            line: 2,
            name: "signblockscipt".to_owned(),
            meant: "signblockscript"
        }
    );
}

#[test]
fn chains_without_settings_of_their_own_are_refused() {
    assert_eq!(error("server=1"), ConfError::NoChain("liquidv1"));
    assert_eq!(
        error("chain=regtest"),
        ConfError::FixedChain("regtest".to_owned())
    );
    assert!(matches!(
        error("chain=home\nregtest=1"),
        ConfError::OtherChain { line: 2, .. }
    ));
    assert_eq!(
        error("chain=home\nincludeconf=more.conf"),
        ConfError::Include(2)
    );
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = "chain=home\nrpcport=1\nfedpegscript=5\ninitialfreecoins=x\n";
    let errors = elements(text).expect_err("three errors").errors;
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn settings_built_by_a_program_survive_a_round_trip_through_a_file() {
    let made = Settings::new(NodeKind::Elements, "home")
        .and_then(|settings| settings.with("signblockscript", SCRIPT))
        .and_then(|settings| settings.with("con_has_parent_chain", "0"))
        .and_then(|settings| settings.with("evbparams", "dynafed:-2:::"))
        .and_then(|settings| settings.with("evbparams", "taproot:-2:::"))
        .expect("settings");
    let read = elements(&made.to_conf()).expect("a file");
    assert_eq!(read.values, made.values);
    assert_eq!(
        read.iter().collect::<Vec<_>>(),
        made.iter().collect::<Vec<_>>()
    );
}

#[test]
fn a_program_cannot_build_settings_that_no_file_can_express() {
    for chain in ["", "a b", "a#b", "a\nb", "../a"] {
        assert_eq!(
            Settings::new(NodeKind::Ocean, chain),
            Err(ConfError::ChainName(chain.to_owned()))
        );
    }
    assert!(Settings::new(NodeKind::Elements, "liquidv1").is_err());
    let settings = || Settings::new(NodeKind::Elements, "home").expect("settings");
    assert_eq!(
        settings().with("policycoins", "1"),
        Err(ConfError::Unknown("policycoins".to_owned()))
    );
    assert!(settings().with("initialfreecoins", "1x").is_err());
}

#[test]
fn old_names_and_those_of_the_other_node_are_refused_with_their_replacement() {
    for (name, replacement) in [
        ("con_dyna_deploy_start", "evbparams=dynafed:START:::"),
        ("con_taproot_signal_start", "evbparams=taproot:START:::"),
        ("con_connect_coinbase", "con_connect_genesis_outputs"),
        ("segwitheight", "testactivationheight"),
        ("frequirestandard", "acceptnonstdtxn"),
    ] {
        let error = error(&format!("chain=home\n{name}=1"));
        assert!(
            matches!(&error, ConfError::Replaced { line: 2, name: found, .. } if found == name),
            "{error}"
        );
        assert!(error.to_string().contains(replacement), "{error}");
    }
    for name in [
        "signblockscriptchange",
        "initialfreecoinsdestination",
        "policycoins",
    ] {
        let error = error(&format!("chain=home\n{name}=1"));
        assert!(matches!(error, ConfError::OtherNode { .. }), "{error}");
    }
    let ocean = Settings::parse(NodeKind::Ocean, "con_max_block_sig_size=200");
    let ocean = ocean.expect_err("a setting of Elements");
    assert!(matches!(ocean.errors()[..], [ConfError::OtherNode { .. }]));
}

#[test]
fn unknown_names_that_look_like_rules_are_refused() {
    let unknown = error("chain=home\ncon_foo_bar_baz=1");
    assert!(
        matches!(unknown, ConfError::UnknownRule { line: 2, .. }),
        "{unknown}"
    );
    let section = error("chain=home\n[home]\ncon_foo_bar_baz=1");
    assert!(
        matches!(section, ConfError::UnknownRule { line: 3, .. }),
        "{section}"
    );
    // These affect only the node itself.
    for name in [
        "con_nminimumchainwork",
        "con_defaultassumevalid",
        "con_dyna_deploy_signal",
    ] {
        assert!(elements(&format!("chain=home\n{name}=1")).is_ok(), "{name}");
    }
}
