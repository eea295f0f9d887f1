//! The ledger's state for one asset.

use std::collections::VecDeque;

use elements::{AssetId, OutPoint, Script, Txid};
use federation_chain::BlockHeight;
use serde::{Deserialize, Serialize};

use crate::{
    AmountError, AssetSettings, Chain, Frozen, LedgerEvent, Opening, OutputKind, Point, TokenForm,
    amount_for_unfrozen, scheduled_amount,
    tracked::{TrackedOutputs, Worth},
};

/// Why the circulation can no longer be determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Uncountable {
    /// An issuance or reissuance with a confidential amount.
    #[error("{0} issues a confidential amount")]
    Blinded(Txid),
    /// More was destroyed than existed, or more created than an amount can hold. Checked at the end
    /// of a block, over the whole supply: issued, reissued on and off schedule, and pegged in, less
    /// what was destroyed.
    #[error("the block of {0} creates or destroys more than is possible")]
    Range(Txid),
    /// A peg-in whose asset or amount cannot be read.
    #[error("{0} claims a peg-in of unknown amount")]
    PegIn(Txid),
}

/// Limit on the points in a forecast.
const MOST_FORECAST: usize = 10_000;
/// Limits on the outputs with tokens, and with tokens that cannot be used as they are.
const MOST_TOKENS: usize = 256;
const MOST_UNUSABLE: usize = 16;
/// Limit on the outputs with coins for fees.
const MOST_COINS: usize = 256;
/// Limit on the frozen outputs.
const MOST_FROZEN: usize = 4096;
/// Limit on the spent outputs with tokens that are remembered.
const MOST_SPENT: usize = 1024;
/// No chain comes near it, and no sum with it overflows.
const MOST_BASE: i128 = 1 << 100;

/// The reissuance due at a point, past or future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The point.
    pub point: Point,
    /// The circulation at the point, in satoshi; on Ocean without frozen amounts.
    pub circulation: u64,
    /// The amount to issue, in satoshi.
    pub amount: u64,
}

