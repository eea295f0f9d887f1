//! Every block made by real nodes is reproduced byte for byte.

use std::collections::BTreeMap;

use federation_chain::{
    AssembleError, Block, BlockHeight, CheckError, Dialect, Header, Proof, RulesError, SigningRules,
};
use federation_multisig::MultisigScript;
use secp256k1::{Message, SECP256K1, ecdsa::Signature};

use crate::support::{Vectors, bytes, recorded_signatures, text};

#[test]
fn genesis_and_every_block_decode_to_their_bytes_and_hashes() {
    for vectors in Vectors::all() {
        let genesis = vectors.block(&vectors.json["genesis_block_hex"]);
        assert_eq!(
            genesis.block_hash().to_string(),
            text(&vectors.json["genesis_hash"])
        );
        assert_eq!(genesis.check_commitments(), Ok(()), "{}", vectors.dialect);
        let mut previous = genesis.block_hash();
        for recorded in vectors.blocks() {
            for form in [&recorded["unsigned"], &recorded["combined"]["hex"]] {
                let block = vectors.block(form);
                assert_eq!(block.block_hash().to_string(), text(&recorded["hash"]));
                assert_eq!(block.header().previous(), previous);
                assert_eq!(
                    u64::from(block.height().to_u32()),
                    recorded["height"].as_u64().expect("height")
                );
                assert_eq!(block.header().dialect(), vectors.dialect);
                assert_eq!(block.check_commitments(), Ok(()), "{}", vectors.dialect);
                let transactions = block.transactions().expect("the crate reads them");
                assert_eq!(
                    Block::from_parts(block.header().clone(), &transactions).as_bytes(),
                    block.as_bytes()
                );
                let header = block.header().encode();
                assert_eq!(
                    Header::decode(vectors.dialect, &header).as_ref(),
                    Ok(block.header())
                );
            }
            previous = vectors.block(&recorded["unsigned"]).block_hash();
        }
    }
}

#[test]
fn assembling_the_nodes_signatures_gives_the_bytes_of_combineblocksigs() {
    for vectors in Vectors::all() {
        let rules = vectors.rules();
        for recorded in vectors.blocks() {
            let unsigned = vectors.block(&recorded["unsigned"]);
            assert!(unsigned.is_unsigned());
            rules
                .check_challenge(unsigned.header())
                .expect("our script");
            let signatures = recorded_signatures(&rules, recorded);
            for (&index, signature) in &signatures {
                rules
                    .verify_signature(unsigned.block_hash(), index, signature)
                    .expect("valid");
            }
            let complete = rules.assemble(&unsigned, &signatures).expect("complete");
            assert_eq!(complete.as_bytes(), &bytes(&recorded["combined"]["hex"]));
            assert_eq!(rules.check_block(&complete), Ok(()));
            let first = signatures
                .keys()
                .copied()
                .take(rules.script().threshold().to_usize());
            assert_eq!(rules.signers(complete.header()), Ok(first.collect()));
            assert_eq!(&complete.without_signatures(), &unsigned);
        }
    }
}

#[test]
fn our_own_signatures_complete_the_recorded_blocks() {
    for vectors in Vectors::all() {
        let rules = vectors.rules();
        let unsigned = vectors.block(&vectors.blocks()[0]["unsigned"]);
        let signed: BTreeMap<usize, Signature> = vectors
            .secret_keys()
            .iter()
            .take(rules.script().keys().len())
            .map(|key| {
                let index = rules
                    .script()
                    .position(&key.public_key(SECP256K1))
                    .expect("in the script");
                (
                    index,
                    SECP256K1
                        .sign_ecdsa(&Message::from_digest(unsigned.block_hash().to_bytes()), key),
                )
            })
            .collect();
        let complete = rules.assemble(&unsigned, &signed).expect("complete");
        assert_eq!(rules.check_block(&complete), Ok(()));
        let few = signed
            .into_iter()
            .take(rules.script().threshold().to_usize() - 1)
            .collect();
        assert!(matches!(
            rules.assemble(&unsigned, &few),
            Err(AssembleError::TooFew { .. })
        ));
    }
}

#[test]
fn another_script_or_dialect_is_refused() {
    let all = Vectors::all();
    for vectors in &all {
        let rules = vectors.rules();
        let genesis = vectors.block(&vectors.json["genesis_block_hex"]);
        if vectors.dialect == Dialect::Dynafed {
            assert!(matches!(
                rules.check_challenge(genesis.header()),
                Err(CheckError::Dialect { .. })
            ));
        } else {
            assert_eq!(rules.check_challenge(genesis.header()), Ok(()));
        }
        let one = MultisigScript::new(
            federation_multisig::Threshold::new(1).expect("1"),
            vec![rules.script().keys()[0]],
            federation_multisig::KeyOrder::AsGiven,
        )
        .expect("a script");
        let others = SigningRules::new(vectors.dialect, one, 412).expect("enough");
        let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
        assert!(matches!(
            others.check_challenge(block.header()),
            Err(CheckError::Challenge { .. })
        ));
    }
}

#[test]
fn a_limit_below_what_the_script_needs_is_refused() {
    for vectors in Vectors::all() {
        let script = vectors.rules().script().clone();
        let needed = SigningRules::required_signature_size(vectors.dialect, &script);
        assert!(SigningRules::new(vectors.dialect, script.clone(), needed).is_ok());
        assert!(matches!(
            SigningRules::new(vectors.dialect, script, needed - 1),
            Err(RulesError::SignatureSize { .. })
        ));
    }
}

#[test]
fn compact_parameters_stand_for_the_full_ones_of_the_first_block() {
    let vectors = Vectors::read(Dialect::Dynafed, "elements-dynafed");
    let current = |height: usize| {
        let block = vectors.block(&vectors.blocks()[height - 1]["unsigned"]);
        match &block.header().fields().proof {
            Proof::Dynafed {
                current, proposed, ..
            } => {
                assert!(proposed.is_null());
                current.clone()
            }
            other => panic!("not a dynafed header: {other:?}"),
        }
    };
    let (full, compact) = (current(1), current(2));
    assert!(full.is_full());
    assert!(compact.is_compact());
    assert_eq!(full.calculate_root(), compact.calculate_root());
    assert_eq!(full.signblock_witness_limit(), Some(412));
    assert_eq!(full.fedpegscript(), Some(&vec![0x51]));
    assert_eq!(full.extension_space().map(Vec::len), Some(1));
    assert_eq!(full.into_compact(), Some(compact));
}

#[test]
fn a_dynafed_genesis_is_a_plain_header_of_version_1() {
    for vectors in Vectors::all() {
        let genesis = vectors.block(&vectors.json["genesis_block_hex"]);
        let header = genesis.header();
        assert_eq!(header.version(), 1);
        assert_eq!(header.height(), BlockHeight::GENESIS);
        assert_eq!(header.previous().to_bytes(), [0; 32]);
        assert!(header.is_unsigned());
        assert_eq!(
            header.dialect() == Dialect::Ocean,
            vectors.dialect == Dialect::Ocean
        );
        assert_ne!(header.dialect(), Dialect::Dynafed);
    }
}
