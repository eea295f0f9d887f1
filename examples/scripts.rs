//! Scripts and blocks without a node: builds a federation's script, derives its addresses and its
//! signature size, then checks a block made by a real node.
//!
//! Run it with `cargo run -p federation-examples --example scripts`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use bytes::Bytes;
use federation_chain::{Block, Dialect, SigningRules};
use federation_multisig::{
    KeyOrder, MultisigScript, Network, PublicKey, RedeemScript, Threshold, WitnessScript,
};
use hex_conservative::FromHex;
use serde::Deserialize;

/// Three blocks of an Elements chain with dynafed, signed by 3 of 5.
const RECORDED: &str = include_str!("../tests/vectors/elements-dynafed.json");

/// The `con_max_block_sig_size` with which the chain's nodes were started; may exceed the minimum.
const MAX_SIGNATURE_SIZE: u32 = 412;

/// The fields of a recording that this example uses.
#[derive(Deserialize)]
struct Recording {
    threshold: u8,
    pubkeys: Vec<String>,
    signblockscript: String,
    blocks: Vec<RecordedBlock>,
}

#[derive(Deserialize)]
struct RecordedBlock {
    unsigned: String,
    combined: Combined,
}

#[derive(Deserialize)]
struct Combined {
    hex: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let recording: Recording = serde_json::from_str(RECORDED)?;
    let script = script(&recording)?;
    addresses(&script)?;
    block(script, &recording.blocks[0])
}

/// Builds a script from keys and parses it again.
fn script(recording: &Recording) -> Result<MultisigScript, Box<dyn Error>> {
    let keys: Vec<PublicKey> = recording
        .pubkeys
        .iter()
        .map(|key| key.parse())
        .collect::<Result<_, _>>()?;
    let threshold = Threshold::new(recording.threshold)?;
    // The key order is part of the script, so a different order means a different chain. New chains
    // can avoid the question with `Lexicographic` (BIP 67).
    let script = MultisigScript::new(threshold, keys.clone(), KeyOrder::AsGiven)?;
    assert_eq!(script.to_hex(), recording.signblockscript);

    // Parsing an existing script, from a node's configuration, is as strict as building one.
    let parsed = MultisigScript::from_hex(&recording.signblockscript)?;
    assert_eq!(parsed, script);
    assert_eq!(parsed.position(&keys[2]), Some(2));
    let truncated = &recording.signblockscript[..recording.signblockscript.len() - 2];
    println!(
        "a truncated script: {}",
        MultisigScript::from_hex(truncated).expect_err("the script is truncated")
    );
    let twice = MultisigScript::new(threshold, vec![keys[0]; 5], KeyOrder::AsGiven);
    println!(
        "one key five times: {}",
        twice.expect_err("keys must be distinct")
    );

    println!(
        "{} of {}: {}",
        script.threshold().to_u8(),
        script.keys().len(),
        script.to_hex()
    );
    Ok(script)
}

/// Shows the addresses of the same keys, and the signature size that the chain must allow.
fn addresses(script: &MultisigScript) -> Result<(), Box<dyn Error>> {
    // Separate types because the limits differ: a redeem script has at most 520 bytes, so 15 keys.
    let redeem = RedeemScript::new(script.clone())?;
    let witness = WitnessScript::from(script.clone());
    println!("p2sh on Ocean:       {}", redeem.p2sh(&Network::OCEAN));
    println!("p2wsh on Liquid:     {}", witness.p2wsh(&Network::LIQUID)?);
    println!(
        "p2sh-p2wsh on both:  {}",
        witness.p2sh_p2wsh(&Network::LIQUID)
    );
    // Ocean has no segwit addresses: an error, not the address of another chain.
    assert!(witness.p2wsh(&Network::OCEAN).is_err());

    // A chain whose limit is too small gets stuck as soon as a block's signatures exceed it.
    for dialect in [Dialect::Ocean, Dialect::Elements, Dialect::Dynafed] {
        let size = SigningRules::required_signature_size(dialect, script);
        println!("con_max_block_sig_size for {dialect}: at least {size}");
        assert!(SigningRules::new(dialect, script.clone(), size - 1).is_err());
    }
    Ok(())
}

/// Decodes a recorded block and checks it as a node would.
fn block(script: MultisigScript, recorded: &RecordedBlock) -> Result<(), Box<dyn Error>> {
    let rules = SigningRules::new(Dialect::Dynafed, script, MAX_SIGNATURE_SIZE)?;
    let decode = |hex: &str| -> Result<Block, Box<dyn Error>> {
        let bytes = Bytes::from(Vec::from_hex(hex)?);
        Ok(Block::decode(rules.dialect(), bytes)?)
    };

    let complete = decode(&recorded.combined.hex)?;
    // The header contains this script, its signatures satisfy it, and the block hash commits to the
    // transactions.
    rules.check_challenge(complete.header())?;
    rules.check_block(&complete)?;
    complete.check_commitments()?;
    let signers = rules.signers(complete.header())?;
    println!(
        "block {} at height {}, signed by the keys at {signers:?}",
        complete.block_hash(),
        complete.header().height()
    );
    assert_eq!(signers, [0, 1, 2]);

    // The signed hash does not cover the signatures, so it is known before there are any.
    let unsigned = decode(&recorded.unsigned)?;
    assert!(unsigned.is_unsigned());
    assert_eq!(unsigned.block_hash(), complete.block_hash());
    println!(
        "without signatures: {}",
        rules
            .check_block(&unsigned)
            .expect_err("the block is unsigned")
    );
    Ok(())
}

#[test]
fn runs_to_completion() {
    main().expect("the example runs");
}
