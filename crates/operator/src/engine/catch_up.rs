//! Whether the node has caught up with the chain, before the machine gets its first tip.
//!
//! A node that is new, or was restored together with the store from a backup, is at an old height
//! for a while after its start. A vote there is useless, and may contradict an earlier one. So the
//! first tip waits until the node has every block that it knows to be missing, and until other
//! operators had time to be heard: one that is heard above the height that follows this node's tip
//! has a longer chain.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use federation_chain::BlockHeight;
use federation_roster::{Federation, OperatorId};

/// How long a node that reports its initial download is believed if nothing else confirms it: a
/// node whose tip is a day old reports that until the next block, which may have to come from this
/// operator.
const MAX_DOWNLOAD: Duration = Duration::from_secs(30);

/// The longest time to listen for others if the tip is fresh.
const LISTEN_FRESH: Duration = Duration::from_secs(2);

/// The longest time to listen for others if the tip is old: long enough to hear messages of a
/// height if others make blocks.
const LISTEN_OLD: Duration = Duration::from_secs(60);

/// The longest time that others at greater heights are believed while all of them may be faulty: if
/// their blocks exist, the node has them by then.
const MAX_BEHIND: Duration = Duration::from_secs(120);

/// The heights at which other operators were heard since the start, verified by their signatures.
#[derive(Debug)]
pub(super) struct PeerHeights {
    /// Whether heights are recorded.
    recording: AtomicBool,
    heights: Mutex<BTreeMap<OperatorId, BlockHeight>>,
}

impl Default for PeerHeights {
    fn default() -> Self {
        Self {
            recording: AtomicBool::new(true),
            heights: Mutex::default(),
        }
    }
}

impl PeerHeights {
    /// Whether heights are recorded now.
    pub(super) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Relaxed)
    }

    /// Records the height at which an operator was heard; the latest counts.
    pub(super) fn record(&self, sender: OperatorId, height: BlockHeight) {
        if self.is_recording() {
            let mut heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
            heights.insert(sender, height);
        }
    }

    fn close(&self) {
        self.recording.store(false, Ordering::Relaxed);
    }

    /// Returns and forgets the heights recorded since the last call, and starts recording if it had
    /// stopped.
    pub(super) fn take_new(&self) -> BTreeMap<OperatorId, BlockHeight> {
        let mut heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = core::mem::take(&mut *heights);
        if self.recording.swap(true, Ordering::Relaxed) {
            heard
        } else {
            BTreeMap::new()
        }
    }

    /// Stops recording until [`Self::take_new`] is called.
    pub(super) fn pause(&self) {
        self.close();
    }

    /// Counts the others that were heard up to the height that follows a tip, and those that were
    /// heard above it.
    pub(super) fn count(&self, me: OperatorId, tip: BlockHeight) -> (usize, usize) {
        let heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        let others = heights.iter().filter(|(id, _)| **id != me);
        let (near, ahead): (Vec<_>, Vec<_>) = others.partition(|(_, at)| **at <= tip.next());
        (near.len(), ahead.len())
    }
}

/// What a node reports about its chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeView {
    pub(super) blocks: BlockHeight,
    pub(super) headers: BlockHeight,
    pub(super) is_downloading: bool,
    /// The age of the tip by this machine's clock.
    pub(super) age: Duration,
}

/// Why the first tip waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitReason {
    /// The node knows headers of blocks that it does not have yet.
    Headers {
        blocks: BlockHeight,
        headers: BlockHeight,
    },
    /// Others are heard at greater heights.
    Behind { blocks: BlockHeight, ahead: usize },
    /// The node reports its initial download.
    Download { blocks: BlockHeight },
    /// Other operators may still be heard.
    Listen,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers { blocks, headers } => {
                write!(
                    f,
                    "it has {blocks} of the {headers} blocks that it knows of"
                )
            }
            Self::Behind { blocks, ahead } => write!(
                f,
                "its tip is at height {blocks}, and {ahead} operators are heard at greater heights"
            ),
            Self::Download { blocks } => {
                write!(f, "it is in its initial download at height {blocks}")
            }
            Self::Listen => f.write_str("listening for other operators first"),
        }
    }
}

