//! The whole life of an asset by the program's verbs: issued, planned, reissued by three daemons,
//! audited.

#[path = "../recovery/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod world;

use std::path::Path;

use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_signer::Secret;
use serde_json::Value;
use world::{Daemon, World, federation, stderr, until};

const PERIOD: u32 = 4;
/// Where what is made goes: anybody's key hash.
const DESTINATION: &str = "76a914777777777777777777777777777777777777777788ac";

/// Gives each operator a reissuance key; the script of two of them.
fn give_keys(world: &World) -> MultisigScript {
    let mut keys = Vec::new();
    for index in 0..3 {
        let secret = Secret::generate();
        keys.push(secret.public_key());
        let path = world.folder(index).join("reissuance.key");
        federation_signer::key_file::create(&path, &secret).expect("written");
        append(
            &world.config(index),
            "\n[keys.reissuance]\nkind = \"file\"\nfile = \"reissuance.key\"\n",
        );
    }
    let threshold = Threshold::new(2).expect("two");
    MultisigScript::new(threshold, keys, KeyOrder::AsGiven).expect("a script")
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).expect("readable");
    std::fs::write(path, before + text).expect("written");
}

fn json(args: &[&str], expected: i32) -> Value {
    let output = federation(args);
    assert_eq!(output.status.code(), Some(expected), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn start(world: &World) -> Vec<Daemon> {
    let daemons: Vec<_> = (0..3).map(|i| Daemon::start(&world.config(i))).collect();
    for daemon in &daemons {
        daemon.says("operator starts").await;
    }
    daemons
}

fn table(issued: &Value, script: &MultisigScript, rate: &str) -> String {
    let text = |key: &str| issued[key].as_str().expect("text").to_owned();
    format!(
        "\n[[reissuance]]\nasset = \"{}\"\nrate = \"{rate}\"\nperiod = {PERIOD}\ndestination_script = \"{DESTINATION}\"\nscript = \"{}\"\nfee = 1000\nfee_asset = \"{}\"\n",
        text("asset"),
        script.to_hex(),
        text("fee_asset"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_is_issued_reissued_and_audited_by_the_verbs() {
    let world = World::new().await;
    let script = give_keys(&world);
    let daemons = start(&world).await;
    world.blocks(2).await;

    let config = world.config(0);
    let config = config.to_str().expect("text");
    let hex = script.to_hex();
    let issue = [
        "issue", "--config", config, "--amount", "1000", "--script", &hex,
    ];
    let dry = json(&[&issue[..], &["--dry-run", "--json"]].concat(), 0);
    assert!(dry["tokens_address"].is_string() && dry["asset"].is_null());
    let issued = json(&[&issue[..], &["--fee-coins", "1", "--json"]].concat(), 0);
    world.blocks(1).await;

    // Everybody takes the same table into the same file.
    let public = world.fed.join("federation.toml");
    let before = std::fs::read_to_string(&public).expect("readable");
    append(&public, &table(&issued, &script, "0.1"));
    for daemon in daemons {
        daemon.stop().await;
    }
    let daemons = start(&world).await;
    let (plan, audit) = (["reissuance", "plan"], ["reissuance", "audit"]);
    let rest = ["--config", config, "--json"];
    let verb = |verb: [&str; 2]| {
        [&verb[..], &rest]
            .concat()
            .iter()
            .map(|s| (*s).to_owned())
            .collect::<Vec<_>>()
    };
    let ask = |args: Vec<String>, expected| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        json(&args, expected)
    };
    until("two payments", || {
        let report = ask(verb(audit), 0);
        let lines = report["lines"].as_array().expect("lines");
        lines.iter().filter(|line| line["what"] == "paid").count() >= 2
    })
    .await;
    let planned = ask(verb(plan), 0);
    let asset = &planned["assets"][0];
    assert!(asset["circulation"].as_u64() > Some(100_000_000_000));
    assert!(asset["problem"].is_null());
    let to_come = asset["to_come"].as_array().expect("points");
    assert_eq!(to_come.len(), 1, "the next point");

    // Who expects another rate finds that the chain differs from it.
    std::fs::write(&public, before + &table(&issued, &script, "0.2")).expect("written");
    let report = ask(verb(audit), 1);
    assert!(report["differences"].as_u64() >= Some(2), "{report}");
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_with_what_to_do() {
    let world = World::new().await;
    let config = world.config(0);
    let config = config.to_str().expect("text");
    let cases: [(&[&str], i32, &str); 5] = [
        (
            &["issue", "--amount", "0", "--script", "51"],
            2,
            "an amount of 0",
        ),
        (&["issue", "--amount", "5"], 2, "no script is given"),
        (
            &["issue", "--amount", "5", "--script", "51"],
            2,
            "multisig inspect",
        ),
        (&["reissuance", "plan"], 1, "no asset is reissued"),
        (
            &["reissuance", "audit", "--asset", "00"],
            1,
            "no asset is reissued",
        ),
    ];
    for (args, code, expected) in cases {
        let output = federation(&[args, &["--config", config]].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let said = stderr(&output);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    // A key that the script does not have.
    give_keys(&world);
    let foreign = give_foreign_script();
    let table = format!(
        "\n[[reissuance]]\nasset = \"{}\"\nrate = \"0.1\"\nperiod = 5\ndestination_script = \"{DESTINATION}\"\nscript = \"{}\"\n",
        "11".repeat(32),
        foreign.to_hex(),
    );
    append(&world.fed.join("federation.toml"), &table);
    let said = Daemon::start(&world.config(0)).fails().await;
    assert!(
        said.contains("is not in the script that holds the tokens"),
        "{said}"
    );
}

fn give_foreign_script() -> MultisigScript {
    let keys = (0..3).map(|_| Secret::generate().public_key()).collect();
    let threshold = Threshold::new(2).expect("two");
    MultisigScript::new(threshold, keys, KeyOrder::AsGiven).expect("a script")
}
