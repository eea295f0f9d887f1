//! When a standstill is detected and reported, and what the report says, at given times.

use bytes::Bytes;
use federation_block_signing::{
    BlockSignature, Candidate, CompactSignature, IdentitySignature, SignedMessage, Vote,
};
use federation_chain::{Dialect, SigningRules};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_roster::{Federation, Member};
use federation_signer::Secret;

use super::*;

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const MINUTE: Duration = Duration::from_secs(60);
const ME: OperatorId = OperatorId::new(0);
/// The time in the last block's header, in unix seconds.
const MADE: u64 = 1_700_000_000;

/// A federation of 3 of 5 and alice's watch, which has seen a block at height 6.
struct Scene {
    watch: StandstillWatch,
    federation: Federation,
    begun: Instant,
    round: Round,
    phase: Phase,
    observing: bool,
    node: NodeState,
    connected: BTreeSet<OperatorId>,
    own_failed: OwnFailed,
}

fn federation() -> Federation {
    let secrets: Vec<Secret> = NAMES.iter().map(|_| Secret::generate()).collect();
    let keys = secrets.iter().map(Secret::public_key).collect();
    let threshold = Threshold::new(3).expect("small");
    let script = MultisigScript::new(threshold, keys, KeyOrder::AsGiven).expect("a script");
    let size = SigningRules::required_signature_size(Dialect::Dynafed, &script);
    let rules = SigningRules::new(Dialect::Dynafed, script, size).expect("it fits");
    let operators = NAMES.iter().zip(&secrets).map(|(name, secret)| Member {
        name: (*name).to_owned(),
        identity: Secret::generate().x_only_public_key(),
        block_key: secret.public_key(),
        endpoint: "127.0.0.1:1".to_owned(),
    });
    let genesis = BlockHash::from_bytes([1; 32]);
    Federation::new(operators.collect(), rules, genesis, MINUTE).expect("a federation")
}

fn id(index: u8) -> OperatorId {
    OperatorId::new(index)
}

fn ids(indices: &[u8]) -> BTreeSet<OperatorId> {
    indices.iter().map(|index| id(*index)).collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Scene {
    /// A scene with a block that arrived the moment it was made.
    fn new() -> Self {
        let mut scene = Self::without_block();
        let (now, clock) = (scene.begun, scene.clock(Duration::ZERO));
        assert_eq!(
            scene
                .watch
                .record_tip(BlockHeight::new(6), clock, now, clock),
            None
        );
        scene
    }

    fn without_block() -> Self {
        let begun = Instant::now();
        let config = Config::new(5, 3, ME, MINUTE).expect("a majority");
        Self {
            watch: StandstillWatch::new(&config, begun, UnixTime::from_secs(MADE)),
            federation: federation(),
            begun,
            round: Round::new(4),
            phase: Phase::Propose,
            observing: false,
            node: NodeState::Up,
            connected: BTreeSet::new(),
            own_failed: OwnFailed::default(),
        }
    }

    fn clock(&self, after: Duration) -> UnixTime {
        UnixTime::from_secs(MADE).saturating_add(after)
    }

    /// Lets an operator send a vote for a height at a time.
    fn hears(&mut self, who: u8, height: u32, after: Duration) {
        self.vote(who, height, 4, Some(1), after);
    }

    fn vote(&mut self, who: u8, height: u32, round: u32, block: Option<u8>, after: Duration) {
        self.message(
            who,
            Message::Vote(Vote {
                kind: VoteKind::Prevote,
                height: BlockHeight::new(height),
                round: Round::new(round),
                value: block.map(|byte| BlockHash::from_bytes([byte; 32])),
            }),
            after,
        );
    }

    fn message(&mut self, who: u8, message: Message, after: Duration) {
        let input = Input::Received(SignedMessage {
            sender: id(who),
            message,
            signature: IdentitySignature::from_bytes([0; 64]),
        });
        self.watch.record(id(who), &input, self.begun + after);
    }

    fn far(&mut self, who: u8, height: u32, after: Duration) {
        let at = self.begun + after;
        self.watch
            .record_far_height(id(who), BlockHeight::new(height), at);
    }

    fn check(&mut self, after: Duration) -> CheckResult {
        let height = self
            .watch
            .tip
            .map_or(BlockHeight::GENESIS, |tip| tip.height.next());
        let view = View {
            height,
            round: self.round,
            phase: self.phase,
            observing: self.observing,
            node: &self.node,
            connected: &self.connected,
            own_failed: self.own_failed,
        };
        self.watch.check(&view, self.begun + after)
    }

    /// The report of a check that must report something.
    fn report(&mut self, after: Duration) -> String {
        let result = self.check(after);
        assert!(result.report, "{result:?}");
        let standstill = result.standstill.expect("it stands still");
        standstill.describe(&self.federation, self.clock(after))
    }

    /// A scene two minutes after the block, with the height due for one minute, in which these
    /// operators were heard a second ago.
    fn stands(heard: &[u8]) -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.check(MINUTE).standstill, None);
        for who in heard {
            scene.hears(*who, 7, MINUTE * 2 - secs(1));
        }
        scene
    }
}

