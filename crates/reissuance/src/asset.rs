//! One asset's part of the ledger.

use std::collections::VecDeque;

use elements::{AssetId, OutPoint, Script, Txid};
use federation_chain::BlockHeight;
use serde::{Deserialize, Serialize};

use crate::{
    AmountError, AssetSettings, Chain, Frozen, LedgerEvent, Listed, Opening, Point, TokenForm,
    amount_for_unfrozen,
    kept::{Kept, Worth},
    scheduled_amount,
};

/// Why nobody can count what is in circulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Uncountable {
    /// An issuance or reissuance whose amount is blinded.
    #[error("{0} makes a blinded amount of it, which nobody can count")]
    Blinded(Txid),
    /// More was destroyed than there was, or more made than an amount can say. This is judged at the
    /// end of a block, of all that exists: what was issued, made for points and beside them, and
    /// brought in, less what was destroyed.
    #[error("with the block of {0}, more of it was made or destroyed than there can be")]
    Range(Txid),
    /// A peg-in that does not say of which asset it is, or how much.
    #[error("{0} claims a peg-in whose amount cannot be read")]
    PegIn(Txid),
}

/// The most points that are looked ahead.
const MOST_FORECAST: usize = 10_000;
/// The most outputs with tokens, and with tokens that are of no use as they are.
const MOST_TOKENS: usize = 256;
const MOST_UNUSABLE: usize = 16;
/// The most outputs with coins for fees.
const MOST_COINS: usize = 256;
/// The most frozen outputs.
const MOST_FROZEN: usize = 4096;
/// The most outputs with tokens that are remembered as spent.
const MOST_SPENT: usize = 1024;
/// No chain comes near it, and no sum with it overflows.
const MOST_BASE: i128 = 1 << 100;

/// What is to be made for a point that was reached, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The point.
    pub point: Point,
    /// What is in circulation at the point, in satoshi; on Ocean without what is frozen.
    pub circulation: u64,
    /// What is to be made, in satoshi.
    pub amount: u64,
}

/// An output in a transaction that freezes (Ocean).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrozenOutput {
    /// How much, in satoshi.
    pub(crate) value: u64,
    /// The height of the block that froze it.
    pub(crate) start: u32,
    /// Whether it counts when it can be spent again: it pays to somebody's key.
    pub(crate) grows: bool,
}

impl Worth for FrozenOutput {
    fn worth(&self) -> u64 {
        self.value
    }
}

impl Worth for Opening {
    fn worth(&self) -> u64 {
        self.value()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AssetState {
    pub(crate) issued: Option<Issued>,
    /// Issued, made beside the schedule and brought in, less what was destroyed; and what was made
    /// for points, less what was scheduled for them. Below zero once more was destroyed than was made
    /// otherwise than for points.
    pub(crate) base: i128,
    /// The sum of all that was scheduled so far.
    scheduled: u64,
    /// The sum of what was scheduled and is not made yet.
    owed: u64,
    due: VecDeque<Due>,
    /// What can be spent for a reissuance. None is given up for another one: who has signed for one
    /// has to see when it is spent.
    pub(crate) tokens: Kept<Opening, MOST_TOKENS>,
    /// Tokens that Elements does not reissue out of, since they are not blinded.
    pub(crate) unusable: Kept<Opening, MOST_UNUSABLE>,
    pub(crate) coins: Kept<u64, MOST_COINS>,
    pub(crate) frozen: Kept<FrozenOutput, MOST_FROZEN>,
    /// What was frozen for a whole period at least and was spent since the last point.
    pub(crate) unfrozen: Vec<Frozen>,
    /// Outputs with tokens that were spent while something is owed, the oldest first.
    pub(crate) spent: VecDeque<OutPoint>,
    /// How many outputs were not kept, of each kind.
    passed_over: [u64; Listed::ALL.len()],
    uncountable: Option<Uncountable>,
    no_amount: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) entropy: [u8; 32],
    pub(crate) token: AssetId,
}

impl AssetState {
    pub(crate) const fn new() -> Self {
        Self {
            issued: None,
            base: 0,
            scheduled: 0,
            owed: 0,
            due: VecDeque::new(),
            tokens: Kept::new(),
            unusable: Kept::new(),
            coins: Kept::new(),
            frozen: Kept::new(),
            unfrozen: Vec::new(),
            spent: VecDeque::new(),
            passed_over: [0; Listed::ALL.len()],
            uncountable: None,
            no_amount: false,
        }
    }

