//! Five parties that receive different messages: all make one certificate, or name a culprit.

use std::collections::BTreeSet;

use federation_ceremony::{
    Approval, Body, Ceremony, CeremonyError, Certificate, ChainError, Message,
};
use proptest::prelude::*;

use crate::common::{N, join_at, opened, sign};

/// The faults of a ceremony, and the order of delivery.
#[derive(Debug, Clone)]
struct Faults {
    /// A party that joins with another address towards some, and those that see it.
    liar: Option<(u8, Vec<bool>)>,
    /// A party that sends nothing.
    absent: Option<u8>,
    /// The receiver and number of messages that are lost the first time.
    lost: BTreeSet<(u8, usize)>,
    /// The order in which each party adds its messages, some of them twice.
    orders: Vec<Vec<usize>>,
}

fn faults() -> impl Strategy<Value = Faults> {
    let liar = (0..N, prop::collection::vec(any::<bool>(), usize::from(N)));
    let lost = prop::collection::btree_set((0..N, 0..20_usize), 0..6);
    let order = Just((0..20).chain(3..9).collect::<Vec<usize>>()).prop_shuffle();
    (
        prop::option::of(liar),
        prop::option::weighted(0.3, 0..N),
        lost,
        prop::collection::vec(order, usize::from(N)),
    )
        .prop_map(|(liar, absent, lost, orders)| Faults {
            liar,
            absent,
            lost,
            orders,
        })
}

/// The outcome of a ceremony at one party.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Certificate(String),
    Culprit(String),
    WaitsFor(String),
    Disagrees,
}

fn outcome(ceremony: &Ceremony) -> Outcome {
    match Certificate::new(ceremony.clone()) {
        Ok(certificate) => Outcome::Certificate(certificate.to_text()),
        Err(CeremonyError::Equivocation(who)) => Outcome::Culprit(who),
        Err(CeremonyError::NotApproved(who) | CeremonyError::Chain(ChainError::Missing(who))) => {
            Outcome::WaitsFor(who)
        }
        Err(CeremonyError::Disagrees { .. }) => Outcome::Disagrees,
        Err(error) => panic!("{error}"),
    }
}

/// Adds the messages with these numbers, in this order.
fn add(ceremony: &mut Ceremony, messages: &[Message], order: &[usize]) {
    for at in order {
        if let Some(message) = messages.get(*at) {
            ceremony.add(message.clone()).expect("added");
        }
    }
}

struct Five {
    faults: Faults,
    parties: Vec<Ceremony>,
    sent: Vec<Message>,
}

impl Five {
    fn new(faults: Faults) -> Self {
        Self {
            parties: (0..N).map(|_| opened()).collect(),
            faults,
            sent: Vec::new(),
        }
    }

    fn name(index: u8) -> String {
        format!("party-{index}")
    }

    fn is_present(&self, index: u8) -> bool {
        self.faults.absent != Some(index)
    }

    /// Everybody joins. Lost messages do not arrive, and the liar sends two different joins.
    fn join(&mut self) {
        let id = opened().id();
        let honest: Vec<_> = (0..N)
            .filter(|index| self.is_present(*index))
            .map(|index| (index, join_at(id, index, 7000)))
            .collect();
        for (party, ceremony) in (0..N).zip(&mut self.parties) {
            let mut seen: Vec<_> = honest.clone();
            if let Some((liar, to)) = &self.faults.liar
                && to[usize::from(party)]
                && party != *liar
            {
                for (index, message) in &mut seen {
                    if index == liar {
                        *message = join_at(id, *liar, 7001);
                    }
                }
            }
            seen.retain(|(index, _)| {
                *index == party || !self.faults.lost.contains(&(party, usize::from(*index)))
            });
            let seen: Vec<_> = seen.into_iter().map(|(_, message)| message).collect();
            add(ceremony, &seen, &self.faults.orders[usize::from(party)]);
            self.sent.extend(seen);
        }
    }

