//! One asset's part of the ledger.

use std::collections::VecDeque;

use elements::{
    AssetId, OutPoint, Script, Transaction, TxIn, TxOut, Txid,
    confidential::{Asset, Value},
};
use federation_chain::BlockHeight;
use serde::{Deserialize, Serialize};

use crate::{
    AmountError, AssetSettings, Chain, Frozen, LedgerEvent, Opening, Point, TokenForm,
    amount_for_unfrozen, scheduled_amount,
};

/// Why nobody can count what is in circulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Uncountable {
    /// An issuance or reissuance whose amount is blinded.
    #[error("{0} makes a blinded amount of it, which nobody can count")]
    Blinded(Txid),
    /// More was destroyed than made, or more made than an amount can say.
    #[error("{0} makes or destroys more of it than there can be")]
    Range(Txid),
}

/// The most points that are looked ahead.
const MOST_FORECAST: usize = 10_000;

/// An output that holds reissuance tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenOutput {
    pub(crate) outpoint: OutPoint,
    pub(crate) opening: Opening,
}

/// An output that holds coins for fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CoinOutput {
    pub(crate) outpoint: OutPoint,
    pub(crate) value: u64,
}

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
struct FrozenOutput {
    outpoint: OutPoint,
    frozen: Frozen,
    /// Whether it counts when it can be spent again: it pays to somebody's key.
    grows: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AssetState {
    issued: Option<Issued>,
    /// Issued, made beside the schedule and brought in, less what was destroyed; and what was made
    /// for points, less what was scheduled for them.
    base: i128,
    /// The sum of all that was scheduled so far.
    scheduled: u64,
    /// The sum of what was scheduled and is not made yet.
    owed: u64,
    due: VecDeque<Due>,
    tokens: Vec<TokenOutput>,
    coins: Vec<CoinOutput>,
    frozen: Vec<FrozenOutput>,
    uncountable: Option<Uncountable>,
    no_amount: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Issued {
    entropy: [u8; 32],
    token: AssetId,
}

impl AssetState {
    pub(crate) const fn new(_: &AssetSettings) -> Self {
        Self {
            issued: None,
            base: 0,
            scheduled: 0,
            owed: 0,
            due: VecDeque::new(),
            tokens: Vec::new(),
            coins: Vec::new(),
            frozen: Vec::new(),
            uncountable: None,
            no_amount: false,
        }
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

    pub(crate) fn tokens(&self) -> &[TokenOutput] {
        &self.tokens
    }

    pub(crate) fn coins(&self) -> &[CoinOutput] {
        &self.coins
    }

    pub(crate) const fn uncountable(&self) -> Option<Uncountable> {
        self.uncountable
    }

    pub(crate) fn holds(&self, outpoint: OutPoint) -> bool {
        self.tokens.iter().any(|token| token.outpoint == outpoint)
            || self.coins.iter().any(|coin| coin.outpoint == outpoint)
    }

    /// What is there now, in satoshi.
    pub(crate) fn circulation(&self) -> u64 {
        let there = self.base + i128::from(self.scheduled) - i128::from(self.owed);
        u64::try_from(there).unwrap_or(0)
    }

    /// Reads one transaction of a block.
    pub(crate) fn read(&mut self, block: &mut OpenBlock<'_>, transaction: &Transaction) {
        let mut reader = TransactionReader {
            state: self,
            settings: block.settings,
            chain: block.chain,
            height: block.height,
            events: &mut block.events,
            minted: &mut block.minted,
        };
        reader.read(transaction);
        block.last = Some(transaction.txid());
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
        } = block;
        self.base += minted;
        let most = i128::from(u64::MAX) - i128::from(self.scheduled);
        if let Some(txid) = last
            && (self.base > most || self.base < 0)
        {
            self.give_up(Uncountable::Range(txid), &mut events);
        }
        if let Some(point) = settings.schedule().point_at(height) {
            self.reach(settings, chain, point, &mut events);
        }
        events
    }

    fn give_up(&mut self, why: Uncountable, events: &mut Vec<LedgerEvent>) {
        if self.uncountable.is_none() {
            self.uncountable = Some(why);
            events.push(LedgerEvent::Uncountable(why));
        }
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
        let frozen: u64 = match chain.tokens {
            TokenForm::Blinded => 0,
            TokenForm::Explicit => self
                .frozen
                .iter()
                .filter(|f| f.frozen.end.is_none())
                .map(|f| f.frozen.value)
                .sum(),
        };
        let circulation = u64::try_from(there - i128::from(frozen)).unwrap_or(0);
        match self.amount(settings, point, circulation) {
            Ok(0) => {}
            Ok(amount) => {
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
        self.frozen
            .retain(|f| f.frozen.end.is_none_or(|end| end > point.height().to_u32()));
    }

    fn amount(
        &self,
        settings: &AssetSettings,
        point: Point,
        circulation: u64,
    ) -> Result<u64, AmountError> {
        let schedule = settings.schedule();
        let grown = scheduled_amount(schedule, circulation)?;
        let growing = self.frozen.iter().filter(|f| f.grows).map(|f| &f.frozen);
        let unfrozen = amount_for_unfrozen(schedule, point, growing)?;
        grown
            .checked_add(unfrozen)
            .filter(|sum| self.scheduled.checked_add(*sum).is_some())
            .ok_or(AmountError::TooLarge { circulation })
    }
}

/// A block that is being read for one asset.
#[derive(Debug, Clone)]
pub(crate) struct OpenBlock<'a> {
    pub(crate) settings: &'a AssetSettings,
    pub(crate) chain: &'a Chain,
    pub(crate) height: BlockHeight,
    pub(crate) events: Vec<LedgerEvent>,
    /// What the first transaction makes out of nothing, less the fees that it may take.
    pub(crate) minted: i128,
    pub(crate) last: Option<Txid>,
}

/// Reads one transaction for one asset.
struct TransactionReader<'a> {
    state: &'a mut AssetState,
    settings: &'a AssetSettings,
    chain: &'a Chain,
    height: BlockHeight,
    events: &'a mut Vec<LedgerEvent>,
    minted: &'a mut i128,
}

/// The script of a payment to nobody's key, by which Ocean marks what it freezes.
fn freezes(script: &Script) -> bool {
    let bytes = script.as_bytes();
    script.is_p2pkh() && bytes[3..23] == [0; 20]
}

impl TransactionReader<'_> {
    fn read(&mut self, transaction: &Transaction) {
        let txid = transaction.txid();
        let is_coinbase = transaction.is_coinbase();
        for input in &transaction.input {
            self.issue(transaction, input, txid);
            self.peg_in(input);
        }
        let spent = self.spend(transaction);
        for (vout, output) in transaction.output.iter().enumerate() {
            let vout = u32::try_from(vout).unwrap_or(u32::MAX);
            let outpoint = OutPoint::new(txid, vout);
            if !is_coinbase {
                self.receive_coins(outpoint, output);
            }
            self.receive_tokens(outpoint, output, spent);
            self.count(output, is_coinbase);
        }
        if self.chain.tokens == TokenForm::Explicit {
            self.freeze(transaction, txid);
        }
    }

    fn give_up(&mut self, why: Uncountable) {
        self.state.give_up(why, self.events);
    }

    fn issue(&mut self, transaction: &Transaction, input: &TxIn, txid: Txid) {
        if !input.has_issuance() {
            return;
        }
        let (asset, token) = input.issuance_ids();
        if asset != self.settings.asset() {
            return;
        }
        let amount = match input.asset_issuance.amount {
            Value::Explicit(amount) => amount,
            Value::Null => 0,
            Value::Confidential(_) => return self.give_up(Uncountable::Blinded(txid)),
        };
        if input.asset_issuance.asset_blinding_nonce.is_null() {
            let entropy = AssetId::generate_asset_entropy(
                input.previous_output,
                input.asset_issuance.asset_entropy.into_contract_hash(),
            );
            self.state.issued = Some(Issued {
                entropy: entropy.to_byte_array(),
                token,
            });
            self.state.base += i128::from(amount);
            self.events.push(LedgerEvent::Issued { amount, token });
            return;
        }
        self.reissue(transaction, input, amount, txid);
    }

    /// A reissuance that spends tokens of the script and is locked until the first point that is
    /// owed pays for that point, whatever its amount.
    fn reissue(&mut self, transaction: &Transaction, input: &TxIn, amount: u64, txid: Txid) {
        let ours = self
            .state
            .tokens
            .iter()
            .any(|token| token.outpoint == input.previous_output);
        let lock = transaction.lock_time;
        let paid = self.state.due.front().copied().filter(|due| {
            ours && lock.is_block_height() && lock.to_consensus_u32() == due.point.height().to_u32()
        });
        let Some(due) = paid else {
            self.state.base += i128::from(amount);
            self.events.push(LedgerEvent::Unscheduled { amount, txid });
            return;
        };
        self.state.due.pop_front();
        self.state.owed -= due.amount;
        self.state.base += i128::from(amount) - i128::from(due.amount);
        let in_order = self.is_in_order(transaction, amount);
        self.events.push(LedgerEvent::Paid {
            point: due.point,
            scheduled: due.amount,
            amount,
            in_order,
            txid,
        });
    }

    /// Whether all that was made went to the destination, and something back to the tokens' script
    /// that is no coin.
    fn is_in_order(&self, transaction: &Transaction, amount: u64) -> bool {
        let asset = Asset::Explicit(self.settings.asset());
        let arrived: u64 = transaction
            .output
            .iter()
            .filter(|output| {
                output.asset == asset && output.script_pubkey == *self.settings.destination()
            })
            .filter_map(|output| output.value.explicit())
            .fold(0, u64::saturating_add);
        let script = self.settings.tokens().script_pubkey();
        let token = self.state.issued.map(|issued| issued.token);
        let tokens_back = transaction.output.iter().any(|output| {
            output.script_pubkey == script
                && match output.asset {
                    Asset::Explicit(asset) => Some(asset) == token,
                    Asset::Confidential(_) => true,
                    Asset::Null => false,
                }
        });
        arrived == amount && tokens_back
    }

    fn peg_in(&mut self, input: &TxIn) {
        if let Some(data) = input.pegin_data()
            && data.asset_id == self.settings.asset()
        {
            self.state.base += i128::from(data.value);
        }
    }

    /// Takes note of what is spent; the tokens of the script that were, if some were.
    fn spend(&mut self, transaction: &Transaction) -> Option<TokenOutput> {
        let mut spent = None;
        for input in &transaction.input {
            let outpoint = input.previous_output;
            let is_it = |token: &TokenOutput| token.outpoint == outpoint;
            if let Some(at) = self.state.tokens.iter().position(is_it) {
                let token = self.state.tokens.remove(at);
                spent = spent.or(Some(token));
            }
            self.state.coins.retain(|coin| coin.outpoint != outpoint);
            self.unfreeze(transaction, outpoint);
        }
        spent
    }

    /// Takes note of coins that are paid to the script; not by a block's first transaction, whose
    /// outputs cannot be spent for a hundred blocks.
    fn receive_coins(&mut self, outpoint: OutPoint, output: &TxOut) {
        if output.script_pubkey == self.settings.tokens().script_pubkey()
            && let (Some(fee), Asset::Explicit(asset), Value::Explicit(value)) =
                (self.settings.fee(), output.asset, output.value)
            && asset == fee.asset
            && value > 0
        {
            self.state.coins.push(CoinOutput { outpoint, value });
        }
    }

    /// Takes note of tokens that are paid to the script.
    fn receive_tokens(&mut self, outpoint: OutPoint, output: &TxOut, spent: Option<TokenOutput>) {
        if output.script_pubkey != self.settings.tokens().script_pubkey() {
            return;
        }
        let Some(Issued { token, .. }) = self.state.issued else {
            return;
        };
        let derived = spent
            .and_then(|spent| spent.opening.successor(spent.outpoint, token))
            .filter(|opening| opening.opens(output, token));
        let opening = derived
            .or_else(|| Opening::read(output, token, self.settings.tokens(), self.chain.genesis));
        if let Some(opening) = opening.filter(|opening| opening.value() > 0) {
            self.state.tokens.push(TokenOutput { outpoint, opening });
        }
    }

    /// Counts what is destroyed and, in a block's first transaction, what is made out of nothing.
    fn count(&mut self, output: &TxOut, is_coinbase: bool) {
        let (Asset::Explicit(asset), Value::Explicit(value)) = (output.asset, output.value) else {
            return;
        };
        if asset != self.settings.asset() {
            return;
        }
        let value = i128::from(value);
        if is_coinbase {
            *self.minted += value;
        } else if output.is_fee() {
            *self.minted -= value;
            return;
        }
        if output.script_pubkey.is_provably_unspendable() {
            self.state.base -= value;
        }
    }

    fn freeze(&mut self, transaction: &Transaction, txid: Txid) {
        if !transaction.output.iter().any(|o| freezes(&o.script_pubkey)) {
            return;
        }
        for (vout, output) in transaction.output.iter().enumerate() {
            let (Asset::Explicit(asset), Value::Explicit(value)) = (output.asset, output.value)
            else {
                continue;
            };
            let script = &output.script_pubkey;
            if asset != self.settings.asset() || output.is_fee() || script.is_provably_unspendable()
            {
                continue;
            }
            self.state.frozen.push(FrozenOutput {
                outpoint: OutPoint::new(txid, u32::try_from(vout).unwrap_or(u32::MAX)),
                frozen: Frozen {
                    value,
                    start: self.height.to_u32(),
                    end: None,
                },
                grows: script.is_p2pkh() && !freezes(script),
            });
        }
    }

    fn unfreeze(&mut self, transaction: &Transaction, outpoint: OutPoint) {
        let height = self.height.to_u32();
        let Some(at) = self
            .state
            .frozen
            .iter()
            .position(|f| f.outpoint == outpoint && f.frozen.end.is_none())
        else {
            return;
        };
        if burns(transaction) {
            self.state.frozen.remove(at);
        } else {
            self.state.frozen[at].frozen.end = Some(height);
        }
    }
}

/// Whether a transaction destroys something, as Ocean sees it.
fn burns(transaction: &Transaction) -> bool {
    transaction.output.iter().any(|output| {
        output.script_pubkey.is_provably_unspendable() && output.value.explicit() != Some(0)
    })
}