/// Decides when an operator may begin.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) me: OperatorId,
    pub(super) threshold: usize,
    pub(super) size: usize,
    pub(super) interval: Duration,
}

impl CatchUp {
    pub(super) fn new(federation: &Federation, me: OperatorId) -> Self {
        Self {
            me,
            threshold: federation.threshold(),
            size: federation.size(),
            interval: federation.interval(),
        }
    }

    /// Returns what is still to be waited for, this long after the start.
    pub(super) fn remaining(
        &self,
        view: &NodeView,
        heard: &PeerHeights,
        waited: Duration,
    ) -> Option<WaitReason> {
        let NodeView {
            blocks, headers, ..
        } = *view;
        if headers > blocks {
            return Some(WaitReason::Headers { blocks, headers });
        }
        let (near, ahead) = heard.count(self.me, blocks);
        // With this many others at the same height a block can be made here, whatever an operator
        // at another height claims. With fewer there is no block anyway, so waiting holds up
        // nobody.
        if near + 1 >= self.threshold {
            return None;
        }
        // 2M - N operators include an honest one if no more are faulty than safety tolerates. More
        // than N - M include one even if everybody whose votes a block can do without is faulty:
        // these are believed without a limit. Fewer are believed for a while only, because
        // operators that wait send nothing, and so all of them could wait for each other.
        let enough = ahead > 0 && ahead >= 2 * self.threshold - self.size;
        if enough && (ahead > self.size - self.threshold || waited < MAX_BEHIND) {
            return Some(WaitReason::Behind { blocks, ahead });
        }
        if blocks == BlockHeight::GENESIS {
            return None;
        }
        if view.is_downloading && waited < MAX_DOWNLOAD {
            return Some(WaitReason::Download { blocks });
        }
        let is_old = view.age > self.interval * 3 + Duration::from_secs(10);
        let listen = if is_old {
            self.interval.min(LISTEN_OLD) + LISTEN_FRESH
        } else {
            self.interval.min(LISTEN_FRESH)
        };
        (waited < listen).then_some(WaitReason::Listen)
    }

