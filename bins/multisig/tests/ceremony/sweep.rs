//! Coins that anyone could take go to the agreed destinations.

use crate::common::{N, Parties, join_line, refused, text};

const COINS: &str = "chain=fedchain\ninitialfreecoins=500\ninitialreissuancetokens=7\n";

#[test]
fn coins_and_tokens_are_swept_to_a_script_and_to_the_parties_keys() {
    let parties = Parties::new();
    let script = format!("0020{}", "07".repeat(32));
    let to = format!("--reissuance --sweep-coins {script} --sweep-tokens reissuance-keys");
    let proposal = parties.init_with("elements", COINS, &to);
    parties.give_all(&proposal);
    for party in 0..N {
        let made = parties.run_line(party, "new -m 1 -n 1 --insecure-plain --out reissuance");
        text(&made);
        let line = join_line(party, 7000) + " --reissuance-key reissuance/block-1.key";
        let join = parties.sent(party, &line);
        parties.give_all(&join);
    }
    parties.approve_and_finish();
    let verified = parties.json(4, "verify --json");
    let sweep = verified["sweep"]["transaction"].as_str().expect("a sweep");
    assert!(sweep.contains(&script), "{sweep}");
    assert_eq!(verified["sweep"]["txid"].as_str().map(str::len), Some(64));
    let status = text(&parties.ceremony(2, "status"));
    assert!(status.contains("in block 1"), "{status}");
}

#[test]
fn coins_and_fees_go_to_addresses_with_the_chains_own_prefixes() {
    // P2WPKH, with the prefix `home`.
    let address = "home1qw508d6qejxtdg4y5r3zarvary0c5xw7k40q4fn";
    let script = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
    let conf = "chain=fedchain\nbech32_hrp=home\ninitialfreecoins=500\n";
    let parties = Parties::new();
    let more = format!("--coins-to {address} --fees-to {address}");
    let proposal = parties.init_with("elements", conf, &more);
    let text = std::fs::read_to_string(&proposal).expect("a proposal");
    assert_eq!(text.matches(script).count(), 2, "{text}");
}

#[test]
fn coins_without_a_destination_are_refused_by_init() {
    let parties = Parties::new();
    let init = |conf: &str, more: &str| {
        std::fs::write(parties.folder(0).join("chain.conf"), conf).expect("written");
        let me = crate::common::ME;
        let mut line = format!("init --node elements --conf chain.conf -m 3 {me} {more}");
        for (party, key) in parties.identities.iter().enumerate() {
            line += &format!(" --member party-{party}={key}");
        }
        parties.ceremony(0, &line)
    };
    // Coins have a default destination; tokens do not.
    let tokens = init(COINS, "");
    refused(&tokens, "no destination for 7 of asset reissuance token");
    refused(&tokens, "--tokens-to");
    refused(
        &init(COINS, "--coins-to 51 --tokens-to 51"),
        "not the output script of an address",
    );
    refused(
        &init(COINS, "--coins-to peg-keys --tokens-to peg-keys"),
        "does not require",
    );
    refused(
        &init("chain=fedchain\n", "--peg --coins-to peg-keys"),
        "no genesis coins that anyone can spend",
    );
    refused(
        &init("chain=fedchain\n", "--fees-to 51"),
        "anyone can satisfy it",
    );
    refused(
        &init("chain=fedchain\ndynamic_epoch_length=4\n", ""),
        "dynamic_epoch_length=4",
    );
    refused(&init("chain=fedchain\n", "--interval 90000"), "86400000 ms");
    let liquid = "ex1qw508d6qejxtdg4y5r3zarvary0c5xw7kxw5fx4";
    for wrong in ["nowhere", liquid] {
        let wrong = init(COINS, &format!("--coins-to {wrong}"));
        assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn coins_and_fees_go_to_the_block_keys_by_default() {
    let parties = Parties::new();
    let conf = "chain=fedchain\ninitialfreecoins=500\n";
    let proposal = parties.init_with("elements", conf, "");
    let text = std::fs::read_to_string(&proposal).expect("a proposal");
    let message: serde_json::Value = serde_json::from_str(&text).expect("json");
    let proposal = message.to_string();
    let keys = r#"{"keys":"block"}"#;
    assert!(
        proposal.contains(&format!(r#""fees":{keys}"#)),
        "{proposal}"
    );
    assert!(
        proposal.contains(&format!(r#""coins":{keys}"#)),
        "{proposal}"
    );

    let parties = Parties::new();
    let left = parties.init_with("elements", "chain=fedchain\n", "--fees-to anyone");
    let text = std::fs::read_to_string(&left).expect("a proposal");
    assert!(!text.contains("fees"), "{text}");
    let warnings = parties.status(0)["warnings"].to_string();
    assert!(warnings.contains("anyone can take the fees"), "{warnings}");
}

#[test]
fn a_threshold_of_all_members_is_warned_about() {
    let parties = Parties::new();
    std::fs::write(parties.folder(0).join("chain.conf"), "chain=fedchain\n").expect("written");
    let me = crate::common::ME;
    let mut line = format!("init --node elements --conf chain.conf -m 5 {me}");
    for (party, key) in parties.identities.iter().enumerate() {
        line += &format!(" --member party-{party}={key}");
    }
    let output = parties.ceremony(0, &line);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("stops the chain"), "{stderr}");
    let warnings = parties.status(0)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1));
}
