//! Turns, step by step.

use bytes::Bytes;
use federation_chain::{Dialect, FullParams, Header, HeaderFields, Params, Proof};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use secp256k1::{SECP256K1, SecretKey};

use super::*;
use crate::{TxSignatures, Verdict};

/// When a turn of operator 0 starts: 60 x 5 x n.
const START: u64 = 1_569_999_900;
const TIP: BlockHash = BlockHash::from_bytes([9; 32]);

fn keys() -> Vec<SecretKey> {
    (1..=5)
        .map(|i| SecretKey::from_slice(&[i; 32]).expect("a key"))
        .collect()
}

fn rules() -> SigningRules {
    rules_of(Dialect::Ocean)
}

fn rules_of(dialect: Dialect) -> SigningRules {
    let public = keys().iter().map(|key| key.public_key(SECP256K1)).collect();
    let threshold = Threshold::new(3).expect("a threshold");
    let script = MultisigScript::new(threshold, public, KeyOrder::AsGiven).expect("a script");
    let size = SigningRules::required_signature_size(dialect, &script);
    SigningRules::new(dialect, script, size).expect("rules")
}

/// Creates a dynafed block that proposes these parameters.
fn dynafed_block(proposed: Params) -> Block {
    let rules = rules_of(Dialect::Dynafed);
    let current = FullParams::new(
        rules.signing_script().to_vec().into(),
        rules.max_signature_size(),
        vec![0x51].into(),
        vec![0x51],
        Vec::new(),
    );
    let header = Header::new(HeaderFields {
        version: 1,
        previous: TIP,
        merkle_root: [1; 32],
        time: 1,
        height: BlockHeight::new(8),
        proof: Proof::Dynafed {
            current: current.into_compact(),
            proposed,
            witness: Vec::new(),
        },
    });
    let bytes = [header.encode(), vec![1, 0]].concat();
    Block::decode(Dialect::Dynafed, bytes.into()).expect("a block")
}

/// Returns parameters with an unknown signer.
fn unknown_signer() -> Params {
    let program = [&[0, 32][..], &[7; 32]].concat();
    Params::Full(FullParams::new(
        program.into(),
        254,
        vec![0x51].into(),
        vec![0x51],
        Vec::new(),
    ))
}

fn block_on(previous: BlockHash, height: u32, salt: u8) -> Block {
    let header = Header::new(HeaderFields {
        version: 1,
        previous,
        merkle_root: [salt; 32],
        time: 1,
        height: BlockHeight::new(height),
        proof: Proof::Ocean {
            contract: [0; 32],
            attestation: [0; 32],
            mapping: [0; 32],
            challenge: rules().signing_script().to_vec(),
            solution: Vec::new(),
        },
    });
    let bytes = [header.encode(), vec![1, 0]].concat();
    Block::decode(Dialect::Ocean, bytes.into()).expect("a block")
}

fn block(salt: u8) -> Block {
    block_on(TIP, 8, salt)
}

fn signature(block: &Block, key: usize) -> Signature {
    let message = secp256k1::Message::from_digest(block.block_hash().to_bytes());
    SECP256K1.sign_ecdsa(&message, &keys()[key])
}

/// Returns a time in milliseconds after the start of operator 0's turn.
fn at(millis: u64) -> UnixTime {
    UnixTime::from_millis(START * 1000 + millis)
}

