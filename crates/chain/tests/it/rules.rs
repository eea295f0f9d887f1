//! A block that violates one rule is refused, whatever the federation.

use std::collections::{BTreeMap, BTreeSet};

use elements::{Script, dynafed::FullParams};
use federation_chain::{
    AssembleError, Block, BlockHash, BlockHeight, CheckError, Dialect, Header, HeaderFields,
    Params, Proof, SigningRules, signature_of_signblock, signblock_of_signature,
};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use proptest::prelude::*;
use secp256k1::{Message, SECP256K1, SecretKey, ecdsa::Signature};

use crate::support::Vectors;

/// Rebuilds a header with the items of its solution or witness changed.
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
    let compact = signature_of_signblock(dialect, item)
        .expect("a signature")
        .serialize_compact();
    let s = SecretKey::from_slice(&compact[32..])
        .expect("a scalar")
        .negate();
    let flipped = [&compact[..32], &s.secret_bytes()].concat();
    signblock_of_signature(
        dialect,
        &Signature::from_compact(&flipped).expect("a signature"),
    )
}

#[test]
fn a_block_that_violates_a_script_rule_is_refused_for_that_rule() {
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
            for byte in [0, 2, 3, 4, 0x81] {
                assert_eq!(
                    check(&|items| *items[1].last_mut().expect("byte") = byte),
                    Err(CheckError::Sighash { index: 0, byte })
                );
            }
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

/// A chain with an arbitrary federation, and the signers of a block.
#[derive(Debug, Clone)]
struct Chain {
    dialect: Dialect,
    secrets: Vec<SecretKey>,
    threshold: u8,
    signers: BTreeSet<usize>,
    time: u32,
    compact: bool,
    /// How far the limit on the signatures' size is above the size needed.
    spare: u32,
}

impl Chain {
    fn any() -> impl Strategy<Value = Self> {
        let federation = (1u8..=20).prop_flat_map(|keys| (Just(keys), 1..=keys));
        (
            prop::sample::select(&Dialect::ALL[..]),
            federation,
            any::<prop::sample::Index>(),
            any::<u32>(),
            any::<bool>(),
        )
            .prop_flat_map(|(dialect, (keys, threshold), first, time, compact)| {
                let secrets: Vec<_> = (0..keys)
                    .map(|i| secret(u32::from(i) + 1 + first.index(1000) as u32))
                    .collect();
                let indexes: Vec<_> = (0..secrets.len()).collect();
                prop::sample::subsequence(indexes, usize::from(threshold)).prop_map(
                    move |signers| Self {
                        dialect,
                        secrets: secrets.clone(),
                        threshold,
                        signers: signers.into_iter().collect(),
                        time,
                        compact,
                        spare: 0,
                    },
                )
            })
    }

    fn rules(&self) -> SigningRules {
        let keys = self.secrets.iter().map(|key| key.public_key(SECP256K1));
        let threshold = Threshold::new(self.threshold).expect("in range");
        let script = MultisigScript::new(threshold, keys.collect(), KeyOrder::AsGiven)
            .expect("keys are distinct");
        let limit = SigningRules::required_signature_size(self.dialect, &script) + self.spare;
        SigningRules::new(self.dialect, script, limit).expect("the limit is enough")
    }

    /// An unsigned block, with a limit in its header if the dialect has one there.
    fn unsigned(&self, limit: u32) -> Block {
        let rules = self.rules();
        let challenge = rules.signing_script().to_vec();
        let proof = match self.dialect {
            Dialect::Ocean => Proof::Ocean {
                contract: [1; 32],
                attestation: [2; 32],
                mapping: [3; 32],
                challenge,
                solution: vec![],
            },
            Dialect::Elements => Proof::Signed {
                challenge,
                solution: vec![],
            },
            Dialect::Dynafed => {
                let full = FullParams::new(
                    Script::from(challenge),
                    limit,
                    bitcoin::ScriptBuf::new(),
                    vec![0x51],
                    vec![],
                );
                Proof::Dynafed {
                    current: if self.compact {
                        full.into_compact()
                    } else {
                        Params::Full(full)
                    },
                    proposed: Params::Null,
                    witness: vec![],
                }
            }
        };
        let header = Header::new(HeaderFields {
            version: 1,
            previous: BlockHash::from_bytes([4; 32]),
            merkle_root: [5; 32],
            time: self.time,
            height: BlockHeight::new(self.time / 60),
            proof,
        });
        Block::from_parts(header, &[])
    }

    fn sign(&self, hash: BlockHash) -> BTreeMap<usize, Signature> {
        let signers = self.signers.iter();
        signers
            .map(|&index| (index, signature(&self.secrets[index], hash)))
            .collect()
    }
}

fn secret(number: u32) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_slice(&bytes).expect("a small number is a key")
}

fn signature(key: &SecretKey, hash: BlockHash) -> Signature {
    SECP256K1.sign_ecdsa(&Message::from_digest(hash.to_bytes()), key)
}