    /// Every party that sees a chain approves it; the liar approves whatever each party sees.
    fn approve(&mut self) {
        let id = opened().id();
        let views: Vec<Option<Approval>> = self
            .parties
            .iter()
            .map(|ceremony| Some(Ceremony::approval_of(&ceremony.chain().ok()?)))
            .collect();
        let mut approvals = Vec::new();
        for index in (0..N).filter(|index| self.is_present(*index)) {
            let own = views[usize::from(index)].clone();
            approvals.extend(own.map(|approval| sign(id, index, Body::Approval(approval))));
        }
        for (party, ceremony) in (0..N).zip(&mut self.parties) {
            let mut seen = approvals.clone();
            if let Some((liar, _)) = &self.faults.liar
                && let Some(approval) = &views[usize::from(party)]
                && self.faults.absent != Some(*liar)
            {
                let key = opened().members()[usize::from(*liar)].identity;
                seen.retain(|message| *message.sender() != key);
                seen.push(sign(id, *liar, Body::Approval(approval.clone())));
            }
            let reached = |at: &usize| !self.faults.lost.contains(&(party, at + usize::from(N)));
            let order = &self.faults.orders[usize::from(party)];
            let order: Vec<_> = order.iter().copied().filter(reached).collect();
            add(ceremony, &seen, &order);
            self.sent.extend(seen);
        }
    }

    /// Every party sends everything to every other.
    fn exchange(&mut self) {
        for (ceremony, order) in self.parties.iter_mut().zip(&self.faults.orders) {
            let count = self.sent.len();
            let rotated = (0..count).map(|at| (at * 7 + order[0]) % count.max(1));
            let order: Vec<_> = rotated.chain(0..count).collect();
            add(ceremony, &self.sent, &order);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_make_one_certificate_or_name_a_culprit(faults in faults()) {
        let liar = faults.liar.clone();
        let absent = faults.absent;
        let mut five = Five::new(faults);
        five.join();
        five.approve();
        // Whatever is lost and whoever lies, one ceremony never results in two agreements.
        let agreed: BTreeSet<_> = five
            .parties
            .iter()
            .filter_map(|ceremony| Certificate::new(ceremony.clone()).ok())
            .map(|certificate| certificate.agreed_hash())
            .collect();
        prop_assert!(agreed.len() <= 1);
        // No honest party is accused.
        for evidence in five.parties.iter().flat_map(Ceremony::evidence) {
            let culprit = liar.as_ref().map(|(index, _)| Five::name(*index));
            prop_assert_eq!(Some(evidence.member()), culprit.as_deref());
        }

        five.exchange();
        let outcomes: BTreeSet<_> = five.parties.iter().map(outcome).collect();
        prop_assert_eq!(outcomes.len(), 1, "{:?}", outcomes);
        let outcome = outcomes.into_iter().next().expect("one");
        let two_faces = liar.as_ref().is_some_and(|(index, to)| {
            let fooled = (0..N).any(|party| party != *index && to[usize::from(party)]);
            let reached = |face: bool| {
                (0..N).any(|party| {
                    let sees_other = to[usize::from(party)] && party != *index;
                    let got = party == *index
                        || !five.faults.lost.contains(&(party, usize::from(*index)));
                    sees_other == face && got
                })
            };
            absent != Some(*index) && fooled && reached(true) && reached(false)
        });
        match (outcome, two_faces) {
            (Outcome::Culprit(who), true) => {
                prop_assert_eq!(Some(who), liar.map(|(index, _)| Five::name(index)));
            }
            (Outcome::WaitsFor(who), false) => {
                // If nothing was lost, only the absent party is waited for.
                let missing = absent.map(Five::name);
                prop_assert!(missing == Some(who) || !five.faults.lost.is_empty());
            }
            (Outcome::Certificate(_), false) => prop_assert_eq!(absent, None),
            (outcome, _) => prop_assert!(false, "{outcome:?}"),
        }
    }
}
