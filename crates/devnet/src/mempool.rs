//! Unconfirmed transactions.

use std::collections::{HashMap, HashSet};

use elements::{OutPoint, Transaction, TxOut, Txid};

use crate::{
    error::Invalid,
    ledger::Ledger,
    transaction::{BlockContext, check, is_spendable},
};

/// Limit on the size of all transactions in the mempool, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Unconfirmed transactions in the order of their arrival, so that each comes after those it spends
/// from.
#[derive(Default)]
pub(crate) struct Mempool {
    transactions: Vec<(Txid, Transaction, usize)>,
    known: HashSet<Txid>,
    spent: HashSet<OutPoint>,
    created: HashMap<OutPoint, TxOut>,
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

    /// Returns an output that exists and is unspent, in the mempool or the chain.
    pub(crate) fn output<'a>(&'a self, ledger: &'a Ledger, at: &OutPoint) -> Option<&'a TxOut> {
        if self.spent.contains(at) {
            return None;
        }
        self.created.get(at).or_else(|| ledger.unspent(at))
    }

    /// Unspent outputs of transactions in the mempool.
    pub(crate) fn created(&self) -> impl Iterator<Item = (&OutPoint, &TxOut)> {
        self.created
            .iter()
            .filter(|(at, _)| !self.spent.contains(at))
    }

    pub(crate) fn is_spent(&self, at: &OutPoint) -> bool {
        self.spent.contains(at)
    }

    /// Adds a valid transaction; returns whether it was new.
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
        let context = BlockContext {
            dialect: ledger.rules().dialect(),
            height: ledger.height().next(),
        };
        check(&transaction, context, |at| self.output(ledger, at).cloned())?;
        for (index, output) in (0..).zip(&transaction.output) {
            if is_spendable(output) {
                self.created
                    .insert(OutPoint::new(txid, index), output.clone());
            }
        }
        self.spent
            .extend(transaction.input.iter().map(|input| input.previous_output));
        self.known.insert(txid);
        self.bytes += size;
        self.transactions.push((txid, transaction, size));
        Ok(true)
    }

    /// Returns the oldest transactions that fit into a block of this many bytes.
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

    /// Drops transactions that are in the chain now, and those that have become invalid.
    pub(crate) fn refresh(&mut self, ledger: &Ledger) {
        let waiting = std::mem::take(self);
        for (txid, transaction, _) in waiting.transactions {
            if ledger.block_of(&txid).is_none() {
                // It conflicts with the new block and is dropped.
                let _ = self.add(ledger, transaction);
            }
        }
    }
}
