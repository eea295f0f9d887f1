//! Computes a chain's genesis block without a node: `genesis_hash elements|ocean CONF`.
//!
//! CONF is the configuration file that the nodes of the chain are started with. The program fails if
//! no federation could run the chain.

#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

use std::{env, error::Error, fs};

use federation::genesis::{Genesis, Manifest, NodeKind, Settings, problems, warnings};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [node, path] = &arguments[..] else {
        return Err("usage: genesis_hash elements|ocean CONF".into());
    };
    println!("{}", report(node.parse()?, &fs::read_to_string(path)?)?);
    Ok(())
}

fn report(node: NodeKind, conf: &str) -> Result<String, Box<dyn Error>> {
    // Refuses what the node would silently read otherwise: misspelt names, wrong sections, cut hex.
    let settings = Settings::parse(node, conf)?;
    let genesis = Genesis::compute(&settings, None)?;
    let problems = problems(&settings, &genesis, None, None)?;
    if !problems.is_empty() {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        return Err(problems.join("\n").into());
    }
    // Covers the settings, too, that do not change the genesis hash and still change the rules.
    let manifest = Manifest::new(&settings, &genesis, None, None);
    let mut lines = vec![
        format!("genesis   {}", genesis.hash()),
        format!("manifest  {}", manifest.hash()),
    ];
    for asset in genesis.assets() {
        lines.push(format!(
            "{} {} {}",
            asset.amount(),
            asset.name(),
            asset.id()
        ));
    }
    for warning in warnings(&settings, &genesis, None) {
        lines.push(format!("warning: {warning}"));
    }
    Ok(lines.join("\n"))
}

#[test]
fn a_recorded_genesis_is_computed_and_a_chain_that_anyone_signs_is_refused() {
    let text = include_str!("../tests/vectors/genesis.json");
    let recorded: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let recorded = &recorded["E1 homechain 2of3 both, no coins"];
    let keys = [
        "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
        "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
        "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ];
    let script = format!("5221{}53ae", keys.join("21"));
    let conf = format!(
        "chain=homechain\nsignblockscript={script}\nfedpegscript={script}\n\
         con_max_block_sig_size=254\nevbparams=dynafed:-1:::\n"
    );
    let report = report(NodeKind::Elements, &conf).expect("a chain for a federation");
    let hash = recorded["hash"].as_str().expect("a hash");
    assert!(report.contains(hash), "{report}");

    let refused = self::report(NodeKind::Elements, "chain=elementsregtest\n");
    let refused = refused.expect_err("anyone can sign").to_string();
    assert!(refused.contains("signblockscript"), "{refused}");
}
