//! Reading one transaction for one asset.

use elements::{AssetId, OutPoint, Txid};
use federation_chain::{AssetView, InputView, OutputView, TransactionView, ValueView};

use crate::{
    Frozen, LedgerEvent, Opening, OutputKind, TokenForm, Uncountable,
    asset::{AssetState, FrozenOutput, Issued, OpenBlock},
};

/// Lock times below this are heights (`LOCKTIME_THRESHOLD`).
const FIRST_TIME: u32 = 500_000_000;
/// Longer scripts can never be spent (`MAX_SCRIPT_SIZE`).
const MAX_SCRIPT: usize = 10_000;
const OP_RETURN: u8 = 0x6a;

impl AssetState {
    /// Reads one transaction of a block.
    pub(crate) fn read(
        &mut self,
        block: &mut OpenBlock<'_>,
        transaction: &TransactionView<'_>,
        txid: Txid,
    ) {
        block.last = Some(txid);
        Reader { state: self, block }.read(transaction, txid);
    }
}

/// Returns the hash in a pay-to-public-key-hash script.
fn p2pkh(script: &[u8]) -> Option<&[u8]> {
    match script {
        [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] if hash.len() == 20 => Some(hash),
        _ => None,
    }
}

/// Returns whether a script pays to the all-zero key hash, which marks a freezing transaction on
/// Ocean.
fn freezes(script: &[u8]) -> bool {
    p2pkh(script) == Some(&[0; 20])
}

/// Returns whether outputs to a script can never be spent; a fee is one of these.
fn is_unspendable(script: &[u8]) -> bool {
    script.is_empty() || script[0] == OP_RETURN || script.len() > MAX_SCRIPT
}

/// Returns whether a transaction destroys coins by Ocean's rules.
fn burns(transaction: &TransactionView<'_>) -> bool {
    transaction
        .outputs()
        .any(|output| is_unspendable(output.script_pubkey) && output.value.explicit() != Some(0))
}

/// Each output with its outpoint.
fn with_outpoints<'a>(
    transaction: &TransactionView<'a>,
    txid: Txid,
) -> impl Iterator<Item = (OutPoint, OutputView<'a>)> {
    (0..)
        .zip(transaction.outputs())
        .map(move |(vout, output)| (OutPoint { txid, vout }, output))
}

struct Reader<'r, 'b> {
    state: &'r mut AssetState,
    block: &'r mut OpenBlock<'b>,
}

impl Reader<'_, '_> {
    fn read(&mut self, transaction: &TransactionView<'_>, txid: Txid) {
        let is_coinbase = transaction.is_coinbase();
        for input in transaction.inputs() {
            self.issue(transaction, &input, txid);
            self.peg_in(&input, txid);
        }
        let successor = self.spend(transaction);
        for (outpoint, output) in with_outpoints(transaction, txid) {
            if output.script_pubkey == self.block.script.as_bytes() {
                if !is_coinbase {
                    self.receive_coins(outpoint, &output);
                }
                self.receive_tokens(outpoint, &output, successor);
            }
            self.count(&output, is_coinbase);
        }
        if self.block.chain.tokens == TokenForm::Explicit {
            self.freeze(transaction, txid);
        }
    }

    fn mark_uncountable(&mut self, why: Uncountable) {
        self.state.mark_uncountable(why, &mut self.block.events);
    }

    fn asset(&self) -> AssetId {
        self.block.settings.asset()
    }

    fn issue(&mut self, transaction: &TransactionView<'_>, input: &InputView<'_>, txid: Txid) {
        let (Some(issuance), Some(entropy)) = (input.issuance, input.issuance_entropy()) else {
            return;
        };
        if AssetId::from_entropy(entropy) != self.asset() {
            return;
        }
        let amount = match issuance.amount {
            ValueView::Explicit(amount) => amount,
            ValueView::Null => 0,
            ValueView::Confidential(_) => return self.mark_uncountable(Uncountable::Blinded(txid)),
        };
        if issuance.is_reissuance() {
            return self.reissue(transaction, input.outpoint, amount, txid);
        }
        let token = AssetId::reissuance_token_from_entropy(entropy, false);
        self.state.issued = Some(Issued {
            entropy: entropy.to_byte_array(),
            token,
        });
        self.state.base += i128::from(amount);
        let event = LedgerEvent::Issued { amount, token };
        self.block.events.push(event);
    }

    /// Handles a reissuance. If it spends tokens of the script and is locked until the oldest due
    /// point, it pays for that point, whatever its amount.
    fn reissue(
        &mut self,
        transaction: &TransactionView<'_>,
        spends: OutPoint,
        amount: u64,
        txid: Txid,
    ) {
        let lock = transaction.lock_time();
        let ours = self.state.tokens.contains(&spends) || self.state.unusable.contains(&spends);
        let paid = if ours && lock < FIRST_TIME {
            self.state.pay(lock, amount)
        } else {
            None
        };
        let event = match paid {
            None => {
                self.state.base += i128::from(amount);
                LedgerEvent::Unscheduled { amount, txid }
            }
            Some(due) => LedgerEvent::Paid {
                point: due.point,
                scheduled: due.amount,
                amount,
                in_order: self.is_in_order(transaction, amount),
                txid,
            },
        };
        self.block.events.push(event);
    }

    /// Returns whether the whole amount went to the destination, and an output that is not a coin
    /// back to the tokens' script.
    fn is_in_order(&self, transaction: &TransactionView<'_>, amount: u64) -> bool {
        let destination = self.block.settings.destination().as_bytes();
        let token = self.state.issued.map(|issued| issued.token);
        let mut received = 0u64;
        let mut tokens_back = false;
        for output in transaction.outputs() {
            if output.asset.explicit() == Some(self.asset()) && output.script_pubkey == destination
            {
                received = received.saturating_add(output.value.explicit().unwrap_or(0));
            }
            tokens_back |= output.script_pubkey == self.block.script.as_bytes()
                && match output.asset {
                    AssetView::Explicit(asset) => Some(asset) == token,
                    AssetView::Confidential(_) => true,
                    AssetView::Null => false,
                };
        }
        received == amount && tokens_back
    }

