//! Five parties on five machines, from a ceremony's first message to blocks of their chain.
//!
//! A machine is a folder; files go from one to another only where parties would send them. All that
//! parties do they do by the two programs, and once they have their bundle, by the commands of its
//! README. On devnet the node is one of this process, on real nodes the README's own.

mod machine;
mod node;
mod parties;
mod programs;

use std::{fs, path::PathBuf, time::Duration};

use federation_chain::Dialect;
use federation_messenger_kafka::mock::MockBrokers;

use crate::{
    machine::Machine,
    node::{Nodes, Place},
    parties::{Parties, Plan},
    programs::{is_red, text},
};

/// How long blocks may take on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(120);

/// From `ceremony init` to blocks.
async fn from_a_ceremony_to_blocks(plan: Plan, place: Place) {
    let parties = Parties::new(plan);
    let certificate = parties.hold_the_ceremony();
    let machines = parties.unpack_bundles();
    parties.make_topics(&certificate);
    for machine in &machines {
        // The README's first command.
        let rehearsed = text(&machine.run(&machine.commands[0]));
        assert!(rehearsed.contains("valid with 3 signatures"), "{rehearsed}");
    }
    let nodes = Nodes::start(&machines, &certificate, place).await;
    // Nobody else is there yet, and all that is one's own is well.
    let alone = machines[0].run("federation preflight --json --wait 0s");
    assert!(is_red(&alone, "quorum"), "{alone:?}");
    for own in ["brokers", "own topic", "started"] {
        assert!(!is_red(&alone, own), "{alone:?}");
    }
    assert!(!is_red(&alone, "genesis hash"), "{alone:?}");
    let mut operators: Vec<_> = machines.iter().map(|m| m.start(&m.commands[2])).collect();
    nodes.wait_for(3, LIMIT).await;
    if let Some(sweep) = certificate.sweep() {
        let known = nodes.first_transactions(certificate.dialect()).await;
        assert!(known.contains(&sweep.txid().to_string()), "{known:?}");
    }
    let before_flight = text(&machines[1].run("federation preflight --running --json --wait 30s"));
    assert!(
        before_flight.contains("\"the operator runs\""),
        "{before_flight}"
    );
    assert!(!before_flight.contains("\"red\""), "{before_flight}");
    // One may be away.
    drop(operators.pop());
    let height = nodes.height().await;
    nodes.wait_for(height + 2, LIMIT).await;
    drop(operators);
    nodes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dynafed_chain_with_coins_and_with_keys_in_keystores() {
    let plan = Plan::new(Dialect::Dynafed).with_keystores().with_coins();
    from_a_ceremony_to_blocks(plan, Place::Devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_elements_chain_without_dynafed_with_a_key_in_a_hardware_module() {
    let plan = Plan::new(Dialect::Elements).with_module();
    from_a_ceremony_to_blocks(plan, Place::Devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ocean_chain() {
    from_a_ceremony_to_blocks(Plan::new(Dialect::Ocean), Place::Devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_whose_operators_talk_by_kafka() {
    let kafka = MockBrokers::start(3).expect("brokers");
    let plan = Plan::new(Dialect::Dynafed).with_kafka(kafka);
    from_a_ceremony_to_blocks(plan, Place::Devnet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_refuses_what_is_not_certified() {
    let parties = Parties::new(Plan::new(Dialect::Dynafed));
    let certificate = parties.hold_the_ceremony();
    let machines = parties.unpack_bundles();
    let machine = &machines[0];
    let refused = |what: &str| {
        for command in ["federation run", "federation config check"] {
            let output = machine.run(command);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(said.contains(what) && said.contains("help: "), "{said}");
        }
    };
    // A roster in which somebody else signs.
    let honest = machine.read("federation.toml");
    machine.write(
        "federation.toml",
        &honest.replace("threshold = 3", "threshold = 4"),
    );
    machine.write(
        "federation.toml",
        &honest.replace("threshold = 3", "threshold = 4").replace(
            "max_block_signature_size = 395",
            "max_block_signature_size = 468",
        ),
    );
    refused("`threshold` is 4, the certificate says 3");
    machine.write("federation.toml", &honest.replace("2000ms", "3s"));
    refused("`interval` is 3000 ms, the certificate says 2000 ms");
    machine.write("federation.toml", &honest);
    // A certificate in which one digit is another.
    let true_one = machine.read("certificate.json");
    machine.write(
        "certificate.json",
        &true_one.replacen("127.0.0.1", "127.0.0.2", 1),
    );
    refused("certificate.json");
    machine.write("certificate.json", &true_one);
    rehearsals_that_fail(&machines);
    // A node with the same genesis and another limit.
    let nodes = Nodes::start_with_other_limit(&machines[..1], &certificate).await;
    let output = machine.run("federation run");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "error: the node's limit on signatures is 1000, the certificate says 395\n   do: start the node";
    assert!(said.contains(expected), "{said}");
    let preflight = machine.run("federation preflight --json --wait 0s");
    assert!(is_red(&preflight, "limit on signatures"), "{preflight:?}");
    nodes.stop().await;
}

/// With another party's key, with the keys taken for each other, and without a certificate.
fn rehearsals_that_fail(machines: &[Machine]) {
    let machine = &machines[0];
    let keys = machine.folder.join("keys");
    let (block, identity) = (keys.join("block.key"), keys.join("identity.key"));
    let own = fs::read(&block).expect("there");
    for wrong in [machines[1].folder.join("keys/block.key"), identity] {
        fs::copy(wrong, &block).expect("copied");
        let rehearsed = machine.run("federation rehearse --json");
        assert_eq!(rehearsed.status.code(), Some(1), "{rehearsed:?}");
        assert!(is_red(&rehearsed, "block key"), "{rehearsed:?}");
        let preflight = machine.run("federation preflight --json --wait 0s");
        assert!(is_red(&preflight, "block key"), "{preflight:?}");
    }
    fs::write(&block, own).expect("written");
    let files = ["federation.toml", "operator.toml"].map(|name| (name, machine.read(name)));
    for (name, with) in &files {
        machine.write(
            name,
            &with.replace("certificate = \"certificate.json\"\n", ""),
        );
    }
    let output = machine.run("federation rehearse");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the files name no certificate"), "{said}");
    text(&machine.run("federation rehearse --certificate certificate.json"));
    for (name, with) in &files {
        machine.write(name, with);
    }
}

fn program(name: &str) -> PathBuf {
    std::env::var_os(name)
        .unwrap_or_else(|| panic!("set {name} to the node's program"))
        .into()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn a_dynafed_chain_with_coins_on_real_nodes() {
    let plan = Plan::new(Dialect::Dynafed).with_keystores().with_coins();
    from_a_ceremony_to_blocks(plan, Place::Real(program("ELEMENTSD"))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn an_elements_chain_without_dynafed_on_real_nodes() {
    let plan = Plan::new(Dialect::Elements);
    from_a_ceremony_to_blocks(plan, Place::Real(program("ELEMENTSD"))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs OCEAND"]
async fn an_ocean_chain_on_real_nodes() {
    let plan = Plan::new(Dialect::Ocean);
    from_a_ceremony_to_blocks(plan, Place::Real(program("OCEAND"))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BROKERS"]
async fn a_chain_whose_operators_talk_by_real_brokers() {
    let brokers = std::env::var("KAFKA_BROKERS").expect("set KAFKA_BROKERS to host:port,..");
    let plan = Plan::new(Dialect::Dynafed).with_brokers(brokers);
    from_a_ceremony_to_blocks(plan, Place::Devnet).await;
}
