//! Two parties compare their views.

use federation_ceremony::{
    Body, Ceremony, Difference, Proposal, Stage, Warning, differences, warnings,
};

use crate::common::{all_messages, gather, join_at, opened, proposal, propose, sign};

fn shown(differences: &[Difference]) -> Vec<(Stage, Option<&str>, &str)> {
    let shown = differences.iter();
    shown
        .map(|one| (one.stage, one.member.as_deref(), one.what.as_str()))
        .collect()
}

#[test]
fn the_order_of_messages_makes_no_difference() {
    let messages = all_messages();
    let reversed: Vec<_> = messages.iter().rev().cloned().collect();
    assert_eq!(differences(&gather(&messages), &gather(&reversed)), []);
}

#[test]
fn two_proposals_differ_field_by_field() {
    let other = Proposal {
        configuration: "chain=fedchain\ncon_blocksubsidy=0\n".to_owned(),
        threshold: 4,
        ..proposal(2, &[0, 1, 2, 4, 3])
    };
    let other = Ceremony::new(propose(other)).expect("a ceremony");
    let found = differences(&opened(), &other);
    assert_eq!(
        shown(&found),
        [
            (Stage::Proposal, None, "threshold"),
            (Stage::Proposal, None, "member 3"),
            (Stage::Proposal, None, "member 4"),
            (Stage::Proposal, None, "nonce"),
            (Stage::Proposal, None, "setting con_blocksubsidy"),
        ]
    );
    assert_eq!(found[0].left.as_deref(), Some("3"));
    assert_eq!(found[0].right.as_deref(), Some("4"));
    assert!(found.iter().all(Difference::is_contradiction));
    assert_ne!(opened().proposal_words(), other.proposal_words());
}

#[test]
fn joins_differ_by_member_and_field_and_so_do_their_words() {
    let id = opened().id();
    let with = |port| {
        let mut ceremony = opened();
        ceremony.add(join_at(id, 1, 7000)).expect("added");
        ceremony.add(join_at(id, 4, port)).expect("added");
        ceremony
    };
    let (left, mut right) = (with(7000), with(7001));
    right.add(join_at(id, 0, 7000)).expect("added");
    let found = differences(&left, &right);
    assert_eq!(
        shown(&found),
        [
            (Stage::Joins, Some("party-0"), "endpoint"),
            (Stage::Joins, Some("party-0"), "node"),
            (Stage::Joins, Some("party-0"), "block key"),
            (Stage::Joins, Some("party-0"), "peg key"),
            (Stage::Joins, Some("party-4"), "endpoint"),
        ]
    );
    // A missing message may still arrive; two that conflict will not change.
    assert!(!found[0].is_contradiction());
    assert!(found[4].is_contradiction());
    assert_eq!(left.proposal_words(), right.proposal_words());
    assert_eq!(left.join_words(1), right.join_words(1));
    assert_ne!(left.join_words(4), right.join_words(4));
    assert_eq!(left.join_words(0), None);
}

#[test]
fn approvals_differ_by_member() {
    let messages = all_messages();
    let left = gather(&messages);
    let mut right = gather(&messages[..5]);
    let mut approval = Ceremony::approval_of(&right.chain().expect("a chain"));
    approval.manifest = federation_ceremony::Digest::from_bytes([1; 32]);
    right
        .add(sign(left.id(), 2, Body::Approval(approval)))
        .expect("added");
    let found = differences(&left, &right);
    let contradictions: Vec<_> = found
        .iter()
        .filter(|one| one.is_contradiction())
        .cloned()
        .collect();
    assert_eq!(
        shown(&contradictions),
        [(Stage::Approvals, Some("party-2"), "manifest")]
    );
}

#[test]
fn a_threshold_that_tolerates_no_absence_is_warned_about() {
    let with = |threshold, members: &[u8]| {
        warnings(&Proposal {
            threshold,
            ..proposal(1, members)
        })
    };
    assert_eq!(with(3, &[0, 1, 2, 3, 4]), []);
    assert_eq!(with(5, &[0, 1, 2, 3, 4]), [Warning::AllMustSign(5)]);
    assert_eq!(with(1, &[0]), [Warning::Alone]);
    let text = Warning::AllMustSign(5).to_string();
    assert!(text.contains("above 2"), "{text}");
}

#[test]
fn an_address_that_two_parties_give_is_warned_about() {
    let id = opened().id();
    let mut ceremony = opened();
    ceremony.add(join_at(id, 0, 7000)).expect("added");
    assert_eq!(ceremony.warnings(), []);
    let Body::Join(mut join) = join_at(id, 1, 7000).body().clone() else {
        panic!("a join");
    };
    join.endpoint = "party-0.example:7000".to_owned();
    ceremony
        .add(sign(id, 1, Body::Join(join)))
        .expect("added, as it may be intended");
    assert_eq!(
        ceremony.warnings(),
        [Warning::SameAddress {
            first: "party-0".to_owned(),
            second: "party-1".to_owned(),
            address: "party-0.example:7000".to_owned(),
        }]
    );
}
