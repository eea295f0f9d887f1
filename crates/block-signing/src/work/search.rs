//! The search for bodies that are missing (rule R22).

use core::time::Duration;

use federation_chain::BlockHash;
use federation_roster::OperatorId;

use crate::{
    BodyRequest, Certificate, Message,
    state::{Search, Step},
};

use super::Work;

impl Work<'_> {
    /// The body that is needed most and not held.
    fn missing_body(&self) -> Option<BlockHash> {
        if self.observing {
            return None;
        }
        let ballots = self.ballots();
        let missing = |hash: &BlockHash| ballots.bodies.usable(*hash).is_none();
        if let Some(hash) = ballots.settled(self.quorum()) {
            return Some(hash).filter(missing);
        }
        if matches!(self.height.step, Step::Waiting { .. }) {
            return None;
        }
        // Another copy may be good: a liar can spoil one, and only the node can tell.
        let unproven = |hash: &BlockHash| missing(hash) || ballots.bodies.refused(*hash);
        let proof = |proof: &Certificate| proof.hash;
        let mut current = ballots.proofs.of_round(self.height.round).map(proof);
        if let Some(hash) = current.find(unproven) {
            return Some(hash);
        }
        // After the own prevote it is needed only if others prove it.
        if matches!(self.height.step, Step::Propose { .. }) {
            let proposed = self.proposal().map(|proposal| proposal.hash);
            if let Some(hash) = proposed.filter(missing) {
                return Some(hash);
            }
        }
        // Whoever leads next proposes the block of the latest proof, and all must hold it to vote.
        ballots.proofs.latest().map(proof).find(unproven)
    }

    /// How long a body that is under way is waited for: twice what bodies took lately.
    fn patience(&self) -> Duration {
        let timeouts = self.config.timeouts();
        #[cfg(test)]
        if self.impatient() {
            return timeouts.propose / 4;
        }
        let usual = self.pace.usual().map(|usual| usual.saturating_mul(2));
        let limit = timeouts.limit.max(timeouts.propose);
        usual
            .unwrap_or(timeouts.propose)
            .clamp(timeouts.propose / 4, limit)
    }

    #[cfg(test)]
    fn impatient(&self) -> bool {
        self.config.mutation == Some(crate::mutation::Mutation::Impatient)
    }

    /// R22: asks those who must have it, one after the other, for a body that is needed and not
    /// under way.
    pub(super) fn search_body(&mut self) {
        let Some(hash) = self.missing_body() else {
            self.height.search = None;
            return;
        };
        let search = self.height.search.filter(|search| search.hash == hash);
        let mut search = search.unwrap_or_else(|| {
            let awaited = self.pace.awaited_since(hash);
            let at = awaited.map_or(self.now, |since| since.after(self.patience()));
            let attempt = 0;
            Search { hash, at, attempt }
        });
        if search.at <= self.now {
            if let Some(asked) = self.holder(hash, search.attempt) {
                self.pace.expect(asked, hash, self.now);
                self.height.asked = self.height.asked.wrapping_add(1);
                self.out.send(Message::BodyRequest(BodyRequest {
                    height: self.height.number(),
                    hash,
                    asked,
                }));
            }
            let timeouts = self.config.timeouts();
            let pause = self.patience().max(timeouts.propose);
            #[cfg(test)]
            let pause = if self.impatient() {
                self.config.beat()
            } else {
                pause
            };
            let grown = pause.saturating_mul(1 << search.attempt.min(8));
            let grown = grown.min(timeouts.limit.max(timeouts.propose));
            search.attempt += 1;
            search.at = self.now.after(grown.max(Duration::from_millis(1)));
        }
        self.height.search = Some(search);
    }

    /// Whom to ask next: those who have voted for it or signed it, one after the other, each operator
    /// beginning with another one so that not all ask the same; then its proposers.
    fn holder(&self, hash: BlockHash, attempt: u32) -> Option<OperatorId> {
        let holders = self.ballots().holders(hash, self.config);
        let mut proposers = self.ballots().proposers(hash, self.config);
        proposers.retain(|id| !holders.contains(id));
        let all = holders.len() + proposers.len();
        let place = (attempt as usize).checked_rem(all)?;
        let turn = self.height.asked.wrapping_add(self.config.me().index());
        match place.checked_sub(holders.len()) {
            Some(place) => proposers.get(place).copied(),
            None => holders.get(turn % holders.len()).copied(),
        }
    }
}