fn drain(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

/// Returns an operator whose node is at height 7, in operator 0's turn, and that turn.
fn in_turn(me: usize) -> (Machine, Turn) {
    in_turn_of(rules(), me)
}

fn in_turn_of(rules: SigningRules, me: usize) -> (Machine, Turn) {
    let schedule = Schedule::new(Duration::from_secs(60), 5).expect("a schedule");
    let mut machine = Machine::new(Config::new(rules, schedule, me));
    machine.handle(at(0).saturating_sub(Duration::from_secs(20)), Input::Tick);
    assert_eq!(machine.poll_timeout(), Some(at(0)));
    machine.handle(at(0), Input::Tick);
    let [Output::AskChain(turn)] = drain(&mut machine)[..] else {
        panic!("the chain is requested first");
    };
    assert_eq!((turn.start(), turn.leader()), (at(0), 0));
    let view = Ok(ChainView {
        height: BlockHeight::new(7),
        tip: TIP,
        first_block: None,
    });
    machine.handle(at(5), Input::Chain { turn, view });
    (machine, turn)
}

fn proposal(block: &Block) -> Message {
    Message::Proposal {
        height: block.height(),
        block: block.as_bytes().clone(),
        reissuances: Vec::new(),
    }
}

fn receive(machine: &mut Machine, millis: u64, from: usize, message: Message) -> Vec<Output> {
    drain(machine);
    let from = Some(from);
    machine.handle(at(millis), Input::Received { from, message });
    drain(machine)
}

fn dropped(outputs: &[Output]) -> Option<&'static str> {
    match outputs {
        [Output::Event(Event::Dropped { reason, .. })] => Some(reason),
        _ => None,
    }
}

#[test]
fn a_proposal_is_tested_then_signed_then_published() {
    let (mut machine, turn) = in_turn(2);
    let block = block(1);
    let outputs = receive(&mut machine, 100, 0, proposal(&block));
    assert_eq!(
        outputs,
        [Output::TestBlock {
            turn,
            block: block.clone()
        }]
    );
    let hash = block.block_hash();
    let verdict = Verdict::Valid;
    machine.handle(
        at(200),
        Input::Tested {
            turn,
            hash,
            verdict,
        },
    );
    assert_eq!(
        drain(&mut machine),
        [Output::SignBlock {
            turn,
            block: block.clone(),
            reissuances: Vec::new(),
        }]
    );
    let signatures = vec![signature(&block, 2)];
    let published = Message::Signatures {
        height: block.height(),
        signatures: signatures.clone(),
        reissuances: None,
    };
    let signatures = Ok(signatures);
    let input = Input::Signed {
        turn,
        hash,
        signatures,
        reissuances: None,
    };
    machine.handle(at(300), input);
    assert_eq!(drain(&mut machine)[0], Output::Publish(published));
    // Any later proposal in this turn is dropped.
    let second = receive(&mut machine, 400, 0, proposal(&self::block(2)));
    assert_eq!(dropped(&second), Some("proposal outside its time"));
}

/// Nodes accept such blocks as valid, and enough of them would replace the federation's signers.
#[test]
fn votes_for_other_signers_are_neither_tested_nor_proposed() {
    let dynafed = || rules_of(Dialect::Dynafed);
    let (mut machine, _) = in_turn_of(dynafed(), 2);
    let outputs = receive(
        &mut machine,
        100,
        0,
        proposal(&dynafed_block(unknown_signer())),
    );
    let reason = "proposal is not a block of this chain and height";
    assert_eq!(dropped(&outputs), Some(reason));
    let outputs = receive(&mut machine, 200, 0, proposal(&dynafed_block(Params::Null)));
    assert!(matches!(outputs[..], [Output::TestBlock { .. }]));

    let (mut machine, turn) = in_turn_of(dynafed(), 0);
    drain(&mut machine);
    let block = Ok(dynafed_block(unknown_signer()).as_bytes().clone());
    let reissuances = Vec::new();
    machine.handle(
        at(100),
        Input::Template {
            turn,
            block,
            reissuances,
        },
    );
    let outputs = drain(&mut machine);
    assert!(
        matches!(&outputs[..], [Output::Event(Event::NoTemplate(reason))]
            if reason.contains("proposes other parameters")),
        "{outputs:?}"
    );
}

