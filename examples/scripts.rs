//! Scripts and blocks without a node: builds a federation's script, its addresses and its
//! signature size, then checks a block that a real node made.
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

/// The chain's `con_max_block_sig_size`, as its nodes were started with. More than needed is fine.
const MAX_SIGNATURE_SIZE: u32 = 412;

/// The part of a recording that is used here.
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

/// From keys to a script and back.
fn script(recording: &Recording) -> Result<MultisigScript, Box<dyn Error>> {
    let keys: Vec<PublicKey> = recording
        .pubkeys
        .iter()
        .map(|key| key.parse())
        .collect::<Result<_, _>>()?;
    let threshold = Threshold::new(recording.threshold)?;
    // The order is part of the script: another one is another chain. `Lexicographic` (BIP 67)
    // spares new chains the question.
    let script = MultisigScript::new(threshold, keys.clone(), KeyOrder::AsGiven)?;
    assert_eq!(script.to_hex(), recording.signblockscript);

    // A script that exists, out of a node's configuration, is parsed as strictly as one is built.
    let parsed = MultisigScript::from_hex(&recording.signblockscript)?;
    assert_eq!(parsed, script);
    assert_eq!(parsed.position(&keys[2]), Some(2));
    let cut = &recording.signblockscript[..recording.signblockscript.len() - 2];
    println!(
        "a cut script: {}",
        MultisigScript::from_hex(cut).expect_err("its end is missing")
    );
    let twice = MultisigScript::new(threshold, vec![keys[0]; 5], KeyOrder::AsGiven);
    println!(
        "a key five times: {}",
        twice.expect_err("one key, five votes")
    );

    println!(
        "{} of {}: {}",
        script.threshold().to_u8(),
        script.keys().len(),
        script.to_hex()
    );
    Ok(script)
}

/// The addresses at which the same keys would hold coins, and what the chain must be set to.
fn addresses(script: &MultisigScript) -> Result<(), Box<dyn Error>> {
    // Two types, as their limits differ: a redeem script has at most 520 bytes, thus 15 keys.
    let redeem = RedeemScript::new(script.clone())?;
    let witness = WitnessScript::from(script.clone());
    println!("p2sh on Ocean:       {}", redeem.p2sh(&Network::OCEAN));
    println!("p2wsh on Liquid:     {}", witness.p2wsh(&Network::LIQUID)?);
    println!(
        "p2sh-p2wsh on both:  {}",
        witness.p2sh_p2wsh(&Network::LIQUID)
    );
    // Ocean has no segwit addresses; that is an error and not an address of another chain.
    assert!(witness.p2wsh(&Network::OCEAN).is_err());

    // A chain whose limit is too small gets stuck at a block whose signatures are long.
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
    // The header names our script, its signatures satisfy it, and the transactions are those that
    // the hash commits to.
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

    // The hash that is signed covers no signatures, so it is known before there are any.
    let unsigned = decode(&recorded.unsigned)?;
    assert!(unsigned.is_unsigned());
    assert_eq!(unsigned.block_hash(), complete.block_hash());
    println!(
        "without them: {}",
        rules.check_block(&unsigned).expect_err("nobody has signed")
    );
    Ok(())
}

#[test]
fn runs_to_its_end() {
    main().expect("the example runs");
}
