//! The blocks held at one height: bounded per sender, with several copies of one hash kept side by
//! side.
//!
//! A block hash does not cover the transactions' witnesses, so a liar can send bytes that have the
//! right hash and that every node rejects. Copies are therefore judged one by one, and a bad copy
//! does not condemn the hash.

use std::collections::{BTreeMap, BTreeSet};

use federation_chain::BlockHash;
use federation_roster::OperatorId;

use crate::{Candidate, Verdict};

/// Whether a copy is valid, as far as known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Validity {
    /// The node has not been asked yet.
    Unknown,
    /// The node is being asked.
    Testing,
    /// The node did not answer and will be asked again.
    Unavailable,
    /// The node and the policy accept it.
    Valid,
    /// The node or the policy rejects it.
    Invalid(String),
}

#[derive(Debug, Clone, Hash)]
struct BodyCopy {
    from: OperatorId,
    candidate: Candidate,
    validity: Validity,
    /// Whether the node's latest answer was a rejection. Asking again leaves it set; a new answer
    /// replaces it.
    refused: bool,
    /// Increases with each copy received, to tell which is the newest.
    order: u64,
}

/// All copies of all blocks of one height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Bodies {
    copies: BTreeMap<BlockHash, Vec<BodyCopy>>,
    order: u64,
}

impl Bodies {
    /// Adds a block, unless the same bytes or another copy from the same sender are already held.
    /// Returns whether it was added.
    pub(crate) fn insert(
        &mut self,
        from: OperatorId,
        candidate: Candidate,
        validity: Validity,
    ) -> bool {
        let copies = self.copies.entry(candidate.hash).or_default();
        if let Some(copy) = copies.iter_mut().find(|c| c.candidate == candidate) {
            if validity == Validity::Valid {
                copy.validity = validity;
                copy.refused = false;
            }
            return false;
        }
        if copies.iter().any(|copy| copy.from == from) {
            return false;
        }
        self.order += 1;
        copies.push(BodyCopy {
            from,
            candidate,
            validity,
            refused: false,
            order: self.order,
        });
        true
    }

    /// Drops blocks that nothing refers to, except the newest of each sender.
    pub(crate) fn trim(&mut self, wanted: &BTreeSet<BlockHash>) {
        let mut newest: BTreeMap<OperatorId, u64> = BTreeMap::new();
        for (hash, copies) in &self.copies {
            for copy in copies.iter().filter(|_| !wanted.contains(hash)) {
                let order = newest.entry(copy.from).or_default();
                *order = copy.order.max(*order);
            }
        }
        self.copies.retain(|hash, copies| {
            if !wanted.contains(hash) {
                copies.retain(|copy| newest.get(&copy.from) == Some(&copy.order));
            }
            !copies.is_empty()
        });
    }

    /// Returns the best copy that the node has not rejected.
    pub(crate) fn usable(&self, hash: BlockHash) -> Option<&Candidate> {
        let copies = self.copies.get(&hash)?;
        copies
            .iter()
            .find(|c| c.validity == Validity::Valid)
            .or_else(|| {
                copies
                    .iter()
                    .find(|c| !matches!(c.validity, Validity::Invalid(_)))
            })
            .map(|copy| &copy.candidate)
    }

    /// Returns the best copy, even if the node rejected it.
    pub(crate) fn any(&self, hash: BlockHash) -> Option<&Candidate> {
        self.usable(hash)
            .or_else(|| Some(&self.copies.get(&hash)?.first()?.candidate))
    }

    /// Returns the validity of a block across all its copies. A valid copy takes precedence, then
    /// one being tested, then one still to be tested.
    pub(crate) fn validity(&self, hash: BlockHash) -> Option<&Validity> {
        let rank = |validity: &Validity| match validity {
            Validity::Valid => 0,
            Validity::Testing => 1,
            Validity::Unknown => 2,
            Validity::Unavailable => 3,
            Validity::Invalid(_) => 4,
        };
        let validities = self.copies.get(&hash)?.iter().map(|c| &c.validity);
        validities.min_by_key(|j| rank(j))
    }

    /// Takes a copy that waits to be tested, and marks it as being tested.
    pub(crate) fn start_test(&mut self, hash: BlockHash) -> Option<Candidate> {
        let copy = self
            .copies
            .get_mut(&hash)?
            .iter_mut()
            .find(|c| c.validity == Validity::Unknown)?;
        copy.validity = Validity::Testing;
        Some(copy.candidate.clone())
    }