/// The ways in which one signature, or the list of them, can be wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    OtherOrder,
    OneTooFew,
    OneTwice,
    OneTooMany,
    OneReplacedByAnother,
    HighS,
    SighashByte(u8),
    StrangersKey,
    OtherHash,
    OneByteLonger,
    NoEmptyItem,
    Oversized,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::OtherOrder),
        Just(Fault::OneTooFew),
        Just(Fault::OneTwice),
        Just(Fault::OneTooMany),
        Just(Fault::OneReplacedByAnother),
        Just(Fault::HighS),
        any::<u8>()
            .prop_filter("ALL", |byte| *byte != 1)
            .prop_map(Fault::SighashByte),
        Just(Fault::StrangersKey),
        Just(Fault::OtherHash),
        Just(Fault::OneByteLonger),
        Just(Fault::NoEmptyItem),
        Just(Fault::Oversized),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_m_of_n_signatures_in_script_order_complete_a_block(chain in Chain::any()) {
        let rules = chain.rules();
        let unsigned = chain.unsigned(rules.max_signature_size());
        prop_assert!(unsigned.is_unsigned());
        prop_assert!(rules.check_block(&unsigned).is_err());
        let signatures = chain.sign(unsigned.block_hash());
        let complete = rules.assemble(&unsigned, &signatures);
        let complete = complete.expect("complete");
        prop_assert!(!complete.is_unsigned());
        prop_assert_eq!(complete.block_hash(), unsigned.block_hash());
        prop_assert_eq!(rules.check_block(&complete), Ok(()));
        prop_assert_eq!(rules.signers(complete.header()), Ok(chain.signers.iter().copied().collect()));
        prop_assert_eq!(&complete.without_signatures(), &unsigned);
        let again = Block::decode(chain.dialect, complete.as_bytes().clone());
        // It has no transactions and so is not a block, but its header decodes.
        prop_assert!(again.is_err());
        let header = Header::decode(chain.dialect, &complete.header().encode());
        prop_assert_eq!(header.as_ref(), Ok(complete.header()));

        let fewer: BTreeMap<_, _> = signatures.into_iter().skip(1).collect();
        let too_few = rules.assemble(&unsigned, &fewer);
        prop_assert!(matches!(too_few, Err(AssembleError::TooFew { .. })), "{:?}", too_few);
    }

    #[test]
    fn a_fault_in_any_signature_is_refused(
        // Room for one more signature, so that the fault is found and not the size.
        chain in Chain::any().prop_map(|chain| Chain { spare: 100, ..chain }),
        fault in fault(), which in any::<prop::sample::Index>(),
    ) {
        let rules = chain.rules();
        let dialect = chain.dialect;
        let unsigned = chain.unsigned(rules.max_signature_size());
        let hash = unsigned.block_hash();
        let complete = rules.assemble(&unsigned, &chain.sign(hash)).expect("complete");
        let threshold = usize::from(chain.threshold);
        let which = which.index(threshold);
        let at = which + 1;
        let header = with_items(complete.header(), |items| match fault {
            // A single signature has no other order: it is omitted instead.
            Fault::OtherOrder if threshold == 1 => {
                items.remove(at);
            }
            Fault::OtherOrder => items[1..=threshold].rotate_left(1 + which % (threshold - 1)),
            Fault::OneTooFew => {
                items.remove(at);
            }
            Fault::OneTwice => items.insert(at, items[at].clone()),
            Fault::OneTooMany => {
                let more = signature(&secret(5000), hash);
                items.insert(at, signblock_of_signature(dialect, &more));
            }
            // With M = 1 there is no other signature.
            Fault::OneReplacedByAnother if threshold == 1 => items[at] = vec![],
            Fault::OneReplacedByAnother => items[at] = items[1 + (which + 1) % threshold].clone(),
            Fault::HighS => items[at] = high_s(&items[at], dialect),
            Fault::SighashByte(byte) => {
                if dialect == Dialect::Dynafed {
                    items[at].pop();
                }
                items[at].push(byte);
            }
            Fault::StrangersKey => {
                items[at] = signblock_of_signature(dialect, &signature(&secret(5000), hash));
            }
            Fault::OtherHash => {
                let index = *chain.signers.iter().nth(which).expect("a signer");
                let other = signature(&chain.secrets[index], BlockHash::from_bytes([9; 32]));
                items[at] = signblock_of_signature(dialect, &other);
            }
            Fault::OneByteLonger => items[at].push(1),
            Fault::NoEmptyItem => {
                items.remove(0);
            }
            Fault::Oversized => items.extend(vec![vec![]; 72 * 20 + 1000]),
        });
        let found = rules.check_block(&complete.with_header(header));
        match fault {
            Fault::HighS => prop_assert_eq!(found, Err(CheckError::HighS(which))),
            Fault::StrangersKey | Fault::OtherHash => {
                prop_assert_eq!(found, Err(CheckError::Signature(which)));
            }
            Fault::SighashByte(byte) if dialect == Dialect::Dynafed => {
                prop_assert_eq!(found, Err(CheckError::Sighash { index: which, byte }));
            }
            Fault::Oversized => {
                let too_large = matches!(found, Err(CheckError::TooLarge { .. }));
                prop_assert!(too_large, "{:?}", found);
            }
            _ => prop_assert!(found.is_err()),
        }
    }

    #[test]
    fn a_dynafed_witness_may_be_as_large_as_the_header_says_and_no_larger(
        chain in Chain::any().prop_map(|chain| Chain { dialect: Dialect::Dynafed, ..chain }),
    ) {
        let rules = chain.rules();
        let size_of = |limit| {
            let unsigned = chain.unsigned(limit);
            let complete = rules.assemble(&unsigned, &chain.sign(unsigned.block_hash()));
            complete.map(|block| {
                let stripped = block.without_signatures();
                // The empty witness is one byte, its count.
                block.as_bytes().len() - stripped.as_bytes().len() + 1
            })
        };
        let size = size_of(rules.max_signature_size()).expect("complete");
        let size = u32::try_from(size).expect("small");
        prop_assert!(size <= rules.max_signature_size());
        // Another limit gives another hash and so other signatures, of another size.
        for limit in size - 4..size + 4 {
            match size_of(limit) {
                Ok(size) => prop_assert!(size <= limit as usize),
                Err(AssembleError::Check(CheckError::TooLarge { size, allowed })) => {
                    prop_assert_eq!(allowed, limit);
                    prop_assert!(size > limit as usize);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
