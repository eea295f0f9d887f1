//! Transactions that wait for a block.

use std::collections::{HashMap, HashSet};

use elements::{OutPoint, Transaction, TxOut, Txid};

use crate::{
    error::Invalid,
    ledger::Ledger,
    transaction::{Place, check, is_spendable},
};

/// The most bytes that wait; more are refused.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Transactions that wait for a block, in the order in which they came, so that each stands behind
/// what it spends.
#[derive(Default)]
pub(crate) struct Mempool {
    transactions: Vec<(Txid, Transaction, usize)>,
    known: HashSet<Txid>,
    spent: HashSet<OutPoint>,
    made: HashMap<OutPoint, TxOut>,
    bytes: usize,
}

impl Mempool {
    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &Txid> {
        self.transactions.iter().map(|(txid, _, _)| txid)
    }

    pub(crate) fn get(&self, txid: &Txid) -> Option<&Transaction> {
        self.transactions
            .iter()
            .find(|(id, _, _)| id == txid)
            .map(|(_, transaction, _)| transaction)
    }

    /// An output that exists and is not spent, here or in the chain.
    pub(crate) fn output<'a>(&'a self, ledger: &'a Ledger, at: &OutPoint) -> Option<&'a TxOut> {
        if self.spent.contains(at) {
            return None;
        }
        self.made.get(at).or_else(|| ledger.unspent(at))
    }

    /// Unspent outputs that are made here.
    pub(crate) fn made(&self) -> impl Iterator<Item = (&OutPoint, &TxOut)> {
        self.made.iter().filter(|(at, _)| !self.spent.contains(at))
    }

    pub(crate) fn is_spent(&self, at: &OutPoint) -> bool {
        self.spent.contains(at)
    }

    /// Adds a valid transaction; says whether it was new.
    pub(crate) fn add(
        &mut self,
        ledger: &Ledger,
        transaction: Transaction,
    ) -> Result<bool, Invalid> {
        let txid = transaction.txid();
        if self.known.contains(&txid) {
            return Ok(false);
        }
        let size = transaction.size();
        if self.bytes + size > MAX_BYTES {
            return Err(Invalid::Undecodable("mempool full".to_owned()));
        }
        let place = Place {
            dialect: ledger.rules().dialect(),
            height: ledger.height().next(),
        };
        check(&transaction, place, |at| self.output(ledger, at).cloned())?;
        for (index, output) in (0..).zip(&transaction.output) {
            if is_spendable(output) {
                self.made.insert(OutPoint::new(txid, index), output.clone());
            }
        }
        self.spent
            .extend(transaction.input.iter().map(|input| input.previous_output));
        self.known.insert(txid);
        self.bytes += size;
        self.transactions.push((txid, transaction, size));
        Ok(true)
    }

    /// What fits into a block of so many bytes, first come first.
    pub(crate) fn select(&self, mut room: usize) -> Vec<Transaction> {
        self.transactions
            .iter()
            .take_while(|(_, _, size)| match room.checked_sub(*size) {
                Some(left) => {
                    room = left;
                    true
                }
                None => false,
            })
            .map(|(_, transaction, _)| transaction.clone())
            .collect()
    }

    /// Drops what the chain has now, and what cannot get into it any more.
    pub(crate) fn refresh(&mut self, ledger: &Ledger) {
        let waiting = std::mem::take(self);
        for (txid, transaction, _) in waiting.transactions {
            if ledger.block_of(&txid).is_none() {
                // A conflict with the new block: gone for good.
                let _ = self.add(ledger, transaction);
            }
        }
    }
}