#[test]
fn unsuitable_proposals_are_dropped_with_the_reason() {
    for (from, block, reason) in [
        (1, block(1), "proposal of an operator out of turn"),
        (0, block_on(TIP, 9, 1), "proposal of another height"),
        (
            0,
            block_on(BlockHash::from_bytes([8; 32]), 8, 1),
            "proposal not on our node's best block",
        ),
    ] {
        let (mut machine, _) = in_turn(2);
        let outputs = receive(&mut machine, 100, from, proposal(&block));
        assert_eq!(dropped(&outputs), Some(reason));
        // A suitable one is accepted after it.
        let outputs = receive(&mut machine, 200, 0, proposal(&self::block(3)));
        assert!(matches!(outputs[..], [Output::TestBlock { .. }]));
    }
    let (mut machine, _) = in_turn(2);
    let mismatch = Message::Proposal {
        height: BlockHeight::new(8),
        block: block_on(TIP, 9, 1).as_bytes().clone(),
        reissuances: Vec::new(),
    };
    let garbage = Message::Proposal {
        height: BlockHeight::new(8),
        block: Bytes::from_static(&[1; 300]),
        reissuances: Vec::new(),
    };
    for message in [mismatch, garbage] {
        let outputs = receive(&mut machine, 100, 0, message);
        let reason = "proposal is not a block of this chain and height";
        assert_eq!(dropped(&outputs), Some(reason));
    }
    let outputs = receive(&mut machine, 20_000, 0, proposal(&block(1)));
    assert!(
        outputs.contains(&Output::Event(Event::NoProposal {
            height: BlockHeight::new(8),
            leader: 0
        })),
        "a third of the turn is over: {outputs:?}"
    );
}

#[test]
fn a_slightly_early_proposal_is_kept_for_its_turn() {
    let schedule = Schedule::new(Duration::from_secs(60), 5).expect("a schedule");
    let mut machine = Machine::new(Config::new(rules(), schedule, 2));
    machine.handle(at(0).saturating_sub(Duration::from_secs(20)), Input::Tick);
    let message = proposal(&block(1));
    let early = at(0).saturating_sub(Duration::from_secs(2));
    let from = Some(0);
    machine.handle(early, Input::Received { from, message });
    machine.handle(at(0), Input::Tick);
    let [Output::AskChain(turn)] = drain(&mut machine)[..] else {
        panic!("the chain is requested");
    };
    let view = Ok(ChainView {
        height: BlockHeight::new(7),
        tip: TIP,
        first_block: None,
    });
    machine.handle(at(5), Input::Chain { turn, view });
    assert!(matches!(
        drain(&mut machine)[..],
        [Output::Event(_), Output::TestBlock { .. }]
    ));
}

#[test]
fn a_proposal_that_the_node_refuses_or_tests_late_is_not_signed() {
    let (mut machine, turn) = in_turn(2);
    receive(&mut machine, 100, 0, proposal(&block(1)));
    let hash = block(1).block_hash();
    let verdict = Verdict::Invalid("no".to_owned());
    machine.handle(
        at(200),
        Input::Tested {
            turn,
            hash,
            verdict,
        },
    );
    assert!(matches!(
        drain(&mut machine)[..],
        [Output::Event(Event::Refused { .. })]
    ));
    receive(&mut machine, 300, 0, proposal(&block(2)));
    let hash = block(2).block_hash();
    let verdict = Verdict::Valid;
    machine.handle(
        at(30_000),
        Input::Tested {
            turn,
            hash,
            verdict,
        },
    );
    assert!(matches!(
        drain(&mut machine)[..],
        [Output::Event(Event::TooLate { .. })]
    ));
}

/// Returns operator 0 after it has proposed its block.
fn proposed() -> (Machine, Turn, Block) {
    let (mut machine, turn) = in_turn(0);
    assert_eq!(drain(&mut machine)[1], Output::AskTemplate(turn));
    let block = block(1);
    let template = Ok(block.as_bytes().clone());
    let input = Input::Template {
        turn,
        block: template,
        reissuances: Vec::new(),
    };
    machine.handle(at(10), input);
    assert_eq!(drain(&mut machine)[0], Output::Publish(proposal(&block)));
    (machine, turn, block)
}

fn signed_by(block: &Block, keys: &[usize]) -> Message {
    Message::Signatures {
        height: block.height(),
        signatures: keys.iter().map(|key| signature(block, *key)).collect(),
        reissuances: None,
    }
}

