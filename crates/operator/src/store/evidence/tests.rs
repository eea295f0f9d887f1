//! Evidence in the store: it is read back whole, and anyone can check it.

use std::path::Path;

use federation_block_signing::{
    BlockSignature, CompactSignature, IdentitySignature, Proposal, Vote, VoteKind,
};
use federation_chain::{BlockHash, Dialect, SigningRules};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_roster::Member;
use secp256k1::{Keypair, SECP256K1};

use super::*;
use crate::{Store, status::EvidenceReport};

const ME: OperatorId = OperatorId::new(0);
const LIAR: OperatorId = OperatorId::new(1);
const HEIGHT: BlockHeight = BlockHeight::new(7);

fn keypair(operator: OperatorId) -> Keypair {
    Keypair::from_seckey_slice(SECP256K1, &[operator.to_u8() + 1; 32]).expect("a key")
}

fn federation() -> Federation {
    let operators: Vec<Member> = (0..3)
        .map(OperatorId::new)
        .map(|id| Member {
            name: format!("operator-{id}"),
            identity: keypair(id).x_only_public_key().0,
            block_key: Keypair::from_seckey_slice(SECP256K1, &[id.to_u8() + 101; 32])
                .expect("a key")
                .public_key(),
            endpoint: format!("operator-{id}.example:1"),
        })
        .collect();
    let keys = operators.iter().map(|operator| operator.block_key);
    let threshold = Threshold::new(2).expect("two");
    let script = MultisigScript::new(threshold, keys.collect(), KeyOrder::AsGiven).expect("small");
    let rules = SigningRules::new(Dialect::Dynafed, script, 500).expect("room");
    let genesis = BlockHash::from_bytes([1; 32]);
    let interval = core::time::Duration::from_secs(1);
    Federation::new(operators, rules, genesis, interval).expect("a federation")
}

const fn hash(n: u8) -> BlockHash {
    BlockHash::from_bytes([n; 32])
}

fn vote(height: BlockHeight, block: Option<u8>) -> Message {
    Message::Vote(Vote {
        kind: VoteKind::Prevote,
        height,
        round: Round::new(2),
        value: block.map(hash),
    })
}

fn proposal(block: u8) -> Message {
    Message::Proposal(Proposal {
        height: HEIGHT,
        round: Round::FIRST,
        hash: hash(block),
        valid_round: None,
    })
}

fn block_signature(block: u8, signature: u8) -> Message {
    Message::BlockSignature(BlockSignature {
        height: HEIGHT,
        hash: hash(block),
        signature: CompactSignature::from_bytes([signature; 64]),
    })
}

fn signed(sender: OperatorId, message: Message) -> SignedMessage {
    let parts = message.to_parts();
    let unsigned = UnsignedEnvelope {
        head: EnvelopeHead {
            federation: federation().id(),
            sender,
            kind: parts.kind,
            height: parts.height,
            round: parts.round,
        },
        payload: parts.payload,
    };
    let signature = SECP256K1.sign_schnorr_no_aux_rand(&unsigned.message(), &keypair(sender));
    SignedMessage {
        sender,
        message,
        signature: IdentitySignature::from_bytes(signature.serialize()),
    }
}

fn evidence(sender: OperatorId, first: Message, second: Message) -> Evidence {
    Evidence {
        first: signed(sender, first),
        second: signed(sender, second),
    }
}

fn open(folder: &Path) -> Store {
    Store::open(folder, federation().id(), ME).expect("it opens")
}

