//! The manifest holds every setting that defines the chain.

use federation_genesis::{Genesis, Manifest, NodeKind, Role, Settings};
use proptest::prelude::*;

use crate::common::{home, settings};

fn manifest(node: NodeKind, text: &str) -> (Genesis, Manifest) {
    let settings = settings(node, text);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    let manifest = Manifest::new(&settings, &genesis, None, None);
    (genesis, manifest)
}

#[test]
fn a_setting_that_does_not_affect_the_genesis_changes_the_manifest() {
    let (genesis, plain) = manifest(NodeKind::Elements, &home(""));
    for (line, role) in [
        ("con_max_block_sig_size=254", Role::Rules),
        ("evbparams=dynafed:-2:::", Role::Rules),
        ("con_mandatorycoinbase=51", Role::Rules),
        ("peginconfirmationdepth=100", Role::Rules),
        ("pchmessagestart=01020304", Role::Network),
        ("bech32_hrp=home", Role::Network),
    ] {
        let (other, changed) = manifest(NodeKind::Elements, &home(line));
        assert_eq!(genesis.hash(), other.hash(), "{line}");
        assert_ne!(plain.hash(), changed.hash(), "{line}");
        let name = format!("setting.{}", line.split_once('=').expect("a line").0);
        let differences = plain.differences(&changed);
        let difference = differences
            .iter()
            .find(|difference| difference.name == name)
            .expect("the difference");
        assert_eq!(difference.role, role);
        assert!(differences.iter().all(|one| one.role != Role::Genesis));
    }
}

#[test]
fn files_that_a_node_reads_alike_have_one_manifest() {
    let (_, plain) = manifest(NodeKind::Elements, &home(""));
    for text in [
        home("initialfreecoins=0\ncon_has_parent_chain=\n[homechain]\nrpcport=5"),
        home("pchmessagestart=5319F20E # the default\r\nserver=1"),
        home("homechain.dynamic_epoch_length=010"),
        home("noenforce_pak=1"),
    ] {
        assert_eq!(manifest(NodeKind::Elements, &text).1, plain, "{text}");
    }
    assert_eq!(plain.differences(&plain), []);
}

#[test]
fn the_hash_is_that_of_the_canonical_text() {
    use bitcoin::hashes::{Hash, sha256};
    let (genesis, manifest) = manifest(NodeKind::Elements, &home(""));
    let text = manifest.to_text();
    assert!(text.starts_with("federation chain manifest 1\nnode=elements\nchain=homechain\n"));
    assert!(text.contains(&format!("\ngenesis_hash={}\n", genesis.hash())));
    assert!(text.contains("\nsetting.con_max_block_sig_size=74\n"));
    assert_eq!(
        manifest.hash().to_string(),
        sha256::Hash::hash(text.as_bytes()).to_string()
    );
}

#[test]
fn the_document_lists_every_setting_with_its_role() {
    let text = include_str!("../../docs/genesis.md");
    for (node, title) in [
        (NodeKind::Elements, "## Settings of Elements"),
        (NodeKind::Ocean, "## Settings of Ocean"),
    ] {
        let section = text.split_once(title).expect("a section").1;
        let section = section.split("\n## ").next().expect("its text");
        let settings = settings(node, "chain=homechain");
        for setting in settings.iter() {
            let row = format!("| `{}` | {} |", setting.name, setting.role.as_str());
            assert!(section.contains(&row), "{row}");
        }
        let rows = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .count();
        assert_eq!(rows, settings.iter().count());
    }
}

proptest! {
    #[test]
    fn the_order_of_lines_makes_no_difference(seed in any::<u64>()) {
        let text = home("initialfreecoins=7\ncon_max_block_sig_size=300\npubkeyprefix=7\n");
        let mut lines: Vec<&str> = text.lines().collect();
        let mut state = seed | 1;
        for at in (1..lines.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            lines.swap(at, (state >> 33) as usize % (at + 1));
        }
        let shuffled = manifest(NodeKind::Elements, &lines.join("\n"));
        prop_assert_eq!(shuffled, manifest(NodeKind::Elements, &text));
    }

    #[test]
    fn no_file_panics(text in "(chain=h\n)?([a-z_]{3,24}=[0-9a-fx:-]{0,80}\n|signblockscript=[0-9a-f]{0,90}\n|policycoins=[0-9-]{0,20}\n){0,12}") {
        for node in [NodeKind::Elements, NodeKind::Ocean] {
            if let Ok(settings) = Settings::parse(node, &text)
                && let Ok(genesis) = Genesis::compute(&settings, None)
            {
                let _ = federation_genesis::problems(&settings, &genesis, None, None);
                let _ = Manifest::new(&settings, &genesis, None, None).hash();
            }
        }
    }
}