    /// Records the node's answer about the copy that was tested.
    pub(crate) fn finish_test(&mut self, candidate: &Candidate, verdict: Verdict) {
        let mut copies = self.copies.get_mut(&candidate.hash).into_iter().flatten();
        let asked =
            copies.find(|copy| copy.validity == Validity::Testing && copy.candidate == *candidate);
        if let Some(copy) = asked {
            match verdict {
                Verdict::Valid => copy.refused = false,
                Verdict::Invalid(_) => copy.refused = true,
                Verdict::Unavailable => {}
            }
            copy.validity = match verdict {
                Verdict::Valid => Validity::Valid,
                Verdict::Invalid(reason) => Validity::Invalid(reason),
                Verdict::Unavailable => Validity::Unavailable,
            };
        }
    }

    /// Records that the node rejected the best copy on submission.
    pub(crate) fn refuse(&mut self, hash: BlockHash, reason: &str) {
        let Some(best) = self.any(hash).map(|c| c.bytes.clone()) else {
            return;
        };
        for copy in self.copies.get_mut(&hash).into_iter().flatten() {
            if copy.candidate.bytes == best {
                copy.validity = Validity::Invalid(reason.to_owned());
                copy.refused = true;
            }
        }
    }

    /// Whether the node's latest answer about every copy was a rejection.
    pub(crate) fn refused(&self, hash: BlockHash) -> bool {
        let copies = self.copies.get(&hash);
        copies.is_some_and(|copies| copies.iter().all(|copy| copy.refused))
    }

    /// Marks the copies that the node did not answer about for testing again.
    pub(crate) fn retry_unavailable(&mut self) {
        for copy in self.copies.values_mut().flatten() {
            if copy.validity == Validity::Unavailable {
                copy.validity = Validity::Unknown;
            }
        }
    }

    /// Marks all copies that the node did not accept for testing again.
    pub(crate) fn retry_refused(&mut self) {
        for copy in self.copies.values_mut().flatten() {
            if matches!(copy.validity, Validity::Unavailable | Validity::Invalid(_)) {
                copy.validity = Validity::Unknown;
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.copies.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use federation_chain::{BlockHeight, UnixTime};

    use super::*;

    fn candidate(hash: u8, bytes: &'static [u8]) -> Candidate {
        Candidate {
            hash: BlockHash::from_bytes([hash; 32]),
            previous: BlockHash::from_bytes([0; 32]),
            height: BlockHeight::new(1),
            time: UnixTime::from_secs(1),
            bytes: Bytes::from_static(bytes),
        }
    }

    #[test]
    fn a_sender_cannot_exhaust_memory() {
        let mut bodies = Bodies::default();
        let liar = OperatorId::new(3);
        for hash in 0..100 {
            bodies.insert(liar, candidate(hash, b"x"), Validity::Unknown);
            bodies.insert(liar, candidate(hash, b"y"), Validity::Unknown);
            bodies.trim(&BTreeSet::new());
        }
        assert_eq!(bodies.len(), 1);
        assert!(bodies.any(BlockHash::from_bytes([99; 32])).is_some());
    }

    #[test]
    fn trimming_keeps_wanted_blocks() {
        let mut bodies = Bodies::default();
        let wanted = candidate(1, b"x");
        bodies.insert(OperatorId::new(0), wanted.clone(), Validity::Unknown);
        bodies.insert(OperatorId::new(0), candidate(2, b"y"), Validity::Unknown);
        bodies.insert(OperatorId::new(0), candidate(3, b"z"), Validity::Unknown);
        bodies.trim(&BTreeSet::from([wanted.hash]));
        assert_eq!(bodies.usable(wanted.hash), Some(&wanted));
        assert_eq!(bodies.len(), 2);
    }

    #[test]
    fn a_refused_copy_does_not_refuse_the_hash() {
        let mut bodies = Bodies::default();
        let bad = candidate(1, b"bad witness");
        let good = candidate(1, b"good witness");
        let hash = bad.hash;
        bodies.insert(OperatorId::new(0), bad.clone(), Validity::Unknown);
        assert_eq!(bodies.start_test(hash), Some(bad.clone()));
        bodies.insert(OperatorId::new(1), good.clone(), Validity::Unknown);
        bodies.finish_test(&bad, Verdict::Invalid("witness".to_owned()));
        assert_eq!(bodies.validity(hash), Some(&Validity::Unknown));
        assert_eq!(bodies.start_test(hash), Some(good.clone()));
        // A late verdict applies to the copy that it names.
        bodies.finish_test(&bad, Verdict::Invalid("witness".to_owned()));
        assert_eq!(bodies.validity(hash), Some(&Validity::Testing));
        bodies.finish_test(&good, Verdict::Valid);
        assert_eq!(bodies.usable(hash), Some(&good));
        assert_eq!(bodies.start_test(hash), None);
    }
}
