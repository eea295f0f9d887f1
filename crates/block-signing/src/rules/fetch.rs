//! Requests for missing bodies (rule R22).

use core::time::Duration;

use federation_chain::BlockHash;
use federation_roster::OperatorId;

use crate::{
    BodyRequest, Certificate, Message,
    state::{BodyFetch, Step},
};

use super::Rules;

impl Rules<'_> {
    /// Returns the body that is needed most and not held.
    fn missing_body(&self) -> Option<BlockHash> {
        if self.observing {
            return None;
        }
        let keeper = self.keeper();
        let missing = |hash: &BlockHash| keeper.bodies.usable(*hash).is_none();
        if let Some(hash) = keeper.settled(self.quorum()) {
            return Some(hash).filter(missing);
        }
        if matches!(self.height.step, Step::Waiting { .. }) {
            return None;
        }
        // Another copy may be good: a liar can spoil one, and only the node can tell.
        let unproven = |hash: &BlockHash| missing(hash) || keeper.bodies.refused(*hash);
        let proof = |proof: &Certificate| proof.hash;
        let mut current = keeper.proofs.of_round(self.height.round).map(proof);
        if let Some(hash) = current.find(unproven) {
            return Some(hash);
        }
        // After this operator's prevote it is needed only if others prove it.
        if matches!(self.height.step, Step::Propose { .. }) {
            let proposed = self.proposal().map(|proposal| proposal.hash);
            if let Some(hash) = proposed.filter(missing) {
                return Some(hash);
            }
        }
        // The next leader proposes the block of the latest proof, and all must hold it to vote for
        // it.
        keeper.proofs.latest().map(proof).find(unproven)
    }

    /// Returns how long to wait for a body that is under way: twice the time that recent bodies
    /// took.
    fn body_wait(&self) -> Duration {
        let timeouts = self.config.timeouts();
        #[cfg(test)]
        if self.impatient() {
            return timeouts.propose / 4;
        }
        let typical = self
            .timing
            .typical()
            .map(|typical| typical.saturating_mul(2));
        let limit = timeouts.limit.max(timeouts.propose);
        typical
            .unwrap_or(timeouts.propose)
            .clamp(timeouts.propose / 4, limit)
    }

    #[cfg(test)]
    fn impatient(&self) -> bool {
        self.config.mutation == Some(crate::mutation::Mutation::Impatient)
    }

    /// R22: asks the operators that must have a needed body, one after the other, unless it is
    /// under way.
    pub(super) fn fetch_missing_body(&mut self) {
        let Some(hash) = self.missing_body() else {
            self.height.fetch = None;
            return;
        };
        let fetch = self.height.fetch.filter(|fetch| fetch.hash == hash);
        let mut fetch = fetch.unwrap_or_else(|| {
            let expected = self.timing.expected_since(hash);
            let at = expected.map_or(self.now, |since| since.saturating_add(self.body_wait()));
            let attempt = 0;
            BodyFetch { hash, at, attempt }
        });
        if fetch.at <= self.now {
            if let Some(asked) = self.holder(hash, fetch.attempt) {
                self.timing.expect(asked, hash, self.now);
                self.height.requests_sent = self.height.requests_sent.wrapping_add(1);
                self.send(Message::BodyRequest(BodyRequest {
                    height: self.height.number(),
                    hash,
                    asked,
                }));
            }
            let timeouts = self.config.timeouts();
            let pause = self.body_wait().max(timeouts.propose);
            #[cfg(test)]
            let pause = if self.impatient() {
                self.config.retransmit_interval()
            } else {
                pause
            };
            let grown = pause.saturating_mul(1 << fetch.attempt.min(8));
            let grown = grown.min(timeouts.limit.max(timeouts.propose));
            fetch.attempt += 1;
            fetch.at = self.now.saturating_add(grown.max(Duration::from_millis(1)));
        }
        self.height.fetch = Some(fetch);
    }

    /// Returns the operator to ask next: voters and signers first, then proposers. Each operator
    /// starts with a different one, so that not all ask the same.
    fn holder(&self, hash: BlockHash, attempt: u32) -> Option<OperatorId> {
        let holders = self.keeper().holders(hash, self.config);
        let mut proposers = self.keeper().proposers(hash, self.config);
        proposers.retain(|id| !holders.contains(id));
        let all = holders.len() + proposers.len();
        let index = (attempt as usize).checked_rem(all)?;
        let turn = self
            .height
            .requests_sent
            .wrapping_add(self.config.me().index());
        match index.checked_sub(holders.len()) {
            Some(index) => proposers.get(index).copied(),
            None => holders.get(turn % holders.len()).copied(),
        }
    }
}
