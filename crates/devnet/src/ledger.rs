//! The chain and its unspent outputs.

use std::collections::{BTreeMap, HashMap};

use elements::{AssetId, OutPoint, Transaction, TxOut};
use federation_chain::{
    Block, BlockHash, BlockHeight, CommitmentError, Dialect, Header, Proof, SigningRules, UnixTime,
};

use crate::{
    epochs::{self, Epochs},
    error::Invalid,
    genesis::Genesis,
    transaction::{BlockContext, check, is_spendable},
};

/// How far a block's time may be ahead of the clock, in seconds (`MAX_FUTURE_BLOCK_TIME`).
const MAX_FUTURE: u64 = 2 * 60 * 60;
/// The number of blocks for the median time.
const MEDIAN_SPAN: usize = 11;

/// The blocks from the genesis block to the best block, and the unspent outputs.
pub(crate) struct Ledger {
    rules: SigningRules,
    /// For a dynafed chain: the parameters in force and proposed.
    epochs: Option<Epochs>,
    pub(crate) pegged_asset: AssetId,
    blocks: Vec<Block>,
    heights: HashMap<BlockHash, usize>,
    /// Signed blocks on top of a block of the chain that is not the best one.
    side: HashMap<BlockHash, Block>,
    unspent: HashMap<OutPoint, TxOut>,
    /// The transactions in the chain, with the height of each one's block.
    confirmed: HashMap<elements::Txid, usize>,
}

/// A valid block on top of the best block, apart from its signatures.
pub(crate) struct Checked {
    transactions: Vec<Transaction>,
}

impl Ledger {
    pub(crate) fn new(rules: SigningRules, epoch_length: u32, genesis: Genesis) -> Self {
        let epochs = match rules.dialect() {
            Dialect::Dynafed => Some(Epochs::new(&rules, epoch_length)),
            Dialect::Ocean | Dialect::Elements => None,
        };
        let mut ledger = Self {
            rules,
            epochs,
            pegged_asset: genesis.pegged_asset,
            blocks: Vec::new(),
            heights: HashMap::new(),
            side: HashMap::new(),
            unspent: HashMap::new(),
            confirmed: HashMap::new(),
        };
        // Transactions that the crate cannot read (on Ocean) cannot be spent here either.
        let transactions = genesis.block.transactions().unwrap_or_default();
        ledger.append(genesis.block, &transactions);
        ledger
    }

    /// Dialect, script and limit of the chain's first blocks.
    pub(crate) const fn rules(&self) -> &SigningRules {
        &self.rules
    }

    /// For a dynafed chain: the parameters in force for the next block.
    pub(crate) const fn epochs(&self) -> Option<&Epochs> {
        self.epochs.as_ref()
    }

    pub(crate) fn tip(&self) -> &Block {
        // The genesis block is never removed.
        &self.blocks[self.blocks.len() - 1]
    }

