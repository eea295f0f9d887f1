//! Moving on: time-outs, later rounds, and what they are entered by.

use federation_block_signing::{Alarm, Event, Input, Message, Record, Refusal, Verdict, VoteKind};
use federation_chain::UnixTime;

use crate::driver::{
    Driver, Out, T0, candidate, certificate, hash, precommit, prevote, proposal, round_certificate,
    tip,
};

#[test]
fn m_nil_precommits_end_the_round_at_once() {
    let mut driver = Driver::started(0);
    driver.receive(1, precommit(1, 0, None));
    driver.receive(2, precommit(1, 0, None));
    assert_eq!(driver.round(), 0);
    driver.receive(3, precommit(1, 0, None));
    assert_eq!(driver.round(), 1);
}

#[test]
fn after_one_turn_of_leaders_rounds_end_by_the_clock() {
    let mut driver = Driver::started(0);
    for round in 0..5 {
        for sender in [1, 2, 3] {
            driver.receive(sender, precommit(1, round, None));
        }
    }
    assert_eq!(driver.round(), 5);
    for sender in [1, 2, 3] {
        driver.receive(sender, precommit(1, 5, None));
    }
    assert_eq!(driver.round(), 5);
    driver.pass(60_000);
    assert_eq!(driver.round(), 6);
}

#[test]
fn mixed_precommits_end_the_round_after_a_time_out() {
    let mut driver = Driver::precommitted(0, 7);
    driver.receive(1, precommit(1, 0, Some(7)));
    driver.receive(2, precommit(1, 0, None));
    assert_eq!(driver.round(), 0);
    driver.pass(300);
    assert_eq!(driver.round(), 1);
}

#[test]
fn mixed_prevotes_bring_a_nil_precommit_after_a_time_out() {
    let mut driver = Driver::prevoted(0, 7);
    driver.receive(1, prevote(1, 0, Some(7)));
    assert!(driver.receive(2, prevote(1, 0, None)).sent_nothing());
    assert!(driver.pass(300).has_sent(&precommit(1, 0, None)));
}

#[test]
fn alone_nobody_leaves_the_round() {
    let mut driver = Driver::started(0);
    driver.pass(600_000);
    assert_eq!(driver.round(), 0);
}

#[test]
fn nobody_is_followed_into_a_later_round_on_their_word_alone() {
    // Three of five, so that 2M - N is 1: with one liar everybody could be led through rounds.
    let mut driver = Driver::started(0);
    for round in [1, 4, 6, 99, 100_000, u32::MAX] {
        driver.receive(3, proposal(1, round, 7, None));
        driver.receive(3, prevote(1, round, None));
        driver.receive(3, precommit(1, round, None));
    }
    // Neither are two, however different the rounds in which they are.
    driver.receive(4, precommit(1, 6, None));
    assert_eq!(driver.round(), 0);
    driver.pass(7_200_000);
    assert_eq!(driver.round(), 0);
}

#[test]
fn m_precommits_of_a_later_round_seen_one_by_one_are_followed() {
    let mut driver = Driver::started(0);
    driver.receive(1, precommit(1, 5, None));
    driver.receive(2, precommit(1, 5, Some(7)));
    assert_eq!(driver.round(), 0);
    let out = driver.receive(3, precommit(1, 5, None));
    assert_eq!(driver.round(), 6);
    let entered = |r: &Record| matches!(r, Record::Round(_, round) if round.to_u32() == 6);
    assert!(out.records.iter().any(entered));
    // Nothing is said in the rounds that were left out.
    assert!(!out.sent.iter().any(|m| matches!(m, Message::Vote(_))));
}

#[test]
fn a_round_certificate_is_followed_however_far_its_round() {
    for round in [1, 50, 100_000] {
        let mut driver = Driver::started(0);
        let votes = [(1, None), (2, Some(7)), (4, Some(8))];
        driver.receive(3, round_certificate(1, round, &votes));
        assert_eq!(driver.round(), round + 1);
    }
}

#[test]
fn a_round_certificate_of_the_own_round_leaves_the_others_their_time() {
    let mut driver = Driver::started(0);
    let votes = [(1, None), (2, Some(7)), (4, Some(7))];
    driver.receive(3, round_certificate(1, 0, &votes));
    assert_eq!(driver.round(), 0);
    driver.pass(300);
    assert_eq!(driver.round(), 1);
}

#[test]
fn round_certificate_with_too_few_or_unknown_voters_is_nothing() {
    let mut driver = Driver::started(0);
    driver.receive(1, round_certificate(1, 5, &[(1, None), (2, None)]));
    driver.receive(
        1,
        round_certificate(1, 5, &[(1, None), (2, None), (9, None)]),
    );
    assert_eq!(driver.round(), 0);
}

#[test]
fn what_ended_the_round_before_is_repeated_also_after_a_restart() {
    let votes = [(1, None), (2, Some(7)), (4, None)];
    let certificate = round_certificate(1, 5, &votes);
    let mut driver = Driver::started(0);
    driver.receive(3, certificate.clone());
    assert!(driver.pass(1000).has_sent(&certificate));
    driver.restart_with(|config| config);
    assert!(driver.input(Input::Tip(tip(0))).has_sent(&certificate));
    assert_eq!(driver.round(), 6);
}

#[test]
fn votes_in_a_round_certificate_are_evidence_like_any_others() {
    let mut driver = Driver::started(0);
    driver.receive(2, precommit(1, 3, Some(7)));
    let votes = [(1, None), (2, Some(8)), (4, None)];
    let out = driver.receive(3, round_certificate(1, 3, &votes));
    assert_eq!(out.evidence, 1);
}

