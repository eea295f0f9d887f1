//! Hashes the state that a machine's future depends on, for programs that explore its states.

use std::hash::{Hash, Hasher};

use federation_chain::UnixTime;

use crate::{Machine, state::Height, state::Step};

impl Machine {
    /// Feeds everything that the machine's future depends on to a hasher, with deadlines relative
    /// to its clock: machines that differ only in the time of day hash alike.
    ///
    /// Left out are the times for reports and of retransmissions, and which operators were asked
    /// for bodies or sent some: they do not change what a machine decides. For model checkers only,
    /// and only to compare machines of the same operator in the same federation.
    pub fn hash_behaviour<H: Hasher>(&self, hasher: &mut H) {
        // Names every field, so that adding one forces a choice here.
        let Self {
            config: _,
            standing,
            standing_is_new,
            last_final,
            recovered,
            height,
            next,
            last_decided: _,
            timing: _,
            clock,
            halted,
            out: _,
        } = self;
        (
            standing,
            standing_is_new,
            last_final,
            recovered,
            next,
            halted,
        )
            .hash(hasher);
        height.is_some().hash(hasher);
        if let Some(height) = height {
            height.hash_behaviour(*clock, hasher);
        }
    }
}

impl Height {
    fn hash_behaviour<H: Hasher>(&self, clock: UnixTime, hasher: &mut H) {
        let Self {
            tip,
            round,
            step,
            round_deadline,
            keeper,
            own,
            retransmit_at: _,
            fetch,
            template,
            signing,
            submitting,
            requests_sent: _,
            replies: _,
            pruned: _,
            stored_bodies,
            stored_proofs,
            stored_decision,
            timestamps: _,
        } = self;
        let from_now = |time: UnixTime| {
            let (time, clock) = (time.as_millis(), clock.as_millis());
            i128::from(time) - i128::from(clock)
        };
        (tip.height, tip.hash, round).hash(hasher);
        let (kind, until) = match step {
            Step::Waiting { start } => (0, Some(*start)),
            Step::Propose { until } => (1, Some(*until)),
            Step::Prevote { until } => (2, *until),
            Step::Precommit => (3, None),
            Step::Decided => (4, None),
        };
        (kind, until.map(from_now), round_deadline.map(from_now)).hash(hasher);
        let fetch = fetch.map(|fetch| (fetch.hash, from_now(fetch.at), fetch.attempt));
        (keeper, own, fetch).hash(hasher);
        (template, signing, submitting).hash(hasher);
        (stored_bodies, stored_proofs, stored_decision).hash(hasher);
    }
}