#[test]
fn our_signature_comes_last_and_completes_the_block() {
    let (mut machine, turn, block) = proposed();
    assert_eq!(receive(&mut machine, 100, 1, signed_by(&block, &[1])), []);
    // Neither a repeated signature nor one of another block counts.
    for message in [
        signed_by(&block, &[1]),
        signed_by(&self::block(7), &[2]),
        Message::Signatures {
            height: block.height(),
            signatures: vec![],
            reissuances: None,
        },
    ] {
        let outputs = receive(&mut machine, 200, 1, message);
        let reason = "no new signature of our block";
        assert_eq!(dropped(&outputs), Some(reason));
    }
    // Enough signatures, but an old operator may be about to sign.
    assert_eq!(receive(&mut machine, 300, 4, signed_by(&block, &[4])), []);
    assert_eq!(machine.poll_timeout(), Some(at(20_000)));
    machine.handle(at(20_000), Input::Tick);
    assert_eq!(
        drain(&mut machine),
        [Output::SignBlock {
            turn,
            block: block.clone(),
            reissuances: Vec::new(),
        }]
    );
    let input = Input::Signed {
        turn,
        hash: block.block_hash(),
        signatures: Ok(vec![signature(&block, 0)]),
        reissuances: None,
    };
    machine.handle(at(20_100), input);
    let outputs = drain(&mut machine);
    let Output::Submit(complete) = &outputs[0] else {
        panic!("the block is not submitted: {outputs:?}");
    };
    assert_eq!(rules().check_block(complete), Ok(()));
    assert_eq!(rules().signers(complete.header()), Ok(vec![0, 1, 4]));
}

#[test]
fn a_signature_with_high_s_counts() {
    let (mut machine, _, block) = proposed();
    let mut compact = signature(&block, 1).serialize_compact();
    // N - S is valid too, and the old program's hardware module may produce it.
    let s = SecretKey::from_slice(&compact[32..]).expect("below N");
    compact[32..].copy_from_slice(&s.negate()[..]);
    let high = Signature::from_compact(&compact).expect("a signature");
    assert_ne!(high, signature(&block, 1));
    let message = Message::Signatures {
        height: block.height(),
        signatures: vec![high],
        reissuances: None,
    };
    assert_eq!(receive(&mut machine, 100, 1, message), []);
}

#[test]
fn collecting_ends_at_half_of_the_turn() {
    let (mut machine, _, block) = proposed();
    receive(&mut machine, 100, 1, signed_by(&block, &[1]));
    assert_eq!(machine.poll_timeout(), Some(at(30_000)));
    machine.handle(at(30_000), Input::Tick);
    assert_eq!(
        drain(&mut machine),
        [Output::Event(Event::TooFewSignatures {
            height: block.height(),
            have: 1,
            need: 2
        })]
    );
    assert_eq!(machine.poll_timeout(), Some(at(60_000)));
}

#[test]
fn a_flood_of_one_sender_leaves_room_for_the_others() {
    let (mut machine, _, block) = proposed();
    for _ in 0..100 {
        receive(&mut machine, 100, 3, signed_by(&self::block(7), &[3]));
    }
    let outputs = receive(&mut machine, 150, 3, signed_by(&block, &[3]));
    assert_eq!(dropped(&outputs), Some("too many messages with signatures"));
    receive(&mut machine, 200, 1, signed_by(&block, &[1]));
    receive(&mut machine, 300, 2, signed_by(&block, &[2]));
    machine.handle(at(20_000), Input::Tick);
    assert!(matches!(
        drain(&mut machine)[..],
        [Output::SignBlock { .. }]
    ));
}

#[test]
fn after_a_clock_change_the_next_turn_is_a_whole_one() {
    let (mut machine, _) = in_turn(2);
    drain(&mut machine);
    machine.handle(at(3_600_500), Input::Tick);
    let requested =
        |outputs: Vec<Output>| outputs.iter().any(|one| matches!(one, Output::AskChain(_)));
    assert!(!requested(drain(&mut machine)));
    assert_eq!(machine.poll_timeout(), Some(at(3_660_000)));
    machine.handle(at(500), Input::Tick);
    assert!(!requested(drain(&mut machine)));
    assert_eq!(machine.poll_timeout(), Some(at(60_000)));
}

