//! Stored blocks: who signed them, whatever happened to the form of their solution.

use federation_chain::{CheckError, Header, Proof, signatures_of_script_sig};
use secp256k1::{SecretKey, ecdsa::Signature};

use crate::support::Vectors;

/// The signature with S replaced by its negation.
fn high_s(signature: &Signature) -> Signature {
    let compact = signature.serialize_compact();
    let s = SecretKey::from_slice(&compact[32..]).expect("a scalar");
    let flipped = [&compact[..32], &s.negate().secret_bytes()].concat();
    Signature::from_compact(&flipped).expect("a signature")
}

/// Ocean's nodes accept other forms and additional items, so a third party can make them of a
/// block.
#[test]
fn a_stored_block_of_ocean_is_signed_in_any_form() {
    let vectors = &Vectors::all()[0];
    let rules = vectors.rules();
    for recorded in vectors.blocks() {
        let block = vectors.block(&recorded["combined"]["hex"]);
        let header = block.header();
        assert_eq!(rules.check_stored_block(header), Ok(()));
        let Proof::Ocean { solution, .. } = &header.fields().proof else {
            panic!("a header of Ocean");
        };
        let signatures = signatures_of_script_sig(solution).expect("signatures");
        let with = |solution: Vec<u8>| {
            let mut fields = header.fields().clone();
            if let Proof::Ocean { solution: old, .. } = &mut fields.proof {
                *old = solution;
            }
            rules.check_stored_block(&Header::new(fields))
        };
        let pushed = |signatures: &[Signature]| {
            let mut script = vec![0x61, 0, 2, 7, 7];
            for signature in signatures {
                let der = high_s(signature).serialize_der();
                script.extend([0x4c, u8::try_from(der.len()).expect("short")]);
                script.extend_from_slice(&der);
            }
            script
        };
        assert_eq!(with(pushed(&signatures)), Ok(()), "high S, longer pushes");
        let threshold = rules.script().threshold().to_usize();
        let fewer = CheckError::Quorum {
            expected: threshold,
            found: threshold - 1,
        };
        assert_eq!(with(pushed(&signatures[1..])), Err(fewer.clone()));
        let mut twice = signatures.clone();
        twice[0] = twice[1];
        assert_eq!(with(pushed(&twice)), Err(fewer), "one key counts once");
        let empty = CheckError::Quorum {
            expected: threshold,
            found: 0,
        };
        assert_eq!(with(vec![]), Err(empty));
        assert!(matches!(
            with(vec![0x61; 10_001]),
            Err(CheckError::TooLarge { .. })
        ));
        let mut fields = header.fields().clone();
        fields.time += 1;
        assert!(matches!(
            rules.check_stored_block(&Header::new(fields)),
            Err(CheckError::Quorum { found: 0, .. })
        ));
    }
}

#[test]
fn a_stored_block_of_elements_must_be_signed_as_its_nodes_require() {
    for vectors in &Vectors::all()[1..] {
        let rules = vectors.rules();
        for recorded in vectors.blocks() {
            let block = vectors.block(&recorded["combined"]["hex"]);
            assert_eq!(rules.check_stored_block(block.header()), Ok(()));
            let unsigned = block.without_signatures();
            assert!(rules.check_stored_block(unsigned.header()).is_err());
        }
    }
}