    /// Ends the waiting: heights are not recorded any more.
    pub(super) fn end(heard: &PeerHeights) {
        heard.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: OperatorId = OperatorId::new(0);
    const MINUTE: Duration = Duration::from_secs(60);

    fn three_of_five() -> CatchUp {
        CatchUp {
            me: ME,
            threshold: 3,
            size: 5,
            interval: MINUTE,
        }
    }

    fn at(height: u32) -> NodeView {
        NodeView {
            blocks: BlockHeight::new(height),
            headers: BlockHeight::new(height),
            is_downloading: false,
            age: Duration::from_secs(20),
        }
    }

    fn heard(heights: &[(u8, u32)]) -> PeerHeights {
        let heard = PeerHeights::default();
        for (id, height) in heights {
            heard.record(OperatorId::new(*id), BlockHeight::new(*height));
        }
        heard
    }

    const LATER: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_waited_for_on_a_new_chain() {
        let mut view = at(0);
        view.is_downloading = true;
        view.age = LATER * 24 * 365;
        let catch_up = three_of_five();
        assert_eq!(catch_up.remaining(&view, &heard(&[]), Duration::ZERO), None);
    }

    #[test]
    fn blocks_whose_headers_are_known_are_waited_for_without_a_limit() {
        let mut view = at(8);
        view.headers = BlockHeight::new(17);
        let catch_up = three_of_five();
        let all_near = heard(&[(1, 9), (2, 9), (3, 9)]);
        for waited in [Duration::ZERO, LATER] {
            let wait = catch_up.remaining(&view, &all_near, waited);
            assert!(matches!(wait, Some(WaitReason::Headers { .. })), "{wait:?}");
        }
    }

    #[test]
    fn after_a_standstill_of_days_the_wait_for_the_initial_download_ends() {
        let mut view = at(8);
        view.is_downloading = true;
        view.age = LATER * 30;
        let catch_up = three_of_five();
        let nobody = heard(&[]);
        assert!(catch_up.remaining(&view, &nobody, Duration::ZERO).is_some());
        assert_eq!(catch_up.remaining(&view, &nobody, LATER), None);
        // Enough others are at the same height, so this is the chain's tip.
        let quorum = heard(&[(1, 9), (2, 9)]);
        assert_eq!(catch_up.remaining(&view, &quorum, Duration::ZERO), None);
    }

    #[test]
    fn others_at_greater_heights_are_believed_unless_a_quorum_is_at_this_height() {
        let catch_up = three_of_five();
        // One height further is possible while a block is on its way.
        let one = heard(&[(1, 9), (2, 10)]);
        let next = catch_up.remaining(&at(8), &one, Duration::ZERO);
        assert!(matches!(next, Some(WaitReason::Behind { ahead: 1, .. })));
        // It may be faulty, and all others may have just started and be waiting as well.
        assert_eq!(catch_up.remaining(&at(8), &one, LATER), None);
        let two = heard(&[(1, 900), (2, 900)]);
        assert_eq!(catch_up.remaining(&at(8), &two, LATER), None);
        let away = heard(&[(1, 18), (2, 18), (3, 18)]);
        assert!(matches!(
            catch_up.remaining(&at(8), &away, LATER),
            Some(WaitReason::Behind { ahead: 3, .. })
        ));
        // The node has caught up with them.
        assert_eq!(catch_up.remaining(&at(17), &away, LATER), None);
        // One is faulty, and enough honest ones are here to make blocks.
        let liar = heard(&[(1, 900), (2, 9), (3, 9)]);
        assert_eq!(catch_up.remaining(&at(8), &liar, Duration::ZERO), None);
        // A message of this operator from before its restart does not count as another's.
        assert_eq!(catch_up.remaining(&at(8), &heard(&[(0, 18)]), LATER), None);
        // With 4 of 5, two may be faulty, and three include an honest one.
        let four = CatchUp {
            threshold: 4,
            ..three_of_five()
        };
        assert_eq!(
            four.remaining(&at(8), &heard(&[(1, 18), (2, 18)]), LATER),
            None
        );
        assert!(four.remaining(&at(8), &away, LATER).is_some());
    }

    #[test]
    fn with_an_old_tip_the_operator_listens_for_a_whole_height() {
        let catch_up = three_of_five();
        let nobody = heard(&[]);
        let mut view = at(8);
        let half = MINUTE / 2;
        assert_eq!(
            catch_up.remaining(&view, &nobody, Duration::ZERO),
            Some(WaitReason::Listen)
        );
        assert_eq!(catch_up.remaining(&view, &nobody, half), None);
        view.age = LATER;
        assert_eq!(
            catch_up.remaining(&view, &nobody, half),
            Some(WaitReason::Listen)
        );
        assert_eq!(catch_up.remaining(&view, &nobody, LATER), None);
        // An operator that is alone has nobody to listen to.
        let alone = CatchUp {
            threshold: 1,
            size: 1,
            ..three_of_five()
        };
        assert_eq!(alone.remaining(&view, &nobody, Duration::ZERO), None);
    }

    #[test]
    fn listening_again_returns_only_what_came_since() {
        let heard = heard(&[(1, 18)]);
        CatchUp::end(&heard);
        let record = |height| heard.record(OperatorId::new(2), BlockHeight::new(height));
        record(18);
        assert!(heard.take_new().is_empty(), "recording had stopped");
        record(19);
        let now = heard.take_new();
        assert_eq!(
            now,
            BTreeMap::from([(OperatorId::new(2), BlockHeight::new(19))])
        );
        assert!(heard.take_new().is_empty(), "each height once");
        record(20);
        heard.pause();
        record(21);
        assert!(heard.take_new().is_empty());
    }

    #[test]
    fn heights_are_not_recorded_after_the_end() {
        let heard = heard(&[(1, 18)]);
        CatchUp::end(&heard);
        heard.record(OperatorId::new(2), BlockHeight::new(18));
        assert_eq!(heard.count(ME, BlockHeight::new(8)), (0, 1));
    }
}
