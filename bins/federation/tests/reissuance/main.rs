//! The life cycle of an asset with the program's verbs: issued, planned, reissued by three daemons, and
//! audited.

#[path = "../recovery/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod world;

mod proxy;

use std::{os::unix::fs::PermissionsExt, path::Path};

use federation_multisig::{KeyOrder, MultisigScript, PublicKey, Threshold};
use federation_operator::config::{Config, Overrides};
use federation_signer::{Secret, TokenSelector};
use federation_signer_hsm::{
    admin::generate_key,
    testing::{USER_PIN, isolated, make_token, pin, softhsm},
};
use proxy::LyingNode;
use serde_json::Value;
use world::{Daemon, World, federation, stderr, until};

const PERIOD: u32 = 4;
/// The destination of reissuances: some key hash.
const DESTINATION: &str = "76a914777777777777777777777777777777777777777788ac";

/// Where the operators' reissuance keys are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// In plain files.
    Files,
    /// The second operator's key is on a token, and the third has no usable key.
    TokenAndFile,
}

/// Gives each operator a reissuance key, and returns the 2-of-3 script.
fn give_keys(world: &World, keys: Keys) -> MultisigScript {
    let mut public = Vec::new();
    for index in 0..3 {
        let on_token = keys == Keys::TokenAndFile && index == 1;
        if on_token {
            public.push(give_token(world, index));
            continue;
        }
        let secret = Secret::generate();
        public.push(secret.public_key());
        if keys == Keys::TokenAndFile && index == 2 {
            continue;
        }
        let path = world.folder(index).join("reissuance.key");
        federation_signer::key_file::create(&path, &secret).expect("written");
        append(
            &world.config(index),
            "\n[keys.reissuance]\nkind = \"file\"\nfile = \"reissuance.key\"\n",
        );
    }
    let threshold = Threshold::new(2).expect("two");
    MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script")
}

/// Gives an operator a reissuance key on its own token.
fn give_token(world: &World, index: usize) -> PublicKey {
    let module = softhsm();
    let token = format!("reissuer-{index}");
    make_token(&module, &token);
    let selector = TokenSelector::Label(token.clone());
    let key = generate_key(&module, &selector, &pin(USER_PIN), "reissuance").expect("a key");
    let path = world.folder(index).join("pin");
    std::fs::write(&path, USER_PIN).expect("written");
    let own = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, own).expect("changed");
    let table = format!(
        "\n[keys.reissuance]\nkind = \"hsm\"\nmodule = \"{}\"\ntoken = \"label:{token}\"\n\
         key = \"label:reissuance\"\npin = \"file:pin\"\n",
        module.display()
    );
    append(&world.config(index), &table);
    key.public_key.expect("a public key")
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
        daemon.logs("operator starts").await;
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
    whole_life(Keys::Files).await;
}

/// Two of three must sign, and only two can, one of them with a token.
#[test]
fn a_key_in_a_hardware_module_signs_reissuances() {
    isolated("a_key_in_a_hardware_module_signs_reissuances", || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build();
        runtime
            .expect("a runtime")
            .block_on(whole_life(Keys::TokenAndFile));
    });
}

async fn whole_life(keys: Keys) {
    let world = World::new().await;
    let script = give_keys(&world, keys);
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

    // All operators add the same table to the same file.
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

    a_node_that_omits_a_transaction_is_detected(&world, verb(audit));

    // An audit with another rate finds differences.
    std::fs::write(&public, before + &table(&issued, &script, "0.2")).expect("written");
    let report = ask(verb(audit), 1);
    assert!(report["differences"].as_u64() >= Some(2), "{report}");
    for daemon in daemons {
        daemon.stop().await;
    }
}

/// An operator that reissues differently is named by the others' `status`, and names them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_names_operators_whose_table_differs() {
    let world = World::new().await;
    let script = give_keys(&world, Keys::Files);
    let daemons = start(&world).await;
    world.blocks(2).await;
    let config = world.config(0);
    let config = config.to_str().expect("text");
    let hex = script.to_hex();
    let issue = [
        "issue", "--config", config, "--amount", "1000", "--script", &hex,
    ];
    let issued = json(&[&issue[..], &["--fee-coins", "1", "--json"]].concat(), 0);
    for daemon in daemons {
        daemon.stop().await;
    }
    let public = world.fed.join("federation.toml");
    let own = world.fed.join("own.toml");
    std::fs::copy(&public, &own).expect("copied");
    append(&public, &table(&issued, &script, "0.1"));
    append(&own, &table(&issued, &script, "0.2"));
    world::change(&world.config(2), "../federation.toml", "../own.toml");
    let daemons = start(&world).await;
    let asset = issued["asset"].as_str().expect("an id").to_owned();
    let check = |index| {
        let config = world.config(index);
        let config = config.to_str().expect("text").to_owned();
        let output = federation(&["status", "--check", "--config", &config]);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let roster =
        Config::load(&world.config(0), &Overrides::default()).expect("a valid configuration");
    let names: Vec<_> = roster.federation.members().iter().collect();
    for (index, other) in [(0, 2), (2, 0)] {
        let wanted = format!("{} reissues {asset} differently: ", names[other].name);
        until(&wanted, || {
            let (code, line) = check(index);
            code == Some(1) && line.contains(&wanted)
        })
        .await;
    }
    for daemon in daemons {
        daemon.stop().await;
    }
}

