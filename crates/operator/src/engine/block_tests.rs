//! Testing one block at a time: a node takes seconds for a large block, and rounds go on meanwhile.

use federation_block_signing::Candidate;

/// Whether the node is testing a block, and which block waits for its turn.
#[derive(Debug, Default)]
pub(super) struct BlockTests {
    under_way: bool,
    waiting: Option<Candidate>,
}

/// What to do about blocks to test.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextTest {
    /// Ask the node about this block now.
    Ask(Candidate),
    /// A later block superseded this one: do not ask the node about it.
    Drop(Candidate),
    /// Do nothing.
    Wait,
}

impl BlockTests {
    /// Takes a block to test. It supersedes one that waits, which is of an earlier round.
    pub(super) fn add(&mut self, candidate: Candidate) -> NextTest {
        if !self.under_way {
            self.under_way = true;
            return NextTest::Ask(candidate);
        }
        self.waiting
            .replace(candidate)
            .map_or(NextTest::Wait, NextTest::Drop)
    }

    /// The node has answered, or the call was given up.
    pub(super) fn finished(&mut self) -> NextTest {
        self.under_way = false;
        match self.waiting.take() {
            Some(candidate) => self.add(candidate),
            None => NextTest::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use federation_chain::{BlockHash, BlockHeight, UnixTime};

    use super::*;

    fn block(fill: u8) -> Candidate {
        Candidate {
            hash: BlockHash::from_bytes([fill; 32]),
            previous: BlockHash::from_bytes([0; 32]),
            height: BlockHeight::new(1),
            time: UnixTime::from_secs(1),
            bytes: Bytes::new(),
        }
    }

    #[test]
    fn the_node_is_asked_about_one_block_at_a_time_and_never_about_superseded_ones() {
        let mut tests = BlockTests::default();
        assert_eq!(tests.add(block(1)), NextTest::Ask(block(1)));
        assert_eq!(tests.add(block(2)), NextTest::Wait);
        assert_eq!(tests.add(block(3)), NextTest::Drop(block(2)));
        assert_eq!(tests.add(block(4)), NextTest::Drop(block(3)));
        assert_eq!(tests.finished(), NextTest::Ask(block(4)));
        assert_eq!(tests.add(block(5)), NextTest::Wait);
        assert_eq!(tests.finished(), NextTest::Ask(block(5)));
        assert_eq!(tests.finished(), NextTest::Wait);
        assert_eq!(tests.add(block(6)), NextTest::Ask(block(6)));
    }
}
