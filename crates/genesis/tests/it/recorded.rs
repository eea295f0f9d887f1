//! Computed blocks against those that real nodes made.

use federation_genesis::{Genesis, NodeKind, Settings, Terms};
use hex_conservative::DisplayHex;
use proptest::prelude::*;

use crate::common::{genesis, home, settings, vectors};

#[test]
fn computed_blocks_equal_those_of_elementsd() {
    for (name, more) in [
        ("E1 homechain 2of3 both, no coins", ""),
        (
            "E2 homechain 2of3, free=2100000000000000",
            "initialfreecoins=2100000000000000",
        ),
        (
            "E4 homechain 2of3, free=0, reissue=100000000",
            "initialreissuancetokens=100000000",
        ),
    ] {
        let vector = &vectors("genesis")[name];
        let genesis = genesis(NodeKind::Elements, &home(more));
        assert_eq!(vector["commit"], genesis.commitment().to_lower_hex_string());
        assert_eq!(vector["asset"], genesis.pegged_asset().to_string());
        let txs: Vec<_> = genesis
            .transactions()
            .iter()
            .map(|transaction| transaction.to_bytes().to_lower_hex_string())
            .collect();
        assert_eq!(vector["txs"], serde_json::json!(txs));
        let header: Vec<u8> = genesis
            .header()
            .iter()
            .flat_map(|fragment| fragment.bytes().to_vec())
            .collect();
        assert_eq!(vector["hdr"], header.to_lower_hex_string());
        assert_eq!(vector["hash"], genesis.hash().to_string());
    }
}

#[test]
fn dynafed_and_the_parent_chain_do_not_affect_the_hash_but_the_parent_chain_affects_the_asset() {
    let plain = genesis(NodeKind::Elements, &home(""));
    let off = genesis(NodeKind::Elements, &home("evbparams=dynafed:-2:::"));
    assert_eq!(plain.hash(), off.hash());
    assert!(plain.block_1_params().is_some());
    assert!(off.block_1_params().is_none());
    let bitcoin = genesis(
        NodeKind::Elements,
        &home(
            "parentgenesisblockhash=000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
        ),
    );
    assert_eq!(plain.hash(), bitcoin.hash());
    assert_eq!(
        bitcoin.pegged_asset().to_string(),
        "bc759fe9dd1b7872d6b8c3335433387af38f65435200234392ed58900ce85937"
    );
}

#[test]
fn elementsregtest_is_that_of_the_nodes() {
    let elements = genesis(NodeKind::Elements, "chain=elementsregtest");
    assert_eq!(
        elements.hash().to_string(),
        "cd179c84c35f51825f20a3b91a18d45f0c53b5ceb744a5b6ef8f0babe809396f"
    );
    assert!(elements.pegged_asset().to_string().starts_with("b2e15d0d"));
    let ocean = genesis(NodeKind::Ocean, "chain=elementsregtest");
    assert_eq!(
        ocean.pegged_asset().to_string(),
        "a156c97b3f022ad204f677df9eba726bc407fd5ec2f674e3ace8abec3e41f38a"
    );
}

#[test]
fn the_parameters_of_block_1_are_those_of_elements_functional_test() {
    // `initial_cpe_root` in feature_dynafed.py.
    let regtest = genesis(NodeKind::Elements, "chain=elementsregtest");
    let params = regtest.block_1_params().expect("dynafed");
    assert_eq!(
        params.calculate_root().to_string(),
        "3700bdb2975ff8e0dadaaba2b33857b0ca2610c950a92b1db725025e3647a8e1"
    );
}

/// The node's arguments as lines of a configuration file.
fn recorded(name: &str, node: NodeKind) -> (serde_json::Value, Settings) {
    let vector = vectors(name);
    let mut text = format!("chain={}\n", vector["chain"].as_str().expect("a name"));
    for argument in vector["node_args"].as_array().expect("arguments") {
        let argument = argument.as_str().expect("text").trim_start_matches('-');
        text += &format!("{argument}\n");
    }
    let settings = settings(node, &text);
    (vector, settings)
}

#[test]
fn recorded_chains_begin_with_the_computed_block() {
    for (name, node) in [
        ("elements-dynafed", NodeKind::Elements),
        ("elements-legacy", NodeKind::Elements),
    ] {
        let (vector, settings) = recorded(name, node);
        let genesis = Genesis::compute(&settings, None).expect("a genesis");
        let hex = genesis.to_bytes().to_lower_hex_string();
        // Not assert_eq, which would print the long blocks.
        assert!(vector["genesis_block_hex"] == hex, "{name}");
        assert_eq!(vector["genesis_hash"], genesis.hash().to_string(), "{name}");
        let block = genesis.to_block().expect("a block");
        assert_eq!(block.block_hash(), genesis.hash());
        assert_eq!(block.check_commitments(), Ok(()));
    }
}

#[test]
fn the_recorded_ocean_chain_begins_with_the_computed_block_except_for_its_terms() {
    let (vector, settings) = recorded("ocean", NodeKind::Ocean);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    let block = genesis.to_block().expect("a block");
    assert_eq!(block.check_commitments(), Ok(()));
    let computed = genesis.to_bytes().to_lower_hex_string();
    let recorded = vector["genesis_block_hex"].as_str().expect("hex");
    assert!(computed[..TERMS.start] == recorded[..TERMS.start]);
    assert!(computed[TERMS.end..] == recorded[TERMS.end..]);
}

