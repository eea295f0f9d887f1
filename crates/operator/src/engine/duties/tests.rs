use super::*;

const NOW: UnixTime = UnixTime::from_secs(1);
const SECOND: Duration = Duration::from_secs(1);

fn at(height: u32) -> BlockHeight {
    BlockHeight::new(height)
}

fn hash(height: u32) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&height.to_le_bytes());
    BlockHash::from_bytes(bytes)
}

fn duties() -> DutyTracker {
    DutyTracker::new(3, SECOND)
}

impl DutyTracker {
    fn fails(&mut self, duty: Duty, height: u32, reason: &str) -> Option<DutyChange> {
        let fault = Fault::refusal(reason);
        self.record(NOW, duty, at(height), DutyOutcome::Failed(fault))
    }

    fn does(&mut self, duty: Duty, height: u32) -> Option<DutyChange> {
        self.record(NOW, duty, at(height), DutyOutcome::Done)
    }

    fn block(&mut self, height: u32) -> Vec<DutyChange> {
        self.on_block(NOW, at(height), hash(height))
    }
}

fn missed(duty: Duty, blocks: u32, reason: &str) -> DutyChange {
    DutyChange::Raised(Alarm::Missed {
        duty,
        blocks,
        reason: reason.to_owned(),
        refused: true,
    })
}

#[test]
fn a_duty_that_fails_for_three_blocks_is_reported_with_its_last_reason() {
    let mut duties = duties();
    for height in 1..=2 {
        assert_eq!(duties.fails(Duty::Sign, height, "locked"), None);
        // Asked again after the retransmit interval.
        assert_eq!(duties.fails(Duty::Sign, height, "locked"), None);
        assert_eq!(duties.block(height), []);
    }
    assert_eq!(duties.fails(Duty::Sign, 3, "gone"), None);
    assert_eq!(duties.block(3), [missed(Duty::Sign, 3, "gone")]);
}

#[test]
fn a_refusal_that_arrives_after_the_block_counts() {
    let mut duties = duties();
    for height in 1..=2 {
        assert_eq!(duties.block(height), []);
        assert_eq!(duties.fails(Duty::Sign, height, "no"), None);
    }
    duties.block(3);
    let reported = duties.fails(Duty::Sign, 3, "no");
    assert_eq!(reported, Some(missed(Duty::Sign, 3, "no")));
}

#[test]
fn a_call_that_hung_while_blocks_came_counts_for_all_of_them() {
    let mut duties = duties();
    for height in 1..=5 {
        assert_eq!(duties.block(height), []);
    }
    let reported = duties.fails(Duty::Test, 2, "no answer");
    assert_eq!(reported, Some(missed(Duty::Test, 4, "no answer")));
}

#[test]
fn one_success_ends_a_streak_and_is_reported_if_the_streak_was() {
    let mut duties = duties();
    duties.fails(Duty::Vote, 1, "x");
    assert_eq!(
        duties.does(Duty::Vote, 1),
        None,
        "the failure was not reported"
    );
    for height in 2..=9 {
        duties.fails(Duty::Vote, height, "x");
        duties.block(height);
    }
    assert_eq!(duties.reported().count(), 1);
    let mended = Some(DutyChange::Recovered(Duty::Vote));
    assert_eq!(duties.does(Duty::Vote, 10), mended);
    assert_eq!(duties.reported().count(), 0);
    assert_eq!(duties.does(Duty::Vote, 11), None);
}

#[test]
fn a_lasting_failure_is_reported_less_and_less_often() {
    let mut duties = duties();
    let mut reported = Vec::new();
    for height in 1..=100 {
        duties.fails(Duty::Sign, height, "x");
        for change in duties.block(height) {
            let DutyChange::Raised(Alarm::Missed { blocks, .. }) = change else {
                panic!("{change:?}");
            };
            reported.push(blocks);
        }
    }
    assert_eq!(reported, [3, 6, 12, 24, 48, 96]);
}

#[test]
fn an_operator_that_fails_first_and_succeeds_on_retry_has_missed_nothing() {
    let mut duties = duties();
    for height in 1..=20 {
        duties.fails(Duty::Sign, height, "busy");
        duties.does(Duty::Sign, height);
        assert_eq!(duties.block(height), []);
    }
}

