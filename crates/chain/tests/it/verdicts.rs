//! The rules agree with a real node on every block's signatures.

use federation_chain::{CheckError, Dialect, SigningRules};
use federation_multisig::MultisigScript;

use crate::support::{Vectors, text};

#[test]
fn every_verdict_agrees_with_the_node() {
    for (dialect, name) in [
        (Dialect::Elements, "elements-legacy-verdicts"),
        (Dialect::Dynafed, "elements-dynafed-verdicts"),
    ] {
        let vectors = Vectors::read(dialect, name);
        let script = MultisigScript::from_hex(text(&vectors.json["signblockscript"]));
        let rules = SigningRules::new(dialect, script.expect("a script"), 412)
            .expect("412 bytes are enough");
        for verdict in vectors.json["verdicts"].as_array().expect("verdicts") {
            let case = text(&verdict["case"]);
            let block = vectors.block(&verdict["block"]);
            let found = rules.check_block(&block);
            let accepted = match verdict["submitblock"].as_str() {
                None => true,
                Some(reason) => {
                    assert_eq!(reason, "block-proof-invalid", "{case}");
                    false
                }
            };
            assert_eq!(found.is_ok(), accepted, "{dialect}, {case}: {found:?}");
            if case.starts_with("sighash byte") {
                assert!(
                    matches!(found, Err(CheckError::Sighash { index: 0, .. })),
                    "{case}"
                );
            }
            if case.starts_with("high s") {
                assert!(matches!(found, Err(CheckError::HighS(_))), "{case}");
            }
            if case.starts_with("more bytes") {
                assert!(matches!(found, Err(CheckError::TooLarge { .. })), "{case}");
            }
            if accepted {
                assert_eq!(rules.signers(block.header()), Ok(vec![1, 3, 4]));
            }
        }
    }
}
