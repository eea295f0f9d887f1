//! Before the machine hears of the first tip: whether the node is where the chain is.
//!
//! A node that was set back together with the store, or is new, stands at an old height for a while
//! after its start. A vote there is of no use, and may contradict one of before. So the first tip waits
//! until the node is through with what it knows to be missing, and until others were listened to: who
//! is heard at a height above the one that this node asks for has a longer chain.

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

/// How long a node's word that it is in its initial download is believed, when nothing else says so:
/// one whose tip is a day old says that until the next block comes, and that may be this operator's.
const DOWNLOAD: Duration = Duration::from_secs(30);

/// How long others are listened to, at most, where the tip is fresh.
const LISTEN: Duration = Duration::from_secs(2);

/// How long others are listened to, at most, where the tip is old: a height's talk, if there are others
/// that make blocks.
const LISTEN_LONG: Duration = Duration::from_secs(60);

/// How long others at greater heights are believed, at most, while they may all be liars: one of whose
/// blocks the node can get has got them by then.
const BEHIND: Duration = Duration::from_secs(120);

/// The heights at which others were heard since the start, proven by their signatures.
#[derive(Debug)]
pub(super) struct Heard {
    /// Whether it matters.
    open: AtomicBool,
    heights: Mutex<BTreeMap<OperatorId, BlockHeight>>,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            open: AtomicBool::new(true),
            heights: Mutex::default(),
        }
    }
}

impl Heard {
    /// Whether heights still matter.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Notes at which height an operator was heard; the last one counts.
    pub(super) fn note(&self, sender: OperatorId, height: BlockHeight) {
        if self.is_open() {
            let mut heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
            heights.insert(sender, height);
        }
    }

    fn close(&self) {
        self.open.store(false, Ordering::Relaxed);
    }

    /// Who was heard and where since this was asked last, from the first time on.
    pub(super) fn listen(&self) -> BTreeMap<OperatorId, BlockHeight> {
        let mut heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = core::mem::take(&mut *heights);
        if self.open.swap(true, Ordering::Relaxed) {
            heard
        } else {
            BTreeMap::new()
        }
    }

    /// Nobody needs to know any more for now.
    pub(super) fn rest(&self) {
        self.close();
    }

    /// How many others were heard at the height above a tip or below, and how many above that.
    pub(super) fn count(&self, me: OperatorId, tip: BlockHeight) -> (usize, usize) {
        let heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        let others = heights.iter().filter(|(id, _)| **id != me);
        let (near, ahead): (Vec<_>, Vec<_>) = others.partition(|(_, at)| **at <= tip.next());
        (near.len(), ahead.len())
    }
}

/// What a node says of its chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) blocks: BlockHeight,
    pub(super) headers: BlockHeight,
    pub(super) is_downloading: bool,
    /// How old the tip is by this machine's clock.
    pub(super) age: Duration,
}

/// Why the first tip waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The node knows headers of blocks that it does not have.
    Headers {
        blocks: BlockHeight,
        headers: BlockHeight,
    },
    /// Others are heard at greater heights.
    Behind { blocks: BlockHeight, ahead: usize },
    /// The node says that it is in its initial download.
    Download { blocks: BlockHeight },
    /// Others are being listened to.
    Listen,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers { blocks, headers } => {
                write!(
                    f,
                    "it has {blocks} blocks of the {headers} that it knows of"
                )
            }
            Self::Behind { blocks, ahead } => write!(
                f,
                "its tip is {blocks}, and {ahead} operators are heard at greater heights"
            ),
            Self::Download { blocks } => {
                write!(f, "it is in its initial download, at height {blocks}")
            }
            Self::Listen => f.write_str("others are listened to first"),
        }
    }
}

/// Decides when an operator may begin.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) me: OperatorId,
    pub(super) threshold: usize,
    pub(super) size: usize,
    pub(super) interval: Duration,
}

impl Arrival {
    pub(super) fn new(federation: &Federation, me: OperatorId) -> Self {
        Self {
            me,
            threshold: federation.threshold(),
            size: federation.size(),
            interval: federation.interval(),
        }
    }

    /// What there is still to wait for, so long after the start.
    pub(super) fn wait(&self, view: &View, heard: &Heard, waited: Duration) -> Option<Wait> {
        let View {
            blocks, headers, ..
        } = *view;
        if headers > blocks {
            return Some(Wait::Headers { blocks, headers });
        }
        let (near, ahead) = heard.count(self.me, blocks);
        // With so many others a block can be made here, whatever one says who is elsewhere. While
        // there are fewer, nobody is kept waiting by this one.
        if near + 1 >= self.threshold {
            return None;
        }
        // So many contain an honest one, if no more lie than one block per height stands. More than
        // N - M contain one even if all lie that blocks come without: these are believed for good.
        // While all wait nobody speaks, so fewer must not keep all waiting.
        let enough = ahead > 0 && ahead >= 2 * self.threshold - self.size;
        if enough && (ahead > self.size - self.threshold || waited < BEHIND) {
            return Some(Wait::Behind { blocks, ahead });
        }
        if blocks == BlockHeight::GENESIS {
            return None;
        }
        if view.is_downloading && waited < DOWNLOAD {
            return Some(Wait::Download { blocks });
        }
        let is_old = view.age > self.interval * 3 + Duration::from_secs(10);
        let listen = if is_old {
            self.interval.min(LISTEN_LONG) + LISTEN
        } else {
            self.interval.min(LISTEN)
        };
        (waited < listen).then_some(Wait::Listen)
    }