/// An output in a freezing transaction (Ocean).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrozenOutput {
    /// The amount, in satoshi.
    pub(crate) value: u64,
    /// The height of the block that froze it.
    pub(crate) start: u32,
    /// Whether it counts once it becomes spendable: it pays to an actual key.
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
    /// Issued, reissued off schedule and pegged in, less what was destroyed; plus, for paid points,
    /// the amount issued less the amount scheduled. Negative once more was destroyed than was
    /// created other than at points.
    pub(crate) base: i128,
    /// The sum of all scheduled amounts so far.
    scheduled: u64,
    /// The sum of the scheduled amounts not issued yet.
    owed: u64,
    due: VecDeque<Due>,
    /// Tokens that can be spent for a reissuance. None is dropped in favour of another: an operator
    /// that has signed for one must see when it is spent.
    pub(crate) tokens: TrackedOutputs<Opening, MOST_TOKENS>,
    /// Tokens that Elements refuses for reissuance because they are not blinded.
    pub(crate) unusable: TrackedOutputs<Opening, MOST_UNUSABLE>,
    pub(crate) coins: TrackedOutputs<u64, MOST_COINS>,
    pub(crate) frozen: TrackedOutputs<FrozenOutput, MOST_FROZEN>,
    /// Amounts that were frozen for at least a whole period and were spent since the last point.
    pub(crate) unfrozen: Vec<Frozen>,
    /// Outputs with tokens that were spent while a reissuance is due, the oldest first.
    pub(crate) spent: VecDeque<OutPoint>,
    /// The number of outputs not tracked, by kind.
    untracked: [u64; OutputKind::ALL.len()],
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
            tokens: TrackedOutputs::new(),
            unusable: TrackedOutputs::new(),
            coins: TrackedOutputs::new(),
            frozen: TrackedOutputs::new(),
            unfrozen: Vec::new(),
            spent: VecDeque::new(),
            untracked: [0; OutputKind::ALL.len()],
            uncountable: None,
            no_amount: false,
        }
    }

    /// Returns whether reading a chain under these settings can lead to this state. A stored state
    /// may have been modified, and its sums must not overflow.
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

    /// Returns all reissuances due, the oldest first.
    pub(crate) fn owed(&self) -> Vec<Due> {
        self.due.iter().copied().collect()
    }

    /// Returns the reissuances that will be due at points up to a height if nothing else happens.
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
            state.reach_point(settings, chain, point, &mut Vec::new());
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

    /// Returns the supply; negative or above an amount's range if the chain is inconsistent.
    fn supply(&self) -> i128 {
        self.base + i128::from(self.scheduled) - i128::from(self.owed)
    }

    /// Returns the current circulation, in satoshi.
    pub(crate) fn circulation(&self) -> u64 {
        u64::try_from(self.supply().max(0)).unwrap_or(u64::MAX)
    }

    /// Finishes a block and returns its events.
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
            && u64::try_from(self.supply()).is_err()
        {
            self.mark_uncountable(Uncountable::Range(txid), &mut events);
            // A supply out of range is not relied upon.
            self.base = self.base.clamp(-MOST_BASE, MOST_BASE);
        }
        if let Some(point) = settings.schedule().point_at(height) {
            self.reach_point(settings, chain, point, &mut events);
            let reached = point.height().to_u32();
            self.unfrozen
                .retain(|frozen| frozen.end.is_some_and(|end| end > reached));
        }
        if self.due.is_empty() {
            self.spent.clear();
        }
        events
    }

    pub(crate) fn mark_uncountable(&mut self, why: Uncountable, events: &mut Vec<LedgerEvent>) {
        if self.uncountable.is_none() {
            self.uncountable = Some(why);
            events.push(LedgerEvent::Uncountable(why));
        }
    }

    /// Counts an output that is not tracked, and reports the first one and each further power of
    /// ten.
    pub(crate) fn count_untracked(&mut self, kind: OutputKind, events: &mut Vec<LedgerEvent>) {
        let total = &mut self.untracked[kind as usize];
        *total = total.saturating_add(1);
        if is_power_of_ten(*total) {
            let limit = match kind {
                OutputKind::Tokens => MOST_TOKENS,
                OutputKind::UnblindedTokens => MOST_UNUSABLE,
                OutputKind::Coins => MOST_COINS,
                OutputKind::Frozen => MOST_FROZEN,
            };
            events.push(LedgerEvent::Untracked {
                kind,
                limit,
                total: *total,
            });
        }
    }

    /// Records that an output with tokens was spent.
    pub(crate) fn record_spent(&mut self, outpoint: OutPoint) {
        if self.spent.len() == MOST_SPENT {
            self.spent.pop_front();
        }
        self.spent.push_back(outpoint);
    }

    /// Pays the oldest due point with a reissuance that is locked until this height, if that is the
    /// point's height.
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

    /// Determines the amount due at a point.
    fn reach_point(
        &mut self,
        settings: &AssetSettings,
        chain: &Chain,
        point: Point,
        events: &mut Vec<LedgerEvent>,
    ) {
        if self.issued.is_none() || self.uncountable.is_some() || self.no_amount {
            return;
        }
        // As if every earlier reissuance had been made in time.
        let supply = self.base + i128::from(self.scheduled);
        let frozen: i128 = match chain.tokens {
            TokenForm::Blinded => 0,
            TokenForm::Explicit => self.frozen.values().map(|f| i128::from(f.value)).sum(),
        };
        let amount = u64::try_from((supply - frozen).max(0))
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

    /// Returns the amount due at a point, if the scheduled sum stays within an amount's range with
    /// it.
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

/// Returns whether a count is 1, 10, 100 and so on.
const fn is_power_of_ten(count: u64) -> bool {
    match count.checked_ilog10() {
        Some(digits) => 10u64.pow(digits) == count,
        None => false,
    }
}

/// A block that is being read, for one asset.
#[derive(Debug, Clone)]
pub(crate) struct OpenBlock<'a> {
    pub(crate) settings: &'a AssetSettings,
    pub(crate) chain: &'a Chain,
    pub(crate) height: BlockHeight,
    /// The output script that holds the tokens.
    pub(crate) script: Script,
    pub(crate) events: Vec<LedgerEvent>,
    /// The amount that the coinbase creates, less the fees that it may collect.
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