#[test]
fn a_height_without_a_block_for_two_intervals_is_reported_once_with_who_is_missing() {
    let mut scene = Scene::stands(&[2]);
    assert_eq!(scene.check(MINUTE * 2 - secs(1)).standstill, None);
    assert_eq!(
        scene.report(MINUTE * 2),
        "the chain stands still for 2 min at height 7 round 4: heard 2 of the 3 that must sign; \
         absent: bob, dave, erin"
    );
    let again = scene.check(MINUTE * 2 + secs(1));
    assert!(again.standstill.is_some(), "it still stands still");
    assert!(!again.report);
}

#[test]
fn it_is_reported_again_with_pauses_that_double_up_to_eight_minutes() {
    let mut scene = Scene::stands(&[]);
    let reports: Vec<u64> = (0..3600)
        .filter(|second| scene.check(secs(*second)).report)
        .collect();
    assert_eq!(reports[..6], [120, 150, 210, 330, 570, 1050]);
    let pauses: Vec<u64> = reports.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses.iter().max(), Some(&480));
    assert_eq!(pauses.last(), Some(&480));
}

#[test]
fn a_change_is_reported_after_half_a_minute_however_long_the_pause_is() {
    let mut scene = Scene::stands(&[]);
    for second in 0..600 {
        scene.check(secs(second));
    }
    // Without a change the next report would come at 1050.
    scene.hears(1, 7, secs(605));
    assert!(scene.report(secs(606)).contains("heard 2 of the 3"));
    assert!(!scene.check(secs(607)).report);
}

#[test]
fn a_block_ends_a_standstill_and_its_length_is_reported() {
    let mut scene = Scene::stands(&[]);
    scene.report(MINUTE * 2);
    let (now, clock) = (scene.begun + MINUTE * 5, scene.clock(MINUTE * 5));
    let moved = scene
        .watch
        .record_tip(BlockHeight::new(7), clock, now, clock);
    assert_eq!(moved, Some(StandstillEnd { after: MINUTE * 5 }));
    assert_eq!(scene.check(MINUTE * 5 + secs(1)).standstill, None);
    // A standstill that was not reported gets no report of its end.
    let (now, clock) = (scene.begun + MINUTE * 6, scene.clock(MINUTE * 6));
    assert_eq!(
        scene
            .watch
            .record_tip(BlockHeight::new(8), clock, now, clock),
        None
    );
}

#[test]
fn another_block_of_the_same_height_does_not_end_a_standstill() {
    let mut scene = Scene::stands(&[]);
    scene.report(MINUTE * 2);
    let (now, clock) = (scene.begun + MINUTE * 3, scene.clock(MINUTE * 3));
    let moved = scene
        .watch
        .record_tip(BlockHeight::new(6), clock, now, clock);
    assert_eq!(moved, None);
    assert!(scene.check(MINUTE * 3 + secs(1)).standstill.is_some());
}

#[test]
fn waiting_by_design_is_not_a_standstill() {
    // R2: a height may start two intervals after the block before it.
    let mut scene = Scene::new();
    scene.phase = Phase::Waiting;
    assert_eq!(scene.check(MINUTE * 2).standstill, None);
    scene.phase = Phase::Propose;
    assert_eq!(scene.check(MINUTE * 2 + secs(1)).standstill, None);
    assert_eq!(scene.check(MINUTE * 3).standstill, None);
    assert!(scene.check(MINUTE * 3 + secs(1)).report);
    // An operator that waits for its node logs that by itself.
    let mut scene = Scene::without_block();
    scene.phase = Phase::NoTip;
    scene.node = NodeState::Waiting("it is in its initial download".to_owned());
    assert_eq!(scene.check(MINUTE * 60).standstill, None);
}