    pub(crate) fn height(&self) -> BlockHeight {
        BlockHeight::new(u32::try_from(self.blocks.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn at(&self, height: usize) -> Option<&Block> {
        self.blocks.get(height)
    }

    pub(crate) fn find(&self, hash: &BlockHash) -> Option<(usize, &Block)> {
        let height = *self.heights.get(hash)?;
        Some((height, self.blocks.get(height)?))
    }

    /// Returns a known block that is not in the chain.
    pub(crate) fn side(&self, hash: &BlockHash) -> Option<&Block> {
        self.side.get(hash)
    }

    pub(crate) fn is_known(&self, hash: &BlockHash) -> bool {
        self.heights.contains_key(hash) || self.side.contains_key(hash)
    }

    /// Stores a block for which [`check`](Self::check) returned [`Invalid::NotOnTip`]. As in the
    /// nodes, its transactions are not checked.
    pub(crate) fn add_side(&mut self, block: Block) -> Result<(), Invalid> {
        self.check_proof(&block)?;
        let previous = self.heights.get(&block.header().previous());
        let height = block.height().to_u32() as usize;
        if previous.is_none_or(|previous| previous + 1 != height) {
            return Err(Invalid::Height);
        }
        check_commitments(&block)?;
        self.side.insert(block.block_hash(), block);
        Ok(())
    }

    pub(crate) fn unspent(&self, outpoint: &OutPoint) -> Option<&TxOut> {
        self.unspent.get(outpoint)
    }

    pub(crate) fn all_unspent(&self) -> impl Iterator<Item = (&OutPoint, &TxOut)> {
        self.unspent.iter()
    }

    /// Returns the block that contains a transaction.
    pub(crate) fn block_of(&self, txid: &elements::Txid) -> Option<&Block> {
        self.blocks.get(*self.confirmed.get(txid)?)
    }

    /// Median time of a block and the ten before it, in seconds.
    pub(crate) fn median_time(&self, height: usize) -> u64 {
        let from = (height + 1).saturating_sub(MEDIAN_SPAN);
        let mut times: Vec<u32> = self.blocks[from..=height]
            .iter()
            .map(|block| block.header().time())
            .collect();
        times.sort_unstable();
        times[times.len() / 2].into()
    }

    /// Checks a block on top of the best block, except for its signatures.
    pub(crate) fn check(&self, block: &Block, now: UnixTime) -> Result<Checked, Invalid> {
        let header = block.header();
        if header.previous() != self.tip().block_hash() {
            return Err(if self.heights.contains_key(&header.previous()) {
                Invalid::NotOnTip
            } else {
                Invalid::UnknownPrevious
            });
        }
        if header.height() != self.height().next() {
            return Err(Invalid::Height);
        }
        match &self.epochs {
            Some(epochs) => epochs.check(header)?,
            None if header.fields().proof_parameters() != self.parameters_at(header.height()) => {
                return Err(Invalid::Challenge);
            }
            None => {}
        }
        let time = u64::from(header.time());
        if time <= self.median_time(self.blocks.len() - 1) {
            return Err(Invalid::TooOld);
        }
        if time > now.as_secs() + MAX_FUTURE {
            return Err(Invalid::TooNew);
        }
        check_commitments(block)?;
        let transactions = block
            .transactions()
            .map_err(|error| Invalid::Undecodable(error.to_string()))?;
        self.check_transactions(header.height(), &transactions)?;
        Ok(Checked { transactions })
    }

    fn check_transactions(
        &self,
        height: BlockHeight,
        transactions: &[Transaction],
    ) -> Result<(), Invalid> {
        let Some((coinbase, rest)) = transactions.split_first() else {
            return Err(Invalid::Coinbase);
        };
        let starts_with_height = coinbase.input.first().is_some_and(|input| {
            input
                .script_sig
                .as_bytes()
                .starts_with(&height_push(height))
        });
        if !coinbase.is_coinbase() {
            return Err(Invalid::Coinbase);
        }
        if !starts_with_height {
            return Err(Invalid::CoinbaseHeight);
        }
        // The coinbase creates nothing and claims no fees: see the crate's documentation.
        for output in &coinbase.output {
            if crate::transaction::explicit(output)?.1 != 0 {
                return Err(Invalid::Coinbase);
            }
        }
        let context = BlockContext {
            dialect: self.rules.dialect(),
            height,
        };
        let mut created: BTreeMap<OutPoint, TxOut> = BTreeMap::new();
        let mut spent = std::collections::BTreeSet::new();
        for transaction in rest {
            check(transaction, context, |outpoint| {
                if spent.contains(outpoint) {
                    return None;
                }
                created
                    .get(outpoint)
                    .or_else(|| self.unspent(outpoint))
                    .cloned()
            })?;
            spent.extend(transaction.input.iter().map(|input| input.previous_output));
            created.extend(outputs(transaction));
        }
        Ok(())
    }

    /// Appends a complete block that has been checked.
    pub(crate) fn connect(&mut self, block: Block, checked: &Checked) -> Result<(), Invalid> {
        self.check_proof(&block)?;
        self.append(block, &checked.transactions);
        Ok(())
    }

    /// Checks a block's signatures. As in the nodes, those of a dynafed block are checked by its
    /// own header; whether that header's parameters are in force is checked elsewhere.
    pub(crate) fn check_proof(&self, block: &Block) -> Result<(), Invalid> {
        let checked = match self.epochs {
            Some(_) => epochs::rules_of(block.header())
                .ok_or(Invalid::Proof)?
                .check_block(block),
            None => self.rules.check_block(block),
        };
        checked.map_err(|_| Invalid::Proof)
    }

    fn append(&mut self, block: Block, transactions: &[Transaction]) {
        for transaction in transactions {
            for input in &transaction.input {
                self.unspent.remove(&input.previous_output);
            }
            self.unspent
                .extend(outputs(transaction).filter(|(_, output)| is_spendable(output)));
            self.confirmed.insert(transaction.txid(), self.blocks.len());
        }
        self.heights.insert(block.block_hash(), self.blocks.len());
        if let Some(epochs) = &mut self.epochs {
            epochs.append(&block);
        }
        self.blocks.push(block);
    }

    /// Returns the chain's parameters, as the header at a height must contain them.
    pub(crate) fn parameters_at(&self, height: BlockHeight) -> Proof {
        match &self.epochs {
            Some(epochs) => epochs.proof_at(height),
            None => self.tip().header().fields().proof_parameters(),
        }
    }
}

fn check_commitments(block: &Block) -> Result<(), Invalid> {
    block.check_commitments().map_err(|error| match error {
        CommitmentError::MerkleRoot | CommitmentError::Repeated => Invalid::MerkleRoot,
        _ => Invalid::WitnessCommitment,
    })
}

/// The parameters in a proof, without signatures.
pub(crate) trait ProofParameters {
    fn proof_parameters(&self) -> Proof;
}

impl ProofParameters for federation_chain::HeaderFields {
    fn proof_parameters(&self) -> Proof {
        Header::new(self.clone())
            .without_signatures()
            .fields()
            .proof
            .clone()
    }
}

/// Returns the outputs of a transaction, with their outpoints.
fn outputs(transaction: &Transaction) -> impl Iterator<Item = (OutPoint, TxOut)> + '_ {
    let txid = transaction.txid();
    (0..)
        .zip(&transaction.output)
        .map(move |(index, output)| (OutPoint::new(txid, index), output.clone()))
}

/// Returns the height as the coinbase must begin with it (BIP 34), encoded as a script number.
pub(crate) fn height_push(height: BlockHeight) -> Vec<u8> {
    let number = height.to_u32();
    if (1..=16).contains(&number) {
        return vec![0x50 + height.to_u32().to_le_bytes()[0]];
    }
    let mut bytes: Vec<u8> = number.to_le_bytes().to_vec();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    if bytes.last().is_some_and(|last| last & 0x80 != 0) {
        bytes.push(0);
    }
    bytes.insert(0, u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_pushed_as_script_numbers() {
        let push = |height| height_push(BlockHeight::new(height));
        assert_eq!(push(1), [0x51]);
        assert_eq!(push(16), [0x60]);
        assert_eq!(push(17), [1, 17]);
        assert_eq!(push(128), [2, 128, 0]);
        assert_eq!(push(70_000), [3, 0x70, 0x11, 0x01]);
    }
}