#[test]
fn evidence_of_each_kind_survives_reopening_and_can_be_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let pieces = [
        (vote(HEIGHT, Some(1)), vote(HEIGHT, None), "prevote"),
        (proposal(1), proposal(2), "proposal"),
        (
            block_signature(1, 1),
            block_signature(2, 1),
            "block signature",
        ),
    ];
    let store = open(folder.path());
    for (first, second, _) in &pieces {
        let kept = store.keep_evidence(&evidence(LIAR, first.clone(), second.clone()));
        assert_eq!(kept, Ok(true));
    }
    drop(store);
    let stored = open(folder.path()).evidence().expect("readable");
    assert_eq!(stored.len(), pieces.len());
    for (number, (stored, (first, second, kind))) in stored.iter().zip(&pieces).enumerate() {
        assert_eq!(stored.number(), number as u64);
        assert_eq!((stored.culprit(), stored.height()), (LIAR, HEIGHT));
        assert_eq!(stored.round(), first.round());
        assert_eq!(stored.kind(), *kind);
        let messages = stored.messages().map(message_of);
        assert_eq!(messages, [Some(first.clone()), Some(second.clone())]);
        assert_eq!(stored.check(&federation()), Ok(()));
        // The JSON for third parties holds the same.
        let report = EvidenceReport::new(stored, &federation());
        assert_eq!(report.operator, "operator-1");
        let json = serde_json::to_string(&report).expect("plain data");
        let report: EvidenceReport = serde_json::from_str(&json).expect("the same");
        assert_eq!(report.check(&federation()).as_ref(), Ok(stored));
    }
}

#[test]
fn a_changed_report_of_evidence_is_rejected() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let lie = evidence(LIAR, vote(HEIGHT, Some(1)), vote(HEIGHT, Some(2)));
    store.keep_evidence(&lie).expect("kept");
    let report = EvidenceReport::new(&store.evidence().expect("readable")[0], &federation());
    for at in 0..report.messages[1].envelope.len() {
        let mut changed = report.clone();
        let digit = &mut changed.messages[1].envelope;
        let other = if &digit[at..=at] == "0" { "1" } else { "0" };
        digit.replace_range(at..=at, other);
        assert!(changed.check(&federation()).is_err(), "digit {at}");
    }
    let mut same = report.clone();
    same.messages[1] = same.messages[0].clone();
    assert!(same.check(&federation()).is_err());
}

#[test]
fn messages_of_an_honest_operator_are_not_evidence() {
    let check = |evidence: &Evidence| {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        store.keep_evidence(evidence).expect("kept");
        store.evidence().expect("readable")[0].check(&federation())
    };
    for (first, second) in [
        (vote(HEIGHT, Some(1)), vote(HEIGHT, Some(1))),
        (vote(HEIGHT, Some(1)), vote(HEIGHT.next(), Some(2))),
        (block_signature(1, 1), block_signature(1, 2)),
        (vote(HEIGHT, Some(1)), proposal(2)),
    ] {
        assert_eq!(
            check(&evidence(LIAR, first, second)),
            Err(EvidenceError::NoContradiction)
        );
    }
    let mut forged = evidence(LIAR, vote(HEIGHT, Some(1)), vote(HEIGHT, Some(2)));
    forged.second = signed(ME, vote(HEIGHT, Some(2)));
    forged.second.sender = LIAR;
    assert_eq!(
        check(&forged),
        Err(EvidenceError::Signature(EnvelopeError::Signature(LIAR)))
    );
    let stranger = OperatorId::new(9);
    assert_eq!(
        check(&evidence(
            stranger,
            vote(HEIGHT, Some(1)),
            vote(HEIGHT, Some(2))
        )),
        Err(EvidenceError::UnknownSender(stranger))
    );
}

#[test]
fn evidence_is_stored_once_and_one_liar_does_not_crowd_out_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |sender, height: usize| {
        let height = BlockHeight::new(u32::try_from(height).expect("small"));
        evidence(sender, vote(height, Some(1)), vote(height, Some(2)))
    };
    let store = open(folder.path());
    assert_eq!(store.keep_evidence(&at(LIAR, 0)), Ok(true));
    assert_eq!(store.keep_evidence(&at(LIAR, 0)), Ok(false));
    for height in 1..MAX_EACH {
        assert_eq!(store.keep_evidence(&at(LIAR, height)), Ok(true));
    }
    assert_eq!(store.keep_evidence(&at(LIAR, MAX_EACH)), Ok(false));
    let other = OperatorId::new(2);
    assert_eq!(store.keep_evidence(&at(other, 0)), Ok(true));
    let stored = store.evidence().expect("readable");
    assert_eq!(stored.len(), MAX_EACH + 1);
    assert_eq!(stored.last().map(StoredEvidence::culprit), Some(other));
}