#[test]
fn an_own_precommit_in_a_round_certificate_that_was_not_sent_is_an_alarm() {
    let mut driver = Driver::started(0);
    let votes = [(0, Some(7)), (2, None), (4, None)];
    let out = driver.receive(3, round_certificate(1, 3, &votes));
    let alarm = |e: &Event| matches!(e, Event::Alarm(Alarm::OwnMessageFromElsewhere { .. }));
    assert!(out.events.iter().any(alarm));
}

#[test]
fn who_is_locked_follows_another_proof_of_the_same_round() {
    // A liar's two prevotes of one round made two proofs; three of five stand no liar, but the
    // honest must not be parted for good.
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    driver.body(2, candidate(0, 8));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[0, 1, 2]));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
    let votes = [(1, None), (2, None), (4, None)];
    driver.receive(3, round_certificate(1, 1, &votes));
    driver.receive(4, certificate(VoteKind::Prevote, 1, 0, 8, &[2, 3, 4]));
    driver.receive(3, proposal(1, 2, 8, Some(0)));
    let out = driver.tested(1, 8, Verdict::Valid);
    assert!(out.has_sent(&prevote(1, 2, Some(8))));
}

#[test]
fn a_block_from_a_clock_that_is_ahead_is_said_when_its_time_is_over() {
    let mut driver = Driver::started(0);
    let mut early = candidate(0, 7);
    early.time = UnixTime::from_millis(T0 + 3_600_000);
    driver.body(1, early);
    let out = driver.receive(1, proposal(1, 0, 7, None));
    assert!(out.sent_nothing());
    let out = driver.pass(60_000);
    let said = |e: &Event| {
        matches!(
            e,
            Event::Refused {
                reason: Refusal::TooLate,
                ..
            }
        )
    };
    assert!(out.has_sent(&prevote(1, 0, None)));
    assert!(out.events.iter().any(said));
}

#[test]
fn proof_from_an_earlier_round_reaches_who_missed_the_prevotes() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
}

#[test]
fn certificate_with_too_few_votes_is_nothing() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2]));
    assert!(out.sent_nothing());
    let out = driver.receive(2, certificate(VoteKind::Precommit, 1, 0, 7, &[1, 2, 9]));
    assert!(out.signs.is_empty());
}

/// Ends rounds by the votes of the others for nil until this one begins; what comes out then.
fn pass_to(driver: &mut Driver, round: u32) -> Out {
    loop {
        let now = driver.round();
        let nil = [prevote(1, now, None), precommit(1, now, None)];
        let mut said = nil
            .iter()
            .flat_map(|vote| [1, 3, 4].map(|sender| (sender, vote)));
        let begun = loop {
            let out = match said.next() {
                Some((sender, vote)) => driver.receive(sender, vote.clone()),
                None => driver.timeout(),
            };
            if driver.round() > now {
                break out;
            }
        };
        if driver.round() >= round {
            return begun;
        }
    }
}

fn proposed(out: &Out, fill: u8) -> bool {
    let is_it = |m: &Message| matches!(m, Message::Proposal(p) if p.hash == hash(fill));
    out.sent.iter().any(is_it)
}

/// Operator 2, who leads rounds 1 and 6, holds block 7 and a proof of lock for it from round 0,
/// after it precommitted nil there.
fn unlocked_leader_with_a_proof() -> Driver {
    let mut driver = Driver::started(2);
    driver.receive(1, proposal(1, 0, 7, None));
    driver.body(1, candidate(0, 7));
    for sender in [0, 3, 4] {
        driver.receive(sender, prevote(1, 0, None));
    }
    assert!(driver.pass(600).has_sent(&precommit(1, 0, None)));
    driver.receive(3, certificate(VoteKind::Prevote, 1, 0, 7, &[0, 1, 3]));
    driver
}

#[test]
fn leader_that_is_not_locked_makes_a_fresh_block_when_its_node_refuses_the_proven_one() {
    let mut driver = unlocked_leader_with_a_proof();
    // Never judged: M operators vouch for it.
    assert!(proposed(&pass_to(&mut driver, 1), 7));
    let refused = driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    assert!(refused.has_sent(&prevote(1, 1, None)));
    for round in [6, 11] {
        let begun = pass_to(&mut driver, round);
        assert!(!proposed(&begun, 7), "round {round}");
        assert_eq!(begun.templates, 1, "round {round}");
    }
    let fresh = |driver: &Driver, fill| federation_block_signing::Candidate {
        time: UnixTime::from_millis(driver.now),
        ..candidate(0, fill)
    };
    let block = fresh(&driver, 9);
    let out = driver.template(1, 11, block);
    assert!(proposed(&out, 9));
    // Whatever comes then, one proposal a round is all.
    let out = driver.receive(3, certificate(VoteKind::Prevote, 1, 10, 7, &[0, 1, 3]));
    assert!(!proposed(&out, 7));
    let block = fresh(&driver, 8);
    assert!(!proposed(&driver.template(1, 11, block), 8));
}

#[test]
fn locked_leader_proposes_its_block_again_though_its_node_refuses_it_now() {
    let mut driver = Driver::prevoted(2, 7);
    driver.receive(1, prevote(1, 0, Some(7)));
    let out = driver.receive(3, prevote(1, 0, Some(7)));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
    pass_to(&mut driver, 5);
    driver.receive(1, proposal(1, 5, 7, Some(0)));
    driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    assert!(proposed(&pass_to(&mut driver, 6), 7));
}

#[test]
fn leader_whose_node_takes_the_proven_block_again_proposes_it() {
    let mut driver = unlocked_leader_with_a_proof();
    pass_to(&mut driver, 1);
    driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    pass_to(&mut driver, 2);
    driver.receive(3, proposal(1, 2, 7, Some(0)));
    driver.tested(1, 7, Verdict::Valid);
    assert!(proposed(&pass_to(&mut driver, 6), 7));
}