#[test]
fn it_ends_before_the_first_height_of_the_next_protocol() {
    let schedule = Schedule::new(Duration::from_secs(60), 5).expect("a schedule");
    let until = BlockHeight::new(8);
    let mut machine = Machine::new(Config::new(rules(), schedule, 0).until(until));
    machine.handle(at(0).saturating_sub(Duration::from_secs(20)), Input::Tick);
    machine.handle(at(0), Input::Tick);
    let [Output::AskChain(turn)] = drain(&mut machine)[..] else {
        panic!("the chain is requested");
    };
    let view = Ok(ChainView {
        height: BlockHeight::new(7),
        tip: TIP,
        first_block: None,
    });
    machine.handle(at(5), Input::Chain { turn, view });
    assert_eq!(drain(&mut machine), [Output::Finish { until }]);
}

mod any_order {
    use proptest::prelude::*;

    use super::*;

    /// Returns an input chosen by two bytes.
    fn input(kind: u8, salt: u8, turn: Turn) -> Input {
        let block = block(salt % 4);
        let hash = block.block_hash();
        let from = Some(usize::from(salt % 5));
        match kind % 7 {
            0 => Input::Tick,
            1 => Input::Received {
                from,
                message: proposal(&block),
            },
            2 => Input::Received {
                from,
                message: signed_by(&block, &[usize::from(salt % 5)]),
            },
            3 => Input::Tested {
                turn,
                hash,
                verdict: Verdict::Valid,
            },
            4 => Input::Signed {
                turn,
                hash,
                signatures: Ok(vec![signature(&block, 0)]),
                reissuances: None,
            },
            5 => Input::Template {
                turn,
                block: Ok(block.as_bytes().clone()),
                reissuances: Vec::new(),
            },
            _ => Input::Chain {
                turn,
                view: Ok(ChainView {
                    height: BlockHeight::new(7),
                    tip: TIP,
                    first_block: Some(at(0)),
                }),
            },
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn at_most_one_block_is_signed_per_turn(
            me in 0..5_usize,
            inputs in prop::collection::vec((any::<u8>(), any::<u8>(), 0..4_000_u64), 0..60),
        ) {
            let (mut machine, turn) = in_turn(me);
            let mut now = 5;
            let mut signed = BTreeMap::new();
            for (kind, salt, pause) in inputs {
                now += pause;
                machine.handle(at(now), input(kind, salt, turn));
                for output in drain(&mut machine) {
                    match output {
                        Output::SignBlock { turn, block, .. } => {
                            let hash = block.block_hash();
                            let first = *signed.entry(turn).or_insert(hash);
                            prop_assert_eq!(first, hash);
                        }
                        Output::Submit(block) => {
                            prop_assert_eq!(rules().check_block(&block), Ok(()));
                        }
                        _ => {}
                    }
                }
                // Once the requested tick is handled, the next one is later: it does not loop.
                machine.handle(at(now), Input::Tick);
                prop_assert!(machine.poll_timeout() > Some(at(now)));
                drain(&mut machine);
            }
        }
    }
}

#[test]
fn our_block_is_signed_as_soon_as_all_others_have_signed() {
    let (mut machine, _, block) = proposed();
    for key in 1..4 {
        assert_eq!(
            receive(&mut machine, 100, key, signed_by(&block, &[key])),
            []
        );
    }
    let outputs = receive(&mut machine, 200, 4, signed_by(&block, &[4]));
    assert!(matches!(outputs[..], [Output::SignBlock { .. }]));
}

fn reissuance() -> RawReissuance {
    RawReissuance {
        hex: "02".to_owned(),
        asset: "aa".to_owned(),
        token: "bb".to_owned(),
        txid: "cc".to_owned(),
        vout: 1,
    }
}

fn tx_signed_by(block: &Block, id: usize) -> Message {
    Message::Signatures {
        height: block.height(),
        signatures: vec![signature(block, id)],
        reissuances: Some(TxSignatures {
            id,
            signatures: vec![format!("0{id}")],
        }),
    }
}

/// Returns operator 0 after it has proposed its block with a reissuance.
fn proposed_with_reissuance() -> (Machine, Turn, Block) {
    let (mut machine, turn) = in_turn(0);
    drain(&mut machine);
    let block = block(1);
    let input = Input::Template {
        turn,
        block: Ok(block.as_bytes().clone()),
        reissuances: vec![reissuance()],
    };
    machine.handle(at(10), input);
    let outputs = drain(&mut machine);
    let Output::Publish(Message::Proposal { reissuances, .. }) = &outputs[0] else {
        panic!("the block is not proposed: {outputs:?}");
    };
    assert_eq!(*reissuances, [reissuance()]);
    (machine, turn, block)
}

/// Returns the signatures of the reissuance that is sent before the block is signed.
fn reissued(outputs: &[Output]) -> Option<&[Vec<String>]> {
    match outputs {
        [
            Output::Reissue {
                reissuances,
                signatures,
            },
            Output::SignBlock { .. },
        ] => {
            assert_eq!(*reissuances, [reissuance()]);
            Some(signatures)
        }
        _ => None,
    }
}

#[test]
fn a_reissuance_waits_for_all_and_is_sent_before_the_block() {
    let (mut machine, _, block) = proposed_with_reissuance();
    for id in 1..4 {
        let outputs = receive(&mut machine, 100, id, tx_signed_by(&block, id));
        assert_eq!(
            outputs,
            [],
            "enough for the block, but not for the tokens' script"
        );
    }
    let outputs = receive(&mut machine, 100, 4, tx_signed_by(&block, 4));
    let all: Vec<_> = (1..5).map(|id| vec![format!("0{id}")]).collect();
    assert_eq!(reissued(&outputs), Some(&all[..]));
}

#[test]
fn waiting_for_a_reissuance_ends_at_half_of_the_turn() {
    let (mut machine, _, block) = proposed_with_reissuance();
    receive(&mut machine, 100, 1, tx_signed_by(&block, 1));
    // Only the block, like an operator that would reissue differently.
    receive(&mut machine, 200, 2, signed_by(&block, &[2]));
    machine.handle(at(30_000), Input::Tick);
    let outputs = drain(&mut machine);
    assert_eq!(reissued(&outputs), Some(&[vec!["01".to_owned()]][..]));
}

#[test]
fn reissuance_signatures_with_a_wrong_index_or_count_are_ignored() {
    let (mut machine, _, block) = proposed_with_reissuance();
    receive(&mut machine, 100, 1, tx_signed_by(&block, 1));
    receive(&mut machine, 200, 2, signed_by(&block, &[2]));
    for (id, count) in [(5, 1), (usize::MAX, 1), (3, 0), (3, 2)] {
        let message = Message::Signatures {
            height: block.height(),
            signatures: vec![],
            reissuances: Some(TxSignatures {
                id,
                signatures: vec!["ff".to_owned(); count],
            }),
        };
        receive(&mut machine, 300, 3, message);
    }
    machine.handle(at(30_000), Input::Tick);
    assert_eq!(
        reissued(&drain(&mut machine)),
        Some(&[vec!["01".to_owned()]][..])
    );
}

#[test]
fn the_leaders_reissuances_are_signed_with_its_block_and_published_with_our_index() {
    let (mut machine, turn) = in_turn(2);
    let block = block(1);
    let message = Message::Proposal {
        height: block.height(),
        block: block.as_bytes().clone(),
        reissuances: vec![reissuance()],
    };
    receive(&mut machine, 100, 0, message);
    let hash = block.block_hash();
    let verdict = Verdict::Valid;
    let tested = Input::Tested {
        turn,
        hash,
        verdict,
    };
    machine.handle(at(200), tested);
    let sign = Output::SignBlock {
        turn,
        block: block.clone(),
        reissuances: vec![reissuance()],
    };
    assert_eq!(drain(&mut machine), [sign]);
    let signed = Input::Signed {
        turn,
        hash,
        signatures: Ok(vec![signature(&block, 2)]),
        reissuances: Some(vec!["47".to_owned()]),
    };
    machine.handle(at(300), signed);
    let outputs = drain(&mut machine);
    let Output::Publish(Message::Signatures { reissuances, .. }) = &outputs[0] else {
        panic!("nothing is published: {outputs:?}");
    };
    let expected = TxSignatures {
        id: 2,
        signatures: vec!["47".to_owned()],
    };
    assert_eq!(*reissuances, Some(expected));
}
