//! Changing rounds: timeouts, later rounds, and the certificates that justify entering them.

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
fn after_the_first_n_rounds_a_round_ends_by_timeout() {
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
fn mixed_precommits_end_the_round_after_a_timeout() {
    let mut driver = Driver::precommitted(0, 7);
    driver.receive(1, precommit(1, 0, Some(7)));
    driver.receive(2, precommit(1, 0, None));
    assert_eq!(driver.round(), 0);
    driver.pass(300);
    assert_eq!(driver.round(), 1);
}

#[test]
fn mixed_prevotes_lead_to_a_nil_precommit_after_a_timeout() {
    let mut driver = Driver::prevoted(0, 7);
    driver.receive(1, prevote(1, 0, Some(7)));
    assert!(driver.receive(2, prevote(1, 0, None)).sent_nothing());
    assert!(driver.pass(300).has_sent(&precommit(1, 0, None)));
}

#[test]
fn an_isolated_operator_stays_in_its_round() {
    let mut driver = Driver::started(0);
    driver.pass(600_000);
    assert_eq!(driver.round(), 0);
}

#[test]
fn a_minority_is_not_followed_into_later_rounds() {
    // Three of five, so 2M - N is 1: one liar could lead every operator through rounds.
    let mut driver = Driver::started(0);
    for round in [1, 4, 6, 99, 100_000, u32::MAX] {
        driver.receive(3, proposal(1, round, 7, None));
        driver.receive(3, prevote(1, round, None));
        driver.receive(3, precommit(1, round, None));
    }
    // Neither are two, whatever rounds they are in.
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
    // Nothing is sent in the rounds that were skipped.
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
fn a_round_certificate_of_the_current_round_does_not_skip_the_timeout() {
    let mut driver = Driver::started(0);
    let votes = [(1, None), (2, Some(7)), (4, Some(7))];
    driver.receive(3, round_certificate(1, 0, &votes));
    assert_eq!(driver.round(), 0);
    driver.pass(300);
    assert_eq!(driver.round(), 1);
}

#[test]
fn round_certificate_with_too_few_or_unknown_voters_is_ignored() {
    let mut driver = Driver::started(0);
    driver.receive(1, round_certificate(1, 5, &[(1, None), (2, None)]));
    driver.receive(
        1,
        round_certificate(1, 5, &[(1, None), (2, None), (9, None)]),
    );
    assert_eq!(driver.round(), 0);
}

#[test]
fn the_certificate_of_the_previous_round_is_retransmitted_also_after_a_restart() {
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
fn votes_in_a_round_certificate_are_evidence_like_any_other() {
    let mut driver = Driver::started(0);
    driver.receive(2, precommit(1, 3, Some(7)));
    let votes = [(1, None), (2, Some(8)), (4, None)];
    let out = driver.receive(3, round_certificate(1, 3, &votes));
    assert_eq!(out.evidence, 1);
}

#[test]
fn a_precommit_in_a_round_certificate_that_this_machine_never_sent_is_an_alarm() {
    let mut driver = Driver::started(0);
    let votes = [(0, Some(7)), (2, None), (4, None)];
    let out = driver.receive(3, round_certificate(1, 3, &votes));
    let alarm = |e: &Event| matches!(e, Event::Alarm(Alarm::OwnMessageFromElsewhere { .. }));
    assert!(out.events.iter().any(alarm));
}

#[test]
fn a_locked_operator_follows_another_proof_of_the_same_round() {
    // A liar's two prevotes in one round made two proofs. Three of five tolerate no liar, but the
    // honest operators must not be divided for good.
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
fn a_block_from_a_clock_that_is_ahead_is_refused_at_the_timeout() {
    let mut driver = Driver::started(0);
    let mut early = candidate(0, 7);
    early.time = UnixTime::from_millis(T0 + 3_600_000);
    driver.body(1, early);
    let out = driver.receive(1, proposal(1, 0, 7, None));
    assert!(out.sent_nothing());
    let out = driver.pass(60_000);
    let refused = |e: &Event| {
        matches!(
            e,
            Event::Refused {
                reason: Refusal::TooLate,
                ..
            }
        )
    };
    assert!(out.has_sent(&prevote(1, 0, None)));
    assert!(out.events.iter().any(refused));
}

#[test]
fn a_proof_of_lock_replaces_missed_prevotes() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2, 3]));
    assert!(out.has_sent(&precommit(1, 0, Some(7))));
}

#[test]
fn certificate_with_too_few_votes_is_ignored() {
    let mut driver = Driver::started(0);
    driver.body(1, candidate(0, 7));
    let out = driver.receive(2, certificate(VoteKind::Prevote, 1, 0, 7, &[1, 2]));
    assert!(out.sent_nothing());
    let out = driver.receive(2, certificate(VoteKind::Precommit, 1, 0, 7, &[1, 2, 9]));
    assert!(out.signs.is_empty());
}

/// Ends rounds by the others' votes for nil until this one begins, and returns the outputs of that.
fn pass_to(driver: &mut Driver, round: u32) -> Out {
    loop {
        let now = driver.round();
        let nil = [prevote(1, now, None), precommit(1, now, None)];
        let mut votes = nil
            .iter()
            .flat_map(|vote| [1, 3, 4].map(|sender| (sender, vote)));
        let begun = loop {
            let out = match votes.next() {
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

/// Returns operator 2, which leads rounds 1 and 6 and holds block 7 and a proof of lock for it from
/// round 0, after it precommitted nil there.
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
fn unlocked_leader_makes_a_fresh_block_when_its_node_rejects_the_proven_one() {
    let mut driver = unlocked_leader_with_a_proof();
    // Never tested, but M operators vouch for it.
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
    // Whatever follows, it makes only one proposal per round.
    let out = driver.receive(3, certificate(VoteKind::Prevote, 1, 10, 7, &[0, 1, 3]));
    assert!(!proposed(&out, 7));
    let block = fresh(&driver, 8);
    assert!(!proposed(&driver.template(1, 11, block), 8));
}

#[test]
fn locked_leader_proposes_its_block_again_even_if_its_node_rejects_it_now() {
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
fn leader_whose_node_accepts_the_proven_block_again_proposes_it() {
    let mut driver = unlocked_leader_with_a_proof();
    pass_to(&mut driver, 1);
    driver.tested(1, 7, Verdict::Invalid("bad-peg-in".to_owned()));
    pass_to(&mut driver, 2);
    driver.receive(3, proposal(1, 2, 7, Some(0)));
    driver.tested(1, 7, Verdict::Valid);
    assert!(proposed(&pass_to(&mut driver, 6), 7));
}