#[test]
fn an_operator_slower_than_the_block_has_missed_nothing() {
    let mut duties = duties();
    for height in 1..=20 {
        assert_eq!(duties.block(height), []);
        // Its answer comes long after the block.
        if height > 2 {
            assert_eq!(duties.does(Duty::Test, height - 2), None);
        }
        // One call hung while those for later blocks did not.
        if height > 5 {
            assert_eq!(duties.fails(Duty::Test, height - 5, "no answer"), None);
        }
    }
}

#[test]
fn an_operator_that_is_not_asked_has_missed_nothing() {
    let mut duties = duties();
    duties.fails(Duty::Sign, 1, "busy");
    duties.fails(Duty::Sign, 2, "busy");
    for height in 1..=20 {
        assert_eq!(duties.block(height), []);
    }
}

#[test]
fn a_refused_block_counts_only_if_it_becomes_final() {
    let mut duties = duties();
    let refuse = |duties: &mut DutyTracker, height, hash| {
        let outcome = DutyOutcome::RefusedBlock(hash, "bad-txns".to_owned());
        duties.record(NOW, Duty::Test, at(height), outcome)
    };
    for height in 1..=9 {
        assert_eq!(refuse(&mut duties, height, hash(height + 100)), None);
        assert_eq!(duties.block(height), [], "blocks of a faulty operator");
    }
    for height in 10..=11 {
        refuse(&mut duties, height, hash(height));
        assert_eq!(duties.block(height), []);
    }
    refuse(&mut duties, 12, hash(12));
    let reason = format!("refused block {}, which is final: bad-txns", hash(12));
    assert_eq!(duties.block(12), [missed(Duty::Test, 3, &reason)]);
}

#[tokio::test(start_paused = true)]
async fn a_height_that_waits_for_this_duty_alone_is_reported_after_a_while() {
    let mut duties = duties();
    duties.fails(Duty::Sign, 7, "no");
    tokio::time::advance(MIN_PATIENCE).await;
    assert_eq!(
        duties.check_stuck(),
        [],
        "it failed once and is asked again"
    );
    duties.fails(Duty::Sign, 7, "no");
    assert_eq!(duties.check_stuck(), [missed(Duty::Sign, 0, "no")]);
    assert_eq!(duties.check_stuck(), [], "once");
    // Blocks that come later are counted as usual.
    for height in 7..=12 {
        duties.fails(Duty::Sign, height, "no");
        let reported = duties.block(height);
        let expected = (height == 12).then(|| missed(Duty::Sign, 6, "no"));
        assert_eq!(reported, Vec::from_iter(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_height_at_which_only_the_first_vote_was_sent_is_reported_too() {
    let mut duties = duties();
    duties.block(6);
    // Its key worked in round 0 and has been locked since.
    assert_eq!(duties.does(Duty::Vote, 7), None);
    for _ in 0..8 {
        assert_eq!(duties.fails(Duty::Vote, 7, "locked"), None);
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(duties.check_stuck(), [missed(Duty::Vote, 0, "locked")]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_a_finished_height_is_not_reported_because_of_time_alone() {
    let mut duties = duties();
    // It led while its node was unreachable, and another operator made the block.
    for _ in 0..2 {
        assert_eq!(duties.fails(Duty::Propose, 7, "away"), None);
    }
    assert_eq!(duties.block(7), []);
    for height in 8..20 {
        tokio::time::sleep(SECOND * 10).await;
        assert_eq!(duties.check_stuck(), []);
        assert_eq!(duties.block(height), []);
    }
}

#[test]
fn a_late_answer_for_an_earlier_height_does_not_excuse_a_later_failure() {
    let mut duties = duties();
    for height in 1..=3 {
        duties.fails(Duty::Sign, height, "locked");
        assert_eq!(duties.does(Duty::Sign, height - 1), None);
        let reported = duties.block(height);
        assert_eq!(reported.is_empty(), height < 3, "{reported:?}");
    }
}
