//! Verifies a block without a node: `verify_block DIALECT SCRIPT < BLOCK`, script and block in hex.
//!
//! DIALECT is `ocean`, `elements` or `dynafed`, SCRIPT the chain's `signblockscript`, and BLOCK what
//! `getblock HASH 0` prints (`false` instead of `0` on Ocean).

#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

use std::{env, error::Error, io};

use federation::{
    bitcoin::hex::FromHex,
    chain::{Block, Dialect, SigningRules},
    multisig::MultisigScript,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [dialect, script] = &arguments[..] else {
        return Err("usage: verify_block DIALECT SCRIPT < BLOCK".into());
    };
    let block = io::read_to_string(io::stdin())?;
    println!("{}", verify(dialect.parse()?, script, block.trim())?);
    Ok(())
}

/// Checks that M of the script's keys signed the block and that its transactions are those the hash
/// commits to. Returns the hash, the height, and whose signatures the block carries.
fn verify(dialect: Dialect, script: &str, block: &str) -> Result<String, Box<dyn Error>> {
    let script = MultisigScript::from_hex(script)?;
    // A chain may allow more bytes for signatures, never fewer.
    let size = SigningRules::required_signature_size(dialect, &script);
    let rules = SigningRules::new(dialect, script, size)?;
    let block = Block::decode(dialect, Vec::from_hex(block)?.into())?;
    rules.check_challenge(block.header())?;
    let signers = rules.signers(block.header())?;
    block.check_commitments()?;
    let keys = rules.script().keys();
    let signers: Vec<_> = signers
        .iter()
        .map(|index| keys[*index].to_string())
        .collect();
    Ok(format!(
        "block {} at height {} is signed by\n{}",
        block.block_hash(),
        block.height(),
        signers.join("\n")
    ))
}

#[test]
fn a_recorded_block_is_verified_and_a_changed_one_is_not() {
    let text = include_str!("../tests/vectors/elements-dynafed.json");
    let recorded: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let script = recorded["signblockscript"].as_str().expect("hex");
    let block = recorded["blocks"][0]["combined"]["hex"]
        .as_str()
        .expect("hex");
    let verified = verify(Dialect::Dynafed, script, block).expect("a valid block");
    assert_eq!(verified.lines().count(), 1 + 3, "{verified}");

    let unsigned = recorded["blocks"][0]["unsigned"].as_str().expect("hex");
    verify(Dialect::Dynafed, script, unsigned).expect_err("nobody has signed");
    let (rest, last) = block.split_at(block.len() - 1);
    let changed = format!("{rest}{}", if last == "0" { "1" } else { "0" });
    verify(Dialect::Dynafed, script, &changed).expect_err("another transaction");
}