    /// Nothing is waited for any more.
    pub(super) fn end(heard: &Heard) {
        heard.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: OperatorId = OperatorId::new(0);
    const MINUTE: Duration = Duration::from_secs(60);

    fn three_of_five() -> Arrival {
        Arrival {
            me: ME,
            threshold: 3,
            size: 5,
            interval: MINUTE,
        }
    }

    fn at(height: u32) -> View {
        View {
            blocks: BlockHeight::new(height),
            headers: BlockHeight::new(height),
            is_downloading: false,
            age: Duration::from_secs(20),
        }
    }

    fn heard(heights: &[(u8, u32)]) -> Heard {
        let heard = Heard::default();
        for (id, height) in heights {
            heard.note(OperatorId::new(*id), BlockHeight::new(*height));
        }
        heard
    }

    const LATER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_fresh_chain_is_not_waited_for() {
        let mut view = at(0);
        view.is_downloading = true;
        view.age = LATER * 24 * 365;
        let arrival = three_of_five();
        assert_eq!(arrival.wait(&view, &heard(&[]), Duration::ZERO), None);
    }

    #[test]
    fn headers_without_blocks_are_waited_for_as_long_as_it_takes() {
        let mut view = at(8);
        view.headers = BlockHeight::new(17);
        let arrival = three_of_five();
        let all_near = heard(&[(1, 9), (2, 9), (3, 9)]);
        for waited in [Duration::ZERO, LATER] {
            let wait = arrival.wait(&view, &all_near, waited);
            assert!(matches!(wait, Some(Wait::Headers { .. })), "{wait:?}");
        }
    }

    #[test]
    fn a_chain_that_stood_still_for_a_day_is_not_waited_for_for_ever() {
        let mut view = at(8);
        view.is_downloading = true;
        view.age = LATER * 30;
        let arrival = three_of_five();
        let nobody = heard(&[]);
        assert!(arrival.wait(&view, &nobody, Duration::ZERO).is_some());
        assert_eq!(arrival.wait(&view, &nobody, LATER), None);
        // Enough others are at the same height: the chain is not elsewhere.
        let quorum = heard(&[(1, 9), (2, 9)]);
        assert_eq!(arrival.wait(&view, &quorum, Duration::ZERO), None);
    }

    #[test]
    fn others_at_greater_heights_are_believed_unless_a_quorum_is_here() {
        let arrival = three_of_five();
        // One above the height worked on is a block that is under way.
        let one = heard(&[(1, 9), (2, 10)]);
        let next = arrival.wait(&at(8), &one, Duration::ZERO);
        assert!(matches!(next, Some(Wait::Behind { ahead: 1, .. })));
        // It may be a liar, and all that have just started may be waiting as this one does.
        assert_eq!(arrival.wait(&at(8), &one, LATER), None);
        let two = heard(&[(1, 900), (2, 900)]);
        assert_eq!(arrival.wait(&at(8), &two, LATER), None);
        let away = heard(&[(1, 18), (2, 18), (3, 18)]);
        assert!(matches!(
            arrival.wait(&at(8), &away, LATER),
            Some(Wait::Behind { ahead: 3, .. })
        ));
        // The node has caught up.
        assert_eq!(arrival.wait(&at(17), &away, LATER), None);
        // A liar, and enough honest ones to make blocks with.
        let liar = heard(&[(1, 900), (2, 9), (3, 9)]);
        assert_eq!(arrival.wait(&at(8), &liar, Duration::ZERO), None);
        // What this operator said itself, in another life, is no other's word.
        assert_eq!(arrival.wait(&at(8), &heard(&[(0, 18)]), LATER), None);
        // In 4 of 5 one alone may lie, and three contain an honest one.
        let four = Arrival {
            threshold: 4,
            ..three_of_five()
        };
        assert_eq!(four.wait(&at(8), &heard(&[(1, 18), (2, 18)]), LATER), None);
        assert!(four.wait(&at(8), &away, LATER).is_some());
    }

    #[test]
    fn an_old_tip_is_reason_to_listen_for_a_whole_height() {
        let arrival = three_of_five();
        let nobody = heard(&[]);
        let mut view = at(8);
        let half = MINUTE / 2;
        assert_eq!(
            arrival.wait(&view, &nobody, Duration::ZERO),
            Some(Wait::Listen)
        );
        assert_eq!(arrival.wait(&view, &nobody, half), None);
        view.age = LATER;
        assert_eq!(arrival.wait(&view, &nobody, half), Some(Wait::Listen));
        assert_eq!(arrival.wait(&view, &nobody, LATER), None);
        // An operator that is alone has nobody to listen to.
        let alone = Arrival {
            threshold: 1,
            size: 1,
            ..three_of_five()
        };
        assert_eq!(alone.wait(&view, &nobody, Duration::ZERO), None);
    }

    #[test]
    fn who_listens_again_hears_what_came_since() {
        let heard = heard(&[(1, 18)]);
        Arrival::end(&heard);
        let note = |height| heard.note(OperatorId::new(2), BlockHeight::new(height));
        note(18);
        assert!(heard.listen().is_empty(), "nobody listened");
        note(19);
        let now = heard.listen();
        assert_eq!(
            now,
            BTreeMap::from([(OperatorId::new(2), BlockHeight::new(19))])
        );
        assert!(heard.listen().is_empty(), "told once");
        note(20);
        heard.rest();
        note(21);
        assert!(heard.listen().is_empty());
    }

    #[test]
    fn what_comes_later_is_not_kept() {
        let heard = heard(&[(1, 18)]);
        Arrival::end(&heard);
        heard.note(OperatorId::new(2), BlockHeight::new(18));
        assert_eq!(heard.count(ME, BlockHeight::new(8)), (0, 1));
    }
}