#[test]
fn an_old_tip_at_the_start_is_a_standstill_only_after_others_could_be_heard_and_counts_from_its_own_time()
 {
    let mut scene = Scene::without_block();
    let now = scene.begun;
    // Made an hour before the operator started.
    let made = UnixTime::from_secs(MADE).saturating_sub(secs(3600));
    scene
        .watch
        .record_tip(BlockHeight::new(6), made, now, scene.clock(secs(0)));
    assert_eq!(scene.check(secs(0)).standstill, None);
    assert_eq!(scene.check(secs(119)).standstill, None);
    let report = scene.report(secs(120));
    assert!(
        report.starts_with("the chain stands still for 1 h 2 min at height 7"),
        "{report}"
    );
}

#[test]
fn without_a_first_block_the_standstill_counts_from_the_operators_start() {
    let mut scene = Scene::without_block();
    let now = scene.begun;
    let genesis = UnixTime::from_secs(1_296_688_602);
    scene
        .watch
        .record_tip(BlockHeight::GENESIS, genesis, now, scene.clock(secs(0)));
    scene.round = Round::FIRST;
    scene.check(secs(0));
    let report = scene.report(secs(125));
    assert!(
        report.starts_with(
            "the chain stands still for 2 min 5 s before its first block: heard 1 of the 3"
        ),
        "{report}"
    );
}

#[test]
fn operators_heard_long_ago_or_at_other_heights_do_not_count() {
    let mut scene = Scene::stands(&[1]);
    scene.hears(2, 7, MINUTE);
    scene.hears(3, 6, MINUTE * 2 - secs(1));
    scene.connected = ids(&[4]);
    let standstill = scene.check(MINUTE * 2).standstill.expect("it stands still");
    assert_eq!(standstill.heard, ids(&[0, 1]));
    assert_eq!(standstill.absent, ids(&[2]));
    assert_eq!(
        standstill.behind,
        BTreeMap::from([(id(3), BlockHeight::new(6))])
    );
    assert_eq!(standstill.silent, ids(&[4]));
    scene.far(2, 3, MINUTE * 2 - secs(1));
    let standstill = scene.check(MINUTE * 2).standstill.expect("it stands still");
    let report = standstill.reason(&scene.federation);
    assert!(
        report.contains(
            "heard 2 of the 3 that must sign; their nodes are behind: carol at 3, dave at 6"
        ),
        "{report}"
    );
}

#[test]
fn if_others_are_ahead_this_operators_node_is_behind() {
    let mut scene = Scene::stands(&[]);
    scene.hears(1, 8, MINUTE * 2 - secs(1));
    scene.far(2, 12, MINUTE * 2 - secs(1));
    let report = scene.report(MINUTE * 2);
    assert!(
        report.contains("others are heard at greater heights (bob at 8, carol at 12)"),
        "{report}"
    );
    assert!(!report.contains("absent"), "{report}");
    // Enough operators are at this height: what a single one claims of another height does not
    // matter.
    scene.hears(3, 7, MINUTE * 3);
    scene.hears(4, 7, MINUTE * 3);
    let report = scene.report(MINUTE * 3);
    assert!(report.contains("heard 3 of the 3"), "{report}");
}

#[test]
fn if_this_operators_node_is_down_or_behind_that_is_the_reason() {
    let mut scene = Scene::stands(&[1, 2, 3]);
    scene.node = NodeState::Down("connection refused".to_owned());
    let report = scene.report(MINUTE * 2);
    assert_eq!(
        report,
        "this operator's node has no new block for 2 min at height 7 round 4: this operator's node does not answer: \
         connection refused"
    );
    scene.node = NodeState::Up;
    scene.phase = Phase::NoTip;
    assert!(scene.report(MINUTE * 3).contains("known to be final"));
    // Never answered since the start.
    let mut scene = Scene::without_block();
    scene.phase = Phase::NoTip;
    scene.node = NodeState::Down("no cookie".to_owned());
    scene.check(secs(0));
    assert!(scene.report(secs(120)).contains("at an unknown height"));
}

#[test]
fn an_observer_does_not_count_itself() {
    let mut scene = Scene::stands(&[1, 2]);
    scene.observing = true;
    let report = scene.report(MINUTE * 2);
    assert!(
        report.contains(
            "this operator only observes; heard 2 of the 3 that must sign; absent: dave, erin"
        ),
        "{report}"
    );
    // The absent operators may come back.
    assert!(!report.contains("nobody is left"), "{report}");
}

