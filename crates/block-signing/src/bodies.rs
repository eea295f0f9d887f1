//! The blocks held at one height: bounded per sender, several copies of one hash side by side.
//!
//! A hash does not cover the witnesses of the transactions, so a liar can send bytes that have the
//! right hash and that no node takes. Copies are therefore judged one by one, and a bad copy says
//! nothing about the hash.

use std::collections::{BTreeMap, BTreeSet};

use federation_chain::BlockHash;
use federation_roster::OperatorId;

use crate::{Candidate, Verdict};

/// What is known of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Judgement {
    /// Not asked yet.
    Unknown,
    /// The node is being asked.
    Testing,
    /// The node did not answer; to be asked again.
    Unavailable,
    /// Node and policy accept it.
    Valid,
    /// Node or policy refuse it.
    Invalid(String),
}

#[derive(Debug, Clone, Hash)]
struct BodyCopy {
    from: OperatorId,
    candidate: Candidate,
    judgement: Judgement,
    /// Whether the node's last word on it was no; asking again does not change that, an answer does.
    refused: bool,
    /// Counts up with each copy that comes, so that the newest can be told.
    order: u64,
}

/// All copies of all blocks of one height.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Bodies {
    copies: BTreeMap<BlockHash, Vec<BodyCopy>>,
    order: u64,
}

impl Bodies {
    /// Keeps a block, unless the same bytes, or another copy from the same sender, are there.
    pub(crate) fn insert(
        &mut self,
        from: OperatorId,
        candidate: Candidate,
        judgement: Judgement,
    ) -> bool {
        let copies = self.copies.entry(candidate.hash).or_default();
        if let Some(copy) = copies.iter_mut().find(|c| c.candidate == candidate) {
            if judgement == Judgement::Valid {
                copy.judgement = judgement;
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
            judgement,
            refused: false,
            order: self.order,
        });
        true
    }

    /// Drops what nobody refers to, but for the newest block of each sender.
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

    /// The best copy that the node has not refused.
    pub(crate) fn usable(&self, hash: BlockHash) -> Option<&Candidate> {
        let copies = self.copies.get(&hash)?;
        copies
            .iter()
            .find(|c| c.judgement == Judgement::Valid)
            .or_else(|| {
                copies
                    .iter()
                    .find(|c| !matches!(c.judgement, Judgement::Invalid(_)))
            })
            .map(|copy| &copy.candidate)
    }

    /// The best copy, be it one that the node refused.
    pub(crate) fn any(&self, hash: BlockHash) -> Option<&Candidate> {
        self.usable(hash)
            .or_else(|| Some(&self.copies.get(&hash)?.first()?.candidate))
    }

    /// What is known of a block by all its copies together: a valid copy decides, then one whose
    /// answer is awaited, then one to ask about.
    pub(crate) fn judgement(&self, hash: BlockHash) -> Option<&Judgement> {
        let rank = |judgement: &Judgement| match judgement {
            Judgement::Valid => 0,
            Judgement::Testing => 1,
            Judgement::Unknown => 2,
            Judgement::Unavailable => 3,
            Judgement::Invalid(_) => 4,
        };
        let judgements = self.copies.get(&hash)?.iter().map(|c| &c.judgement);
        judgements.min_by_key(|j| rank(j))
    }

    /// Takes a copy to ask the node about, if one waits for it.
    pub(crate) fn start_test(&mut self, hash: BlockHash) -> Option<Candidate> {
        let copy = self
            .copies
            .get_mut(&hash)?
            .iter_mut()
            .find(|c| c.judgement == Judgement::Unknown)?;
        copy.judgement = Judgement::Testing;
        Some(copy.candidate.clone())
    }

    /// Notes the node's answer about the copy it was asked about.
    pub(crate) fn finish_test(&mut self, candidate: &Candidate, verdict: Verdict) {
        let mut copies = self.copies.get_mut(&candidate.hash).into_iter().flatten();
        let asked = copies
            .find(|copy| copy.judgement == Judgement::Testing && copy.candidate == *candidate);
        if let Some(copy) = asked {
            match verdict {
                Verdict::Valid => copy.refused = false,
                Verdict::Invalid(_) => copy.refused = true,
                Verdict::Unavailable => {}
            }
            copy.judgement = match verdict {
                Verdict::Valid => Judgement::Valid,
                Verdict::Invalid(reason) => Judgement::Invalid(reason),
                Verdict::Unavailable => Judgement::Unavailable,
            };
        }
    }

    /// Notes that the node refused the best copy when it was submitted.
    pub(crate) fn refuse(&mut self, hash: BlockHash, reason: &str) {
        let Some(best) = self.any(hash).map(|c| c.bytes.clone()) else {
            return;
        };
        for copy in self.copies.get_mut(&hash).into_iter().flatten() {
            if copy.candidate.bytes == best {
                copy.judgement = Judgement::Invalid(reason.to_owned());
                copy.refused = true;
            }
        }
    }

    /// Whether the node's last word on every copy was no.
    pub(crate) fn refused(&self, hash: BlockHash) -> bool {
        let copies = self.copies.get(&hash);
        copies.is_some_and(|copies| copies.iter().all(|copy| copy.refused))
    }

    /// Lets the node be asked again about what it did not answer.
    pub(crate) fn retry_unavailable(&mut self) {
        for copy in self.copies.values_mut().flatten() {
            if copy.judgement == Judgement::Unavailable {
                copy.judgement = Judgement::Unknown;
            }
        }
    }

    /// Lets the node be asked again about everything that it did not accept.
    pub(crate) fn retry_refused(&mut self) {
        for copy in self.copies.values_mut().flatten() {
            if matches!(
                copy.judgement,
                Judgement::Unavailable | Judgement::Invalid(_)
            ) {
                copy.judgement = Judgement::Unknown;
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
    fn a_sender_cannot_fill_the_memory() {
        let mut bodies = Bodies::default();
        let liar = OperatorId::new(3);
        for hash in 0..100 {
            bodies.insert(liar, candidate(hash, b"x"), Judgement::Unknown);
            bodies.insert(liar, candidate(hash, b"y"), Judgement::Unknown);
            bodies.trim(&BTreeSet::new());
        }
        assert_eq!(bodies.len(), 1);
        assert!(bodies.any(BlockHash::from_bytes([99; 32])).is_some());
    }

    #[test]
    fn trimming_spares_what_is_wanted() {
        let mut bodies = Bodies::default();
        let wanted = candidate(1, b"x");
        bodies.insert(OperatorId::new(0), wanted.clone(), Judgement::Unknown);
        bodies.insert(OperatorId::new(0), candidate(2, b"y"), Judgement::Unknown);
        bodies.insert(OperatorId::new(0), candidate(3, b"z"), Judgement::Unknown);
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
        bodies.insert(OperatorId::new(0), bad.clone(), Judgement::Unknown);
        assert_eq!(bodies.start_test(hash), Some(bad.clone()));
        bodies.insert(OperatorId::new(1), good.clone(), Judgement::Unknown);
        bodies.finish_test(&bad, Verdict::Invalid("witness".to_owned()));
        assert_eq!(bodies.judgement(hash), Some(&Judgement::Unknown));
        assert_eq!(bodies.start_test(hash), Some(good.clone()));
        // A verdict that comes late is about the copy that it names.
        bodies.finish_test(&bad, Verdict::Invalid("witness".to_owned()));
        assert_eq!(bodies.judgement(hash), Some(&Judgement::Testing));
        bodies.finish_test(&good, Verdict::Valid);
        assert_eq!(bodies.usable(hash), Some(&good));
        assert_eq!(bodies.start_test(hash), None);
    }
}