    /// Whether reading a chain can have led to this state under these settings. What was stored may
    /// have been altered, and no sum of it must overflow.
    pub(crate) fn is_sound(&self, settings: &AssetSettings) -> bool {
        let owed: u128 = self.due.iter().map(|due| u128::from(due.amount)).sum();
        let is_point =
            |due: &Due| settings.schedule().point_at(due.point.height()) == Some(due.point);
        owed == u128::from(self.owed)
            && self.owed <= self.scheduled
            && self.due.iter().all(is_point)
            && (-MOST_BASE..=MOST_BASE).contains(&self.base)
            && self.unfrozen.len() <= MOST_FROZEN
            && self.spent.len() <= MOST_SPENT
    }

    /// Entropy and token, once issued.
    pub(crate) fn issued(&self) -> Option<([u8; 32], AssetId)> {
        self.issued.map(|issued| (issued.entropy, issued.token))
    }

    pub(crate) fn due(&self) -> Option<Due> {
        self.due.front().copied()
    }

    /// All that is owed, the oldest first.
    pub(crate) fn owed(&self) -> Vec<Due> {
        self.due.iter().copied().collect()
    }

    /// What will be owed at points up to a height if nothing else happens.
    pub(crate) fn forecast(
        &self,
        settings: &AssetSettings,
        chain: &Chain,
        from: BlockHeight,
        to: BlockHeight,
    ) -> Vec<Due> {
        let mut state = self.clone();
        state.due.clear();
        for point in settings.schedule().points(from, to).take(MOST_FORECAST) {
            state.reach(settings, chain, point, &mut Vec::new());
        }
        state.owed()
    }

    pub(crate) const fn uncountable(&self) -> Option<Uncountable> {
        self.uncountable
    }

    pub(crate) fn holds(&self, outpoint: &OutPoint) -> bool {
        self.tokens.contains(outpoint)
            || self.unusable.contains(outpoint)
            || self.coins.contains(outpoint)
    }

    /// What exists, or less than nothing or more than an amount can say if the chain makes no sense.
    fn exists(&self) -> i128 {
        self.base + i128::from(self.scheduled) - i128::from(self.owed)
    }

    /// What is there now, in satoshi.
    pub(crate) fn circulation(&self) -> u64 {
        u64::try_from(self.exists().max(0)).unwrap_or(u64::MAX)
    }

    /// Ends a block, and tells what it says.
    pub(crate) fn finish(&mut self, block: OpenBlock<'_>) -> Vec<LedgerEvent> {
        let OpenBlock {
            settings,
            chain,
            height,
            mut events,
            minted,
            last,
            ..
        } = block;
        self.base += minted;
        if let Some(txid) = last
            && u64::try_from(self.exists()).is_err()
        {
            self.give_up(Uncountable::Range(txid), &mut events);
            // What is beyond all counting is not counted on.
            self.base = self.base.clamp(-MOST_BASE, MOST_BASE);
        }
        if let Some(point) = settings.schedule().point_at(height) {
            self.reach(settings, chain, point, &mut events);
            let reached = point.height().to_u32();
            self.unfrozen
                .retain(|frozen| frozen.end.is_some_and(|end| end > reached));
        }
        if self.due.is_empty() {
            self.spent.clear();
        }
        events
    }

    pub(crate) fn give_up(&mut self, why: Uncountable, events: &mut Vec<LedgerEvent>) {
        if self.uncountable.is_none() {
            self.uncountable = Some(why);
            events.push(LedgerEvent::Uncountable(why));
        }
    }

