//! Every block that real nodes made is reproduced byte for byte.

use std::collections::BTreeMap;

use bytes::Bytes;
use federation_chain::{
    AssembleError, Block, CheckError, Dialect, Header, HeaderFields, Proof, RulesError,
    SigningRules, signatures_of_script_sig,
};
use federation_multisig::MultisigScript;
use hex_conservative::FromHex;
use proptest::prelude::*;
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};
use serde_json::Value;

struct Vectors {
    dialect: Dialect,
    json: Value,
}

impl Vectors {
    fn all() -> Vec<Self> {
        [
            (Dialect::Ocean, "ocean"),
            (Dialect::Elements, "elements-legacy"),
            (Dialect::Dynafed, "elements-dynafed"),
        ]
        .map(|(dialect, name)| {
            let path = format!(
                "{}/../../tests/vectors/{name}.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
            Self {
                dialect,
                json: serde_json::from_str(&text).expect("json"),
            }
        })
        .into()
    }

    fn rules(&self) -> SigningRules {
        let script =
            MultisigScript::from_hex(text(&self.json["signblockscript"])).expect("a script");
        SigningRules::new(self.dialect, script, 412).expect("412 bytes are enough")
    }

    fn blocks(&self) -> &[Value] {
        self.json["blocks"].as_array().expect("blocks")
    }

    fn secret_keys(&self) -> Vec<SecretKey> {
        let keys = self.json["secret_keys_hex"].as_array().expect("keys");
        keys.iter()
            .map(|key| text(key).parse().expect("a key"))
            .collect()
    }

    fn block(&self, hex: &Value) -> Block {
        Block::decode(self.dialect, bytes(hex)).expect("a recorded block decodes")
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn bytes(hex: &Value) -> Bytes {
    Vec::<u8>::from_hex(text(hex)).expect("hex").into()
}

/// The node's signatures by the place of their key.
fn recorded_signatures(rules: &SigningRules, block: &Value) -> BTreeMap<usize, Signature> {
    match &block["signatures"] {
        Value::String(script_sig) => {
            let script_sig = Vec::<u8>::from_hex(script_sig).expect("hex");
            signatures_of_script_sig(&script_sig)
                .expect("signatures")
                .into_iter()
                .enumerate()
                .collect()
        }
        list => list
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| {
                let key = text(&entry["pubkey"]).parse().expect("a key");
                let mut der = Vec::<u8>::from_hex(text(&entry["sig"])).expect("hex");
                if rules.dialect() == Dialect::Dynafed {
                    assert_eq!(der.pop(), Some(1), "the sighash byte");
                }
                let position = rules.script().position(&key).expect("a key of the script");
                (position, Signature::from_der(&der).expect("a signature"))
            })
            .collect(),
    }
}

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
fn assembling_the_nodes_signatures_is_combineblocksigs_byte_for_byte() {
    for vectors in Vectors::all() {
        let rules = vectors.rules();
        for recorded in vectors.blocks() {
            let unsigned = vectors.block(&recorded["unsigned"]);
            assert!(unsigned.is_unsigned());
            rules
                .check_challenge(unsigned.header())
                .expect("our script");
            let signatures = recorded_signatures(&rules, recorded);
            for (&place, signature) in &signatures {
                rules
                    .verify_signature(unsigned.block_hash(), place, signature)
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
                let place = rules
                    .script()
                    .position(&key.public_key(SECP256K1))
                    .expect("in the script");
                (
                    place,
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

/// Rebuilds a header with its solution's or witness's items changed.
fn with_items(header: &Header, change: impl Fn(&mut Vec<Vec<u8>>)) -> Header {
    let mut fields: HeaderFields = header.fields().clone();
    match &mut fields.proof {
        Proof::Ocean { solution, .. } | Proof::Signed { solution, .. } => {
            let mut items = Vec::new();
            let mut rest = &solution[..];
            while let [length, more @ ..] = rest {
                let (item, after) = more.split_at(usize::from(*length));
                items.push(item.to_vec());
                rest = after;
            }
            change(&mut items);
            *solution = items
                .iter()
                .flat_map(|item| [&[u8::try_from(item.len()).expect("short")], &item[..]].concat())
                .collect();
        }
        Proof::Dynafed { witness, .. } => change(witness),
    }
    Header::new(fields)
}

/// The signature with S replaced by its negation.
fn high_s(item: &[u8], dialect: Dialect) -> Vec<u8> {
    let der = if dialect == Dialect::Dynafed {
        &item[..item.len() - 1]
    } else {
        item
    };
    let compact = Signature::from_der(der)
        .expect("a signature")
        .serialize_compact();
    let s = SecretKey::from_slice(&compact[32..])
        .expect("a scalar")
        .negate();
    let flipped = [&compact[..32], &s.secret_bytes()].concat();
    let mut der = Signature::from_compact(&flipped)
        .expect("a signature")
        .serialize_der()
        .to_vec();
    if dialect == Dialect::Dynafed {
        der.push(1);
    }
    der
}

#[test]
fn a_block_that_breaks_one_script_rule_is_refused_with_that_rule() {
    for vectors in Vectors::all() {
        let rules = vectors.rules();
        let dialect = vectors.dialect;
        let complete = vectors.block(&vectors.blocks()[1]["combined"]["hex"]);
        let check = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            rules.check_block(&complete.with_header(with_items(complete.header(), change)))
        };
        let m = rules.script().threshold().to_usize();

        assert_eq!(check(&|_| {}), Ok(()));
        assert!(matches!(
            check(&|items| items.swap(1, 2)),
            Err(CheckError::Signature(1))
        ));
        assert!(matches!(
            check(&|items| {
                items.remove(1);
            }),
            Err(CheckError::Count { .. })
        ));
        assert!(matches!(
            check(&|items| {
                let again = items[m].clone();
                items.insert(m, again);
            }),
            Err(CheckError::Count { .. } | CheckError::TooLarge { .. })
        ));
        assert!(matches!(
            check(&|items| items[1] = items[2].clone()),
            Err(CheckError::Signature(1))
        ));
        assert!(matches!(
            check(&|items| items[0] = vec![0]),
            Err(CheckError::Dummy)
        ));
        assert!(matches!(
            check(&|items| items[1] = high_s(&items[1], dialect)),
            Err(CheckError::HighS(0))
        ));
        assert!(matches!(
            check(&|items| items[2].truncate(20)),
            Err(CheckError::Der(1) | CheckError::Sighash { .. })
        ));
        if dialect == Dialect::Dynafed {
            assert_eq!(
                check(&|items| *items[1].last_mut().expect("byte") = 4),
                Err(CheckError::Sighash { index: 0, byte: 4 })
            );
            assert_eq!(
                check(&|items| items[m + 1][5] ^= 1),
                Err(CheckError::WitnessScript)
            );
            assert!(matches!(
                check(&|items| items[m + 1].extend([0; 200])),
                Err(CheckError::TooLarge { .. })
            ));
            assert_eq!(
                check(&|items| items.clear()),
                Err(CheckError::WitnessScript)
            );
        } else {
            assert!(matches!(
                check(&|items| items[1].push(1)),
                Err(CheckError::Der(0))
            ));
            assert!(matches!(
                check(&|items| items.clear()),
                Err(CheckError::Count { .. })
            ));
        }
        let mut later = complete.header().fields().clone();
        later.time += 1;
        let moved = complete.with_header(Header::new(later));
        assert_eq!(rules.check_block(&moved), Err(CheckError::Signature(0)));
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
fn a_limit_below_what_the_script_needs_is_refused_at_once() {
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
fn a_changed_body_is_not_the_block() {
    for vectors in Vectors::all() {
        let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
        let start = block.header().encode().len() + 1;
        for at in start..block.as_bytes().len() {
            let mut bytes = block.as_bytes().to_vec();
            bytes[at] ^= 1;
            let changed =
                Block::decode(vectors.dialect, bytes.into()).expect("the header is as it was");
            assert_eq!(changed.block_hash(), block.block_hash());
            assert!(
                changed.check_commitments().is_err(),
                "{}: byte {at} can be changed",
                vectors.dialect
            );
        }
    }
}

proptest! {
    #[test]
    fn mutated_blocks_never_panic_and_never_pass_for_signed(
        which in 0usize..3, at in any::<prop::sample::Index>(), flip in 1u8.., cut in any::<prop::sample::Index>(),
    ) {
        let vectors = &Vectors::all()[which];
        let rules = vectors.rules();
        let block = bytes(&vectors.blocks()[0]["combined"]["hex"]);
        let header_len = vectors.block(&vectors.blocks()[0]["combined"]["hex"]).header().encode().len();
        let mut changed = block.to_vec();
        changed[at.index(block.len())] ^= flip;
        if let Ok(decoded) = Block::decode(vectors.dialect, changed.into()) {
            let passes = rules.check_block(&decoded).is_ok() && decoded.check_commitments().is_ok();
            let sighash_only = vectors.dialect == Dialect::Dynafed && at.index(block.len()) < header_len;
            prop_assert!(!passes || sighash_only);
        }
        let cut = block.slice(..cut.index(block.len()));
        if let Ok(decoded) = Block::decode(vectors.dialect, cut) {
            prop_assert!(decoded.check_commitments().is_err());
        }
    }
}
