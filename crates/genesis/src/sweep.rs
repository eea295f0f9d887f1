//! The transaction that takes, in block 1, the coins which anyone could take.

use std::collections::BTreeSet;

use elements::{OutPoint, Transaction, Txid, encode::deserialize};

use crate::{Genesis, transaction::OP_TRUE};

/// A transaction that all have agreed to see in block 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep(Transaction);

/// A transaction that does not sweep a genesis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// Bytes that are no transaction.
    #[error("the sweep is no transaction: {0}")]
    Undecodable(String),
    /// An output that stays for anyone.
    #[error("the sweep does not spend {0}, which anyone can")]
    Missing(OutPoint),
    /// An input that is not the genesis's.
    #[error("the sweep spends {0}, which is no coin of the genesis that anyone can spend")]
    Foreign(OutPoint),
    /// An output for anyone again.
    #[error("output {0} of the sweep can be spent by anyone again")]
    Anyones(usize),
    /// An input that needs something beside itself, and so could be altered.
    #[error(
        "input {0} of the sweep has a scriptSig or a witness, of which a coin for anyone needs none"
    )]
    Signed(usize),
}

impl Sweep {
    /// Decodes a transaction.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SweepError> {
        deserialize(bytes)
            .map(Self)
            .map_err(|error| SweepError::Undecodable(error.to_string()))
    }

    /// The transaction's id, by which signers know it in block 1.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.0.txid()
    }

    /// Checks that it takes all that anyone could take in this genesis, nothing else, and leaves
    /// nothing to anyone. Whether amounts add up, a node says.
    ///
    /// # Errors
    /// The first of these that is not so.
    pub fn check(&self, genesis: &Genesis) -> Result<(), SweepError> {
        let free: BTreeSet<OutPoint> = genesis
            .assets()
            .filter(|asset| asset.is_anyones())
            .flat_map(|asset| asset.outputs().iter().copied())
            .collect();
        let spent: BTreeSet<OutPoint> = self
            .0
            .input
            .iter()
            .map(|input| input.previous_output)
            .collect();
        if let Some(missing) = free.difference(&spent).next() {
            return Err(SweepError::Missing(*missing));
        }
        if let Some(foreign) = spent.difference(&free).next() {
            return Err(SweepError::Foreign(*foreign));
        }
        let signed = self.0.input.iter().position(|input| {
            !input.script_sig.is_empty() || !input.witness.script_witness.is_empty()
        });
        if let Some(input) = signed {
            return Err(SweepError::Signed(input));
        }
        let anyones = self
            .0
            .output
            .iter()
            .position(|output| output.script_pubkey.as_bytes() == [OP_TRUE]);
        anyones.map_or(Ok(()), |output| Err(SweepError::Anyones(output)))
    }
}
