//! The status and the events of an operator as JSON.

use std::collections::BTreeSet;

use federation_block_signing::{RoundOutcome, RoundReport};
use serde_json::{Value, json};

use super::*;
use crate::StandstillCause;

const HASH: BlockHash = BlockHash::from_bytes([7; 32]);

fn hex() -> String {
    "07".repeat(32)
}

fn status() -> OperatorStatus {
    let alarm = Alarm::Missed {
        duty: Duty::Sign,
        blocks: 3,
        reason: "the PIN is locked".to_owned(),
        refused: true,
    };
    let trouble = Trouble {
        since: UnixTime::from_millis(1_700_000_000_000),
        code: alarm.code(),
        blocks: Some(3),
        text: "no signature".to_owned(),
    };
    OperatorStatus {
        height: BlockHeight::new(8),
        round: Round::new(1),
        leader: OperatorId::new(2),
        phase: Phase::NoTip,
        observing: false,
        tip: Some((BlockHeight::new(7), HASH)),
        tip_time: None,
        tip_signers: vec![OperatorId::new(0), OperatorId::new(2)],
        standstill: Some(Standstill {
            height: Some(BlockHeight::new(8)),
            round: Round::new(1),
            since: UnixTime::from_millis(5),
            needed: 2,
            heard: BTreeSet::from([OperatorId::new(0)]),
            behind: BTreeMap::from([(OperatorId::new(1), BlockHeight::new(6))]),
            absent: BTreeSet::new(),
            silent: BTreeSet::new(),
            cause: StandstillCause::TooFew,
        }),
        node: NodeState::Down("connection refused".to_owned()),
        peers: BTreeMap::new(),
        counters: Counters::default(),
        last_alarm: Some(alarm),
        troubles: BTreeMap::from([(Concern::Duty(Duty::Sign), trouble)]),
    }
}

#[test]
fn a_status_is_an_object_with_hashes_in_hex() {
    let json = serde_json::to_value(status()).expect("serialises");
    assert_eq!(json["tip"], json!([7, hex()]));
    assert_eq!(json["phase"], "no_tip");
    assert_eq!(json["node"], json!({"down": "connection refused"}));
    assert_eq!(json["standstill"]["behind"], json!({"1": 6}));
    assert_eq!(json["standstill"]["cause"], "too_few");
    assert_eq!(json["last_alarm"]["missed"]["duty"], "sign");
    let trouble = &json["troubles"]["duty.sign"];
    assert_eq!(trouble["code"], "FD004");
    assert_eq!(trouble["since"], 1_700_000_000_000_u64);
    assert_eq!(json["counters"]["bad_signature"], 0);
}

#[test]
fn each_concern_has_a_key_of_its_own() {
    let duties = Duty::ALL.map(Concern::Duty);
    let parts = [
        Part::IdentityKey,
        Part::BlockKey,
        Part::ReissuanceKey,
        Part::Policy,
        Part::Node,
        Part::Messenger,
    ]
    .map(Concern::Part);
    let keys: BTreeSet<_> = duties
        .iter()
        .chain(&parts)
        .map(|concern| serde_json::to_string(concern).expect("serialises"))
        .collect();
    assert_eq!(keys.len(), duties.len() + parts.len());
    assert!(!keys.contains("\"duty\"") && !keys.contains("\"part\""));
}

#[test]
fn events_are_tagged_and_have_hashes_in_hex() {
    let json =
        |event: &OperatorEvent| -> Value { serde_json::to_value(event).expect("serialises") };
    let tip = OperatorEvent::Tip {
        height: BlockHeight::new(7),
        hash: HASH,
    };
    assert_eq!(json(&tip), json!({"tip": {"height": 7, "hash": hex()}}));
    let report = RoundReport {
        height: BlockHeight::new(7),
        round: Round::FIRST,
        leader: OperatorId::new(1),
        outcome: RoundOutcome::Decided(HASH),
        proposal: Some(HASH),
        prevotes: BTreeMap::from([(OperatorId::new(1), Some(HASH)), (OperatorId::new(2), None)]),
        precommits: BTreeMap::new(),
        until_prevote: None,
        until_precommit: None,
        until_end: Duration::from_millis(1500),
    };
    let round = json(&OperatorEvent::Protocol(Event::RoundEnded(Box::new(
        report,
    ))));
    let round = &round["protocol"]["round_ended"];
    assert_eq!(round["outcome"], json!({"decided": hex()}));
    assert_eq!(round["prevotes"], json!({"1": hex(), "2": null}));
    assert_eq!(round["until_end"], json!({"secs": 1, "nanos": 500_000_000}));
    let reissued = OperatorEvent::Reissued {
        asset: elements::AssetId::from_byte_array([1; 32]),
        point: BlockHeight::new(9),
        amount: 5,
        txid: elements::Txid::from_byte_array([2; 32]),
    };
    let reissued = json(&reissued);
    assert_eq!(reissued["reissued"]["txid"], "02".repeat(32));
    assert_eq!(reissued["reissued"]["asset"], "01".repeat(32));
}