#[test]
fn if_too_many_observe_nobody_is_left_to_decide_and_the_report_says_what_to_do() {
    let mut scene = Scene::stands(&[]);
    scene.observing = true;
    scene.connected = ids(&[1, 2]);
    let report = scene.report(MINUTE * 2);
    for part in [
        "heard 0 of the 3 that must sign",
        "absent: dave, erin",
        "connected but silent, so they observe or wait for their nodes: bob, carol",
        "nobody is left to decide",
        "guard repair --new-roster",
        "guard repair --agreed-tip",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[test]
fn if_enough_are_heard_it_names_those_that_have_not_voted() {
    let mut scene = Scene::stands(&[1]);
    scene.vote(2, 7, 3, Some(1), MINUTE * 2 - secs(1));
    let report = scene.report(MINUTE * 2);
    assert!(
        report.contains("heard 3 of the 3 that must sign; absent: dave, erin; not voted in this round: carol (heard in round 3)"),
        "{report}"
    );
}

#[test]
fn votes_for_no_block_and_for_different_blocks_are_distinguished() {
    let mut scene = Scene::stands(&[1]);
    scene.vote(2, 7, 4, None, MINUTE * 2 - secs(1));
    let report = scene.report(MINUTE * 2);
    assert!(report.contains("voted for no block: carol"), "{report}");
    scene.vote(1, 7, 5, Some(1), MINUTE * 3);
    scene.vote(2, 7, 5, Some(2), MINUTE * 3);
    scene.round = Round::new(5);
    let report = scene.report(MINUTE * 3);
    assert!(report.contains("for different blocks"), "{report}");
}

#[test]
fn after_the_decision_it_names_those_whose_signatures_are_missing() {
    let mut scene = Scene::stands(&[1, 2]);
    scene.phase = Phase::Decided;
    scene.message(
        1,
        Message::BlockSignature(BlockSignature {
            height: BlockHeight::new(7),
            hash: BlockHash::from_bytes([1; 32]),
            signature: CompactSignature::from_bytes([1; 64]),
        }),
        MINUTE * 2 - secs(1),
    );
    let report = scene.report(MINUTE * 2);
    assert!(
        report.contains("a block is decided; no signature for it from: carol"),
        "{report}"
    );
}

#[test]
fn short_intervals_leave_time_for_rounds_without_their_leader() {
    let config = Config::new(5, 3, ME, Duration::from_millis(500)).expect("a majority");
    let begun = Instant::now();
    let mut scene = Scene::new();
    scene.watch = StandstillWatch::new(&config, begun, UnixTime::from_secs(MADE));
    scene.begun = begun;
    let clock = scene.clock(secs(0));
    scene
        .watch
        .record_tip(BlockHeight::new(6), clock, begun, clock);
    scene.check(secs(0));
    assert!(
        scene
            .check(Duration::from_millis(2900))
            .standstill
            .is_none()
    );
    assert!(scene.check(secs(3)).report);
}

#[test]
fn a_body_counts_as_a_message_of_its_sender() {
    let mut scene = Scene::stands(&[]);
    let input = Input::Body {
        from: id(1),
        candidate: Candidate {
            hash: BlockHash::from_bytes([1; 32]),
            previous: BlockHash::from_bytes([0; 32]),
            height: BlockHeight::new(7),
            time: UnixTime::from_secs(MADE),
            bytes: Bytes::new(),
        },
    };
    let at = scene.begun + MINUTE * 2 - secs(1);
    scene.watch.record(id(1), &input, at);
    let standstill = scene.check(MINUTE * 2).standstill.expect("it stands still");
    assert_eq!(standstill.heard, ids(&[0, 1]));
}

#[test]
fn this_operators_signature_or_vote_is_named_if_it_is_missing() {
    let mut scene = Scene::stands(&[1, 2]);
    scene.own_failed.to_vote = true;
    let report = scene.report(MINUTE * 2);
    assert!(
        report.contains("not voted in this round: alice"),
        "{report}"
    );

    let mut scene = Scene::stands(&[1, 2]);
    scene.phase = Phase::Decided;
    scene.own_failed.to_sign = true;
    for who in [1, 2] {
        let signed = Message::BlockSignature(BlockSignature {
            height: BlockHeight::new(7),
            hash: BlockHash::from_bytes([1; 32]),
            signature: CompactSignature::from_bytes([1; 64]),
        });
        scene.message(who, signed, MINUTE * 2 - secs(1));
    }
    let report = scene.report(MINUTE * 2);
    assert!(
        report.contains("no signature for it from: alice"),
        "{report}"
    );
}
