//! Five parties, each with what reached it: one certificate everywhere, or a named culprit.

use std::collections::BTreeSet;

use federation_ceremony::{
    Approval, Body, Ceremony, CeremonyError, Certificate, ChainError, Message,
};
use proptest::prelude::*;

use crate::common::{N, join_at, opened, say};

/// What goes wrong, and in which order things come.
#[derive(Debug, Clone)]
struct Course {
    /// Who joins at another address towards some, and who those are.
    liar: Option<(u8, Vec<bool>)>,
    /// Who never says anything.
    absent: Option<u8>,
    /// Who does not get the message of a number, the first time.
    lost: BTreeSet<(u8, usize)>,
    /// The order in which each takes the messages that it has; some come twice.
    orders: Vec<Vec<usize>>,
}

fn course() -> impl Strategy<Value = Course> {
    let liar = (0..N, prop::collection::vec(any::<bool>(), usize::from(N)));
    let lost = prop::collection::btree_set((0..N, 0..20_usize), 0..6);
    let order = Just((0..20).chain(3..9).collect::<Vec<usize>>()).prop_shuffle();
    (
        prop::option::of(liar),
        prop::option::weighted(0.3, 0..N),
        lost,
        prop::collection::vec(order, usize::from(N)),
    )
        .prop_map(|(liar, absent, lost, orders)| Course {
            liar,
            absent,
            lost,
            orders,
        })
}

/// What came of a ceremony at one party.
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
        Err(CeremonyError::TwoThings(who)) => Outcome::Culprit(who),
        Err(CeremonyError::NotApproved(who) | CeremonyError::Chain(ChainError::Missing(who))) => {
            Outcome::WaitsFor(who)
        }
        Err(CeremonyError::Disagrees { .. }) => Outcome::Disagrees,
        Err(error) => panic!("{error}"),
    }
}

/// Takes the messages of these numbers, in this order.
fn take(ceremony: &mut Ceremony, messages: &[Message], order: &[usize]) {
    for at in order {
        if let Some(message) = messages.get(*at) {
            ceremony.add(message.clone()).expect("it has a place");
        }
    }
}

struct Five {
    course: Course,
    parties: Vec<Ceremony>,
    said: Vec<Message>,
}

impl Five {
    fn new(course: Course) -> Self {
        Self {
            parties: (0..N).map(|_| opened()).collect(),
            course,
            said: Vec::new(),
        }
    }

    fn name(place: u8) -> String {
        format!("party-{place}")
    }

    fn speaks(&self, place: u8) -> bool {
        self.course.absent != Some(place)
    }

    /// Everybody joins; what is lost does not come, and the liar shows two faces.
    fn join(&mut self) {
        let id = opened().id();
        let honest: Vec<_> = (0..N)
            .filter(|place| self.speaks(*place))
            .map(|place| (place, join_at(id, place, 7000)))
            .collect();
        for (party, ceremony) in (0..N).zip(&mut self.parties) {
            let mut seen: Vec<_> = honest.clone();
            if let Some((liar, to)) = &self.course.liar
                && to[usize::from(party)]
                && party != *liar
            {
                for (place, message) in &mut seen {
                    if place == liar {
                        *message = join_at(id, *liar, 7001);
                    }
                }
            }
            seen.retain(|(place, _)| {
                *place == party || !self.course.lost.contains(&(party, usize::from(*place)))
            });
            let seen: Vec<_> = seen.into_iter().map(|(_, message)| message).collect();
            take(ceremony, &seen, &self.course.orders[usize::from(party)]);
            self.said.extend(seen);
        }
    }

    /// Who sees a chain approves it; the liar approves whatever anybody sees.
    fn approve(&mut self) {
        let id = opened().id();
        let views: Vec<Option<Approval>> = self
            .parties
            .iter()
            .map(|ceremony| Some(Ceremony::approval_of(&ceremony.chain().ok()?)))
            .collect();
        let mut approvals = Vec::new();
        for place in (0..N).filter(|place| self.speaks(*place)) {
            let own = views[usize::from(place)].clone();
            approvals.extend(own.map(|approval| say(id, place, Body::Approval(approval))));
        }
        for (party, ceremony) in (0..N).zip(&mut self.parties) {
            let mut seen = approvals.clone();
            if let Some((liar, _)) = &self.course.liar
                && let Some(approval) = &views[usize::from(party)]
                && self.course.absent != Some(*liar)
            {
                let key = opened().members()[usize::from(*liar)].identity;
                seen.retain(|message| *message.sender() != key);
                seen.push(say(id, *liar, Body::Approval(approval.clone())));
            }
            let reached = |at: &usize| !self.course.lost.contains(&(party, at + usize::from(N)));
            let order = &self.course.orders[usize::from(party)];
            let order: Vec<_> = order.iter().copied().filter(reached).collect();
            take(ceremony, &seen, &order);
            self.said.extend(seen);
        }
    }

    /// Everybody sends everybody everything.
    fn exchange(&mut self) {
        for (ceremony, order) in self.parties.iter_mut().zip(&self.course.orders) {
            let count = self.said.len();
            let rotated = (0..count).map(|at| (at * 7 + order[0]) % count.max(1));
            let order: Vec<_> = rotated.chain(0..count).collect();
            take(ceremony, &self.said, &order);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_certificate_everywhere_or_a_named_culprit(course in course()) {
        let liar = course.liar.clone();
        let absent = course.absent;
        let mut five = Five::new(course);
        five.join();
        five.approve();
        // Whatever was lost, and whoever lies: two agreements never come of one ceremony.
        let agreed: BTreeSet<_> = five
            .parties
            .iter()
            .filter_map(|ceremony| Certificate::new(ceremony.clone()).ok())
            .map(|certificate| certificate.agreed_hash())
            .collect();
        prop_assert!(agreed.len() <= 1);
        // Nobody is accused who said one thing.
        for evidence in five.parties.iter().flat_map(Ceremony::evidence) {
            let culprit = liar.as_ref().map(|(place, _)| Five::name(*place));
            prop_assert_eq!(Some(evidence.member()), culprit.as_deref());
        }

        five.exchange();
        let outcomes: BTreeSet<_> = five.parties.iter().map(outcome).collect();
        prop_assert_eq!(outcomes.len(), 1, "{:?}", outcomes);
        let outcome = outcomes.into_iter().next().expect("one");
        let two_faces = liar.as_ref().is_some_and(|(place, to)| {
            let fooled = (0..N).any(|party| party != *place && to[usize::from(party)]);
            let reached = |face: bool| {
                (0..N).any(|party| {
                    let sees_other = to[usize::from(party)] && party != *place;
                    let got = party == *place
                        || !five.course.lost.contains(&(party, usize::from(*place)));
                    sees_other == face && got
                })
            };
            absent != Some(*place) && fooled && reached(true) && reached(false)
        });
        match (outcome, two_faces) {
            (Outcome::Culprit(who), true) => {
                prop_assert_eq!(Some(who), liar.map(|(place, _)| Five::name(place)));
            }
            (Outcome::WaitsFor(who), false) => {
                // Without a loss nobody else is waited for.
                let missing = absent.map(Five::name);
                prop_assert!(missing == Some(who) || !five.course.lost.is_empty());
            }
            (Outcome::Certificate(_), false) => prop_assert_eq!(absent, None),
            (outcome, _) => prop_assert!(false, "{outcome:?}"),
        }
    }
}
