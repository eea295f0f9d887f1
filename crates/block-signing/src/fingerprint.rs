//! What a machine's future depends on, for those who explore its states.

use std::hash::{Hash, Hasher};

use federation_chain::UnixTime;

use crate::{Machine, state::Height, state::Step};

impl Machine {
    /// Feeds everything to a hasher that the machine's future depends on, with deadlines as they
    /// stand to its clock: machines that differ in nothing but the time of day are the same.
    ///
    /// Left out are the times for reports and of repeats (the beat), and who was asked for bodies and
    /// sent some, which change nothing of what a machine decides. For model checkers; two machines of one federation and one operator only.
    pub fn hash_behaviour<H: Hasher>(&self, hasher: &mut H) {
        // Names every field, so that a new one is a decision here.
        let Self {
            config: _,
            standing,
            standing_is_new,
            last_final,
            memory,
            height,
            next,
            finished: _,
            pace: _,
            clock,
            halted,
            out: _,
        } = self;
        (standing, standing_is_new, last_final, memory, next, halted).hash(hasher);
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
            round_until,
            ballots,
            own,
            beat_at: _,
            search,
            template,
            signing,
            submitting,
            asked: _,
            answers: _,
            tidied: _,
            stored_bodies,
            stored_proofs,
            stored_decision,
            marks: _,
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
        (kind, until.map(from_now), round_until.map(from_now)).hash(hasher);
        let search = search.map(|search| (search.hash, from_now(search.at), search.attempt));
        (ballots, own, search).hash(hasher);
        (template, signing, submitting).hash(hasher);
        (stored_bodies, stored_proofs, stored_decision).hash(hasher);
    }
}