/// The position, in the hex of an Ocean header, of the hash of the terms, which are not kept here.
const TERMS: std::ops::Range<usize> = 136..200;

#[test]
fn the_recorded_block_1_has_the_computed_parameters() {
    use elements::encode::deserialize;
    use federation_chain::{Block, Dialect, Proof};
    let (vector, settings) = recorded("elements-dynafed", NodeKind::Elements);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    let hex = vector["blocks"][0]["unsigned"].as_str().expect("hex");
    let bytes = <Vec<u8> as hex_conservative::FromHex>::from_hex(hex).expect("hex");
    let block = Block::decode(Dialect::Dynafed, bytes.into()).expect("a block");
    let Proof::Dynafed { current, .. } = &block.header().fields().proof else {
        panic!("not a dynafed header");
    };
    assert_eq!(Some(current), genesis.block_1_params());
    let first = deserialize::<elements::Transaction>(&genesis.transactions()[1].to_bytes());
    assert_eq!(
        first.expect("a transaction").txid(),
        genesis.transactions()[1].txid()
    );
}

#[test]
fn the_dgld_chain_began_with_the_computed_block() {
    let vector = &vectors("genesis")["OCEAN DGLD mainnet"];
    let text = include_str!("dgld.conf");
    let settings = settings(NodeKind::Ocean, text);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    assert_eq!(vector["commit"], genesis.commitment().to_lower_hex_string());
    let txids: Vec<_> = genesis
        .transactions()
        .iter()
        .map(|transaction| transaction.txid().to_string())
        .collect();
    assert_eq!(vector["txids"], serde_json::json!(txids));
    assert_eq!(
        vector["assets"]["pegged"],
        genesis.pegged_asset().to_string()
    );
    for asset in genesis.assets() {
        assert_eq!(vector["assets"][asset.name()], asset.id().to_string());
    }
    // The terms are not ours to distribute, so everything except their hash is compared.
    let header: Vec<u8> = genesis
        .header()
        .iter()
        .flat_map(|fragment| fragment.bytes().to_vec())
        .collect();
    let published = vector["hdr"].as_str().expect("hex");
    let computed = header.to_lower_hex_string();
    assert_eq!(published[..TERMS.start], computed[..TERMS.start]);
    assert_eq!(published[TERMS.end..], computed[TERMS.end..]);
}

#[test]
fn the_hash_of_the_terms_is_in_the_header() {
    let settings = settings(NodeKind::Ocean, "chain=ocean_test");
    let terms = Terms::from_file(b"be good").expect("terms");
    let with = Genesis::compute(&settings, Some(&terms)).expect("a genesis");
    let without = Genesis::compute(&settings, None).expect("a genesis");
    assert_ne!(with.hash(), without.hash());
    let fragment = &with.header()[3];
    assert_eq!(fragment.field(), "contract hash");
    assert_eq!(fragment.bytes(), terms.contract_hash());
    let off = crate::common::settings(NodeKind::Ocean, "embedcontract=0");
    let off = Genesis::compute(&off, Some(&terms)).expect("a genesis");
    assert_eq!(off.hash(), without.hash());
}

proptest! {
    #[test]
    fn every_computed_block_decodes(
        coins in 0_u64..=2_100_000_000_000_000,
        tokens in 0_u64..=2_100_000_000_000_000,
        keys in prop::collection::vec(any::<[u8; 20]>(), 0..20),
        chain in "[a-z_]{1,20}",
    ) {
        let script: String = keys
            .iter()
            .map(|key| format!("14{}", key.to_lower_hex_string()))
            .chain(["51".to_owned()])
            .collect();
        for node in [NodeKind::Elements, NodeKind::Ocean] {
            let settings = Settings::new(node, &format!("x{chain}"))
                .and_then(|settings| settings.with("signblockscript", &script))
                .and_then(|settings| settings.with("fedpegscript", &script))
                .and_then(|settings| settings.with("initialfreecoins", &coins.to_string()))
                .and_then(|settings| match node {
                    NodeKind::Elements => {
                        settings.with("initialreissuancetokens", &tokens.to_string())
                    }
                    NodeKind::Ocean => settings
                        .with("policycoins", &tokens.to_string())?
                        .with("issuecontrolscript", &script)?
                        .with("burnlistcoinsdestination", &script)?
                        .with("permissioncoinsdestination", &script),
                })
                .expect("settings");
            let genesis = Genesis::compute(&settings, None).expect("a genesis");
            let block = genesis.to_block().expect("a block");
            prop_assert_eq!(block.block_hash(), genesis.hash());
            prop_assert_eq!(block.check_commitments(), Ok(()));
            let read = block.transactions().expect("transactions");
            prop_assert_eq!(read.len(), genesis.transactions().len());
            for (read, made) in read.iter().zip(genesis.transactions()) {
                prop_assert_eq!(read.txid(), made.txid());
                for asset in made.assets() {
                    let mut sum = 0;
                    for output in asset.outputs() {
                        let output = &read.output[output.vout as usize];
                        prop_assert_eq!(output.asset.explicit(), Some(asset.id()));
                        prop_assert_eq!(output.script_pubkey.as_bytes(), asset.destination());
                        sum += output.value.explicit().expect("explicit");
                    }
                    prop_assert_eq!(sum, asset.amount());
                }
            }
        }
    }
}