    fn peg_in(&mut self, input: &InputView<'_>, txid: Txid) {
        let Some(claim) = input.pegin() else {
            return;
        };
        match claim.amount() {
            Some((asset, value)) if asset == self.asset() => {
                self.state.base += i128::from(value);
            }
            Some(_) => {}
            None => self.mark_uncountable(Uncountable::PegIn(txid)),
        }
    }

    /// Handles the outputs spent. If tokens of the script are among them, returns the opening of
    /// their successor.
    fn spend(&mut self, transaction: &TransactionView<'_>) -> Option<Opening> {
        let mut spent = None;
        for input in transaction.inputs().filter(|input| !input.is_pegin) {
            let outpoint = input.outpoint;
            if let Some(opening) = self.state.tokens.remove(&outpoint) {
                self.state.record_spent(outpoint);
                spent = spent.or(Some((outpoint, opening)));
            }
            if let Some(opening) = self.state.unusable.remove(&outpoint) {
                spent = spent.or(Some((outpoint, opening)));
            }
            self.state.coins.remove(&outpoint);
            self.unfreeze(transaction, outpoint);
        }
        let (outpoint, opening) = spent?;
        opening.successor(outpoint, self.state.issued?.token)
    }

    /// Handles coins paid to the script; but not by a coinbase, whose outputs cannot be spent for a
    /// hundred blocks.
    fn receive_coins(&mut self, outpoint: OutPoint, output: &OutputView<'_>) {
        let (Some(fee), Some(asset), Some(value)) = (
            self.block.settings.fee(),
            output.asset.explicit(),
            output.value.explicit(),
        ) else {
            return;
        };
        if asset == fee.asset && value > 0 && !self.state.coins.add_if_larger(outpoint, value) {
            self.count_untracked(OutputKind::Coins);
        }
    }

    /// Handles tokens paid to the script.
    fn receive_tokens(
        &mut self,
        outpoint: OutPoint,
        output: &OutputView<'_>,
        successor: Option<Opening>,
    ) {
        let Some(Issued { token, .. }) = self.state.issued else {
            return;
        };
        let (tokens, chain) = (self.block.settings.tokens(), self.block.chain);
        let opening = successor
            .filter(|opening| opening.opens(output, token))
            .or_else(|| Opening::read(output, token, tokens, chain.genesis))
            .filter(|opening| opening.value() > 0);
        let Some(opening) = opening else {
            return;
        };
        if chain.tokens == TokenForm::Explicit || opening.is_blinded() {
            if !self.state.tokens.add_if_room(outpoint, opening) {
                self.count_untracked(OutputKind::Tokens);
            }
        } else if !self.state.unusable.add_if_room(outpoint, opening) {
            self.count_untracked(OutputKind::UnblindedTokens);
        }
    }

    fn count_untracked(&mut self, kind: OutputKind) {
        self.state.count_untracked(kind, &mut self.block.events);
    }

    /// Counts amounts that are destroyed and, in a coinbase, amounts that are created.
    fn count(&mut self, output: &OutputView<'_>, is_coinbase: bool) {
        let (Some(asset), Some(value)) = (output.asset.explicit(), output.value.explicit()) else {
            return;
        };
        if asset != self.asset() {
            return;
        }
        let value = i128::from(value);
        if is_coinbase {
            self.block.minted += value;
        } else if output.is_fee() {
            self.block.minted -= value;
            return;
        }
        if is_unspendable(output.script_pubkey) {
            self.state.base -= value;
        }
    }

    fn freeze(&mut self, transaction: &TransactionView<'_>, txid: Txid) {
        if !transaction
            .outputs()
            .any(|output| freezes(output.script_pubkey))
        {
            return;
        }
        for (outpoint, output) in with_outpoints(transaction, txid) {
            let (Some(asset), Some(value)) = (output.asset.explicit(), output.value.explicit())
            else {
                continue;
            };
            let script = output.script_pubkey;
            if asset != self.asset() || value == 0 || is_unspendable(script) {
                continue;
            }
            let frozen = FrozenOutput {
                value,
                start: self.block.height.to_u32(),
                grows: p2pkh(script).is_some() && !freezes(script),
            };
            if !self.state.frozen.add_if_larger(outpoint, frozen) {
                self.count_untracked(OutputKind::Frozen);
            }
        }
    }

    /// Handles the spending of a frozen output. It counts at the next point if it was frozen for a
    /// whole period by then. So all outputs that are remembered were among the frozen ones at the
    /// previous point, and are no more numerous.
    fn unfreeze(&mut self, transaction: &TransactionView<'_>, outpoint: OutPoint) {
        let Some(FrozenOutput {
            value,
            start,
            grows,
        }) = self.state.frozen.remove(&outpoint)
        else {
            return;
        };
        if !grows || burns(transaction) {
            return;
        }
        let schedule = self.block.settings.schedule();
        let height = self.block.height;
        let next = schedule.point_at(height).or_else(|| schedule.after(height));
        // An output that became spendable before the first point counts at no point.
        let counts = next.is_some_and(|point| {
            let before = point.height().to_u32().saturating_sub(schedule.period());
            start <= before && before < height.to_u32()
        });
        if counts {
            self.state.unfrozen.push(Frozen {
                value,
                start,
                end: Some(height.to_u32()),
            });
        }
    }
}
