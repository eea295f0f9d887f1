//! `[[reissuance]]` tables.

use federation_reissuance::ScriptKind;

use super::*;

const ASSET: &str = "5ac9f65c0efcc4775e0baec4ec03abdde22473cd3cf33c0419ca290e0751b225";
/// 2 of 3.
const SCRIPT: &str = "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee52102f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9210379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179853ae";

fn table() -> String {
    format!(
        "\n[[reissuance]]\nasset = \"{ASSET}\"\nrate = \"0.05\"\nperiod = 1440\ndestination_script = \"51\"\nscript = \"{SCRIPT}\"\n"
    )
}

fn load(table: &str) -> Result<Config, Vec<String>> {
    let files = Files::new();
    let text = std::fs::read_to_string(files.public()).expect("there");
    std::fs::write(files.public(), text + table).expect("written");
    files
        .load()
        .map_err(|report| report.problems.into_iter().map(|p| p.message).collect())
}

#[test]
fn a_table_sets_the_asset_the_schedule_and_the_holder_of_the_tokens() {
    let config = load(&table()).expect("valid");
    let [settings] = &config.reissuance[..] else {
        panic!("one asset");
    };
    assert_eq!(settings.asset().to_string(), ASSET);
    assert_eq!(settings.schedule().rate().to_string(), "0.05");
    assert_eq!(settings.schedule().period(), 1440);
    assert_eq!(settings.schedule().interval(), config.federation.interval());
    assert_eq!(settings.tokens().kind(), ScriptKind::P2wsh);
    assert_eq!(settings.fee(), None);
}

#[test]
fn a_fee_is_paid_in_an_asset() {
    let with = |extra: &str| load(&(table() + extra));
    let fee = with(&format!("fee = 500\nfee_asset = \"{ASSET}\"\n")).expect("valid");
    assert_eq!(fee.reissuance[0].fee().map(|fee| fee.amount), Some(500));
    let problems = with("fee = 500\n").expect_err("the asset is missing");
    assert_eq!(problems, ["`fee` is set, but `fee_asset` is not"]);
}

#[test]
fn mistakes_are_reported() {
    let cases = [
        ("rate = \"0.05\"", "rate = 0.05", "`rate` must be a string"),
        (
            "rate = \"0.05\"",
            "rate = \"5%\"",
            "`rate`: `5%` is not a yearly rate",
        ),
        ("period = 1440", "period = 0", "the period is 0 blocks"),
        ("period = 1440\n", "", "`period` is missing"),
        (
            "destination_script = \"51\"",
            "destination_script = \"6a\"",
            "unspendable",
        ),
        (
            "destination_script = \"51\"\n",
            "",
            "must have either `destination`",
        ),
        (
            "destination_script = \"51\"",
            "destination = \"1BoatSLRHtKNngkdXEeobR76b53LETtpyT\"",
            "not an address of this chain",
        ),
        ("script = \"5221", "script = \"52ff", "`script`"),
        (
            "period = 1440",
            "period = 1440\nscript_type = \"p2tr\"",
            "unknown type `p2tr`",
        ),
        ("period = 1440", "period = 1440\nperoid = 7", "peroid"),
    ];
    for (from, to, expected) in cases {
        let text = table();
        assert!(text.contains(from));
        let problems = match load(&text.replacen(from, to, 1)) {
            Err(problems) => problems.join("; "),
            Ok(_) => panic!("`{to}` was accepted"),
        };
        assert!(problems.contains(expected), "`{to}`: {problems}");
    }
}