    /// Takes note of an output that is not kept, and tells it of the first one and whenever there are
    /// ten times as many.
    pub(crate) fn pass_over(&mut self, what: Listed, events: &mut Vec<LedgerEvent>) {
        let total = &mut self.passed_over[what as usize];
        *total = total.saturating_add(1);
        if is_power_of_ten(*total) {
            let most = match what {
                Listed::Tokens => MOST_TOKENS,
                Listed::UnblindedTokens => MOST_UNUSABLE,
                Listed::Coins => MOST_COINS,
                Listed::Frozen => MOST_FROZEN,
            };
            events.push(LedgerEvent::PassedOver {
                what,
                most,
                total: *total,
            });
        }
    }

    /// Takes note that an output with tokens was spent.
    pub(crate) fn note_spent(&mut self, outpoint: OutPoint) {
        if self.spent.len() == MOST_SPENT {
            self.spent.pop_front();
        }
        self.spent.push_back(outpoint);
    }

    /// The point that a reissuance locked until a height pays for, if it is the oldest owed, and then
    /// it is owed no more.
    pub(crate) fn pay(&mut self, height: u32, amount: u64) -> Option<Due> {
        let oldest = self.due.front()?.point.height().to_u32();
        if oldest != height {
            return None;
        }
        let due = self.due.pop_front()?;
        self.owed -= due.amount;
        self.base += i128::from(amount) - i128::from(due.amount);
        Some(due)
    }

    /// Fixes what is to be made for a point.
    fn reach(
        &mut self,
        settings: &AssetSettings,
        chain: &Chain,
        point: Point,
        events: &mut Vec<LedgerEvent>,
    ) {
        if self.issued.is_none() || self.uncountable.is_some() || self.no_amount {
            return;
        }
        // As if everything had been made in time.
        let there = self.base + i128::from(self.scheduled);
        let frozen: i128 = match chain.tokens {
            TokenForm::Blinded => 0,
            TokenForm::Explicit => self.frozen.values().map(|f| i128::from(f.value)).sum(),
        };
        let amount = u64::try_from((there - frozen).max(0))
            .map_err(|_| AmountError::TooLarge {
                circulation: u64::MAX,
            })
            .and_then(|circulation| Ok((circulation, self.amount(settings, point, circulation)?)));
        match amount {
            Ok((_, 0)) => {}
            Ok((circulation, amount)) => {
                self.scheduled += amount;
                self.owed += amount;
                self.due.push_back(Due {
                    point,
                    circulation,
                    amount,
                });
                events.push(LedgerEvent::Due {
                    point,
                    circulation,
                    amount,
                });
            }
            Err(error) => {
                self.no_amount = true;
                events.push(LedgerEvent::NoAmount { point, error });
            }
        }
    }

    /// What is to be made for a point; with it, what was scheduled is still an amount.
    fn amount(
        &self,
        settings: &AssetSettings,
        point: Point,
        circulation: u64,
    ) -> Result<u64, AmountError> {
        let schedule = settings.schedule();
        let grown = scheduled_amount(schedule, circulation)?;
        let unfrozen = amount_for_unfrozen(schedule, point, &self.unfrozen)?;
        grown
            .checked_add(unfrozen)
            .filter(|sum| self.scheduled.checked_add(*sum).is_some())
            .ok_or(AmountError::TooLarge { circulation })
    }
}

/// Whether a count is 1, 10, 100 and so on.
const fn is_power_of_ten(count: u64) -> bool {
    match count.checked_ilog10() {
        Some(digits) => 10u64.pow(digits) == count,
        None => false,
    }
}

/// A block that is being read for one asset.
#[derive(Debug, Clone)]
pub(crate) struct OpenBlock<'a> {
    pub(crate) settings: &'a AssetSettings,
    pub(crate) chain: &'a Chain,
    pub(crate) height: BlockHeight,
    /// What stands in an output that pays to the script which holds the tokens.
    pub(crate) script: Script,
    pub(crate) events: Vec<LedgerEvent>,
    /// What the first transaction makes out of nothing, less the fees that it may take.
    pub(crate) minted: i128,
    pub(crate) last: Option<Txid>,
}

impl<'a> OpenBlock<'a> {
    pub(crate) fn new(settings: &'a AssetSettings, chain: &'a Chain, height: BlockHeight) -> Self {
        Self {
            settings,
            chain,
            height,
            script: settings.tokens().script_pubkey(),
            events: Vec::new(),
            minted: 0,
            last: None,
        }
    }
}