/// A node hides a reissuance so that the audit would not see it: the audit detects the node.
fn a_node_that_omits_a_transaction_is_detected(world: &World, mut audit: Vec<String>) {
    let url = world.nodes[0].rpc_url();
    let node = LyingNode::before(&url);
    let honest = world.config(0);
    let config = honest.with_file_name("lied-to.toml");
    std::fs::copy(&honest, &config).expect("copied");
    world::change(&config, &url, &node.url);
    let at = audit.iter().position(|word| word == "--config");
    audit[at.expect("given") + 1] = config.to_str().expect("text").to_owned();
    let audit: Vec<&str> = audit.iter().map(String::as_str).collect();
    let output = federation(&audit);
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("than its hash commits to"), "{printed}");
    assert!(printed.contains("read it from another node"), "{printed}");
    assert!(
        output.stdout.is_empty(),
        "nothing is reported of such a chain"
    );
    node.stop_lying();
    json(&audit, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_say_what_is_wrong_and_what_to_do() {
    let world = World::new().await;
    let config = world.config(0);
    let config = config.to_str().expect("text");
    let cases: [(&[&str], i32, &str); 5] = [
        (
            &["issue", "--amount", "0", "--script", "51"],
            2,
            "must be above 0",
        ),
        (&["issue", "--amount", "5"], 2, "no script is given"),
        (
            &["issue", "--amount", "5", "--script", "51"],
            2,
            "multisig inspect",
        ),
        (
            &["reissuance", "plan"],
            1,
            "no asset is configured for reissuance",
        ),
        (
            &["reissuance", "audit", "--asset", "00"],
            1,
            "no asset is configured for reissuance",
        ),
    ];
    for (args, code, expected) in cases {
        let output = federation(&[args, &["--config", config]].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let printed = stderr(&output);
        assert!(printed.contains(expected), "{args:?}: {printed}");
    }
    // A key that is not in the script.
    give_keys(&world, Keys::Files);
    let foreign = give_foreign_script();
    let table = format!(
        "\n[[reissuance]]\nasset = \"{}\"\nrate = \"0.1\"\nperiod = 5\ndestination_script = \"{DESTINATION}\"\nscript = \"{}\"\n",
        "11".repeat(32),
        foreign.to_hex(),
    );
    append(&world.fed.join("federation.toml"), &table);
    let printed = Daemon::start(&world.config(0)).fails().await;
    assert!(
        printed.contains("is not in the script that holds the tokens"),
        "{printed}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_chain_without_coins_the_error_says_why_they_are_needed_and_how_to_get_them() {
    let world = World::made(2, "nobody", 0).await;
    let hex = give_foreign_script().to_hex();
    let printed = world::refused(
        &world.config(0),
        &["issue", "--amount", "5", "--script", &hex],
    );
    assert!(printed.contains("created without coins"), "{printed}");
    assert!(printed.contains("initialfreecoins"), "{printed}");
    assert!(printed.contains("getpeginaddress"), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_a_wallet_without_coins_the_error_says_where_to_get_some() {
    // Block 1 sweeps them to the federation's script.
    let world = World::made(2, "federation", 2_100_000_000_000_000).await;
    let daemons = start(&world).await;
    world.blocks(1).await;
    let hex = give_foreign_script().to_hex();
    let args = ["issue", "--amount", "5", "--script", &hex];
    let printed = world::refused(&world.config(0), &args);
    assert!(printed.contains("the wallet holds no coins"), "{printed}");
    assert!(printed.contains("pay some to "), "{printed}");
    assert!(!printed.contains("created without coins"), "{printed}");
    for daemon in daemons {
        daemon.stop().await;
    }
}

fn give_foreign_script() -> MultisigScript {
    let keys = (0..3).map(|_| Secret::generate().public_key()).collect();
    let threshold = Threshold::new(2).expect("two");
    MultisigScript::new(threshold, keys, KeyOrder::AsGiven).expect("a script")
}
