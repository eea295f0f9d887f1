//! The transaction that spends, in block 1, the genesis coins that anyone could spend.

use std::collections::BTreeSet;

use elements::{
    AssetId, AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness,
    TxOut, TxOutWitness, Txid,
    confidential::{Asset, Nonce, Value},
    encode::{deserialize, serialize},
};

use federation_chain::{Dialect, TransactionView};

use crate::{Genesis, Holder, InitialAsset};

/// The most that the outputs of one transaction may hold in total, across all assets (`MAX_MONEY`).
const MAX_TOTAL: u64 = 2_100_000_000_000_000;

/// A transaction that all operators have agreed to include in block 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep(Transaction);

/// The error for a transaction that does not sweep a genesis block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The bytes are not a transaction.
    #[error("the sweep is not a transaction: {0}")]
    Undecodable(String),
    /// A coin that anyone can spend is left unspent.
    #[error("the sweep does not spend {0}, which anyone can spend")]
    Missing(OutPoint),
    /// An input spends something other than a genesis coin that anyone can spend.
    #[error("the sweep spends {0}, which is not a genesis coin that anyone can spend")]
    Foreign(OutPoint),
    /// An output can again be spent by anyone.
    #[error("output {0} of the sweep can again be spent by anyone")]
    AnyoneCanSpend(usize),
    /// The outputs hold more than a transaction may.
    #[error(
        "the sweep's outputs total {0} satoshi, but nodes accept at most {MAX_TOTAL}, coins and tokens combined: issue fewer"
    )]
    TotalTooLarge(u128),
    /// A destination is not the output script of an address, so it is unclear who owns it.
    #[error(
        "`{0}` is not the output script of an address: give one for P2PKH, P2SH or a witness program"
    )]
    Destination(Script),
    /// Coins have no destination.
    #[error("no destination for {amount} of asset {name}, which anyone can spend")]
    NoDestination {
        /// The asset.
        name: &'static str,
        /// The amount, in satoshi.
        amount: u64,
    },
    /// A destination has no coins.
    #[error("a destination is given, but there are no genesis coins that anyone can spend")]
    NothingToSweep,
    /// An input has a scriptSig or a witness. Neither is needed, and either could be altered.
    #[error(
        "input {0} of the sweep has a scriptSig or a witness, but a coin that anyone can spend needs neither"
    )]
    Signed(usize),
}

impl Sweep {
    /// Decodes a transaction.
    ///
    /// # Errors
    /// If the bytes are not a transaction.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SweepError> {
        // First, because `elements` allocates as many inputs and outputs as the bytes claim.
        TransactionView::decode(Dialect::Elements, bytes)
            .map_err(|error| SweepError::Undecodable(error.to_string()))?;
        deserialize(bytes)
            .map(Self)
            .map_err(|error| SweepError::Undecodable(error.to_string()))
    }

    /// Builds the sweep of a genesis block: it pays all coins that anyone can spend to one output
    /// script per asset, without a fee, and is the same wherever it is built. `destination` is
    /// called for each asset to be swept.
    ///
    /// Nodes relay no transaction without a fee, so each operator submits it to its own node, with
    /// `prioritisetransaction` on Elements.
    ///
    /// # Errors
    /// If there is nothing to sweep, or a destination is missing or not the script of an address.
    pub fn new(
        genesis: &Genesis,
        destination: impl Fn(&InitialAsset) -> Option<Vec<u8>>,
    ) -> Result<Self, SweepError> {
        let mut input = Vec::new();
        let mut output = Vec::new();
        for asset in genesis.assets().filter(|asset| asset.anyone_can_spend()) {
            let script = destination(asset).ok_or_else(|| SweepError::NoDestination {
                name: asset.name(),
                amount: asset.amount(),
            })?;
            input.extend(asset.outputs().iter().copied().map(spend));
            output.push(pay(asset.id(), asset.amount(), address_script(script)?));
        }
        if input.is_empty() {
            return Err(SweepError::NothingToSweep);
        }
        let sweep = Self(Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input,
            output,
        });
        sweep.check(genesis)?;
        Ok(sweep)
    }

    /// The serialised transaction, which `sendrawtransaction` takes in hex.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serialize(&self.0)
    }

    /// The transaction id, by which signers recognise it in block 1.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.0.txid()
    }

    /// Checks that it spends every coin of this genesis block that anyone can spend and nothing
    /// else, and that no output can again be spent by anyone. Whether the amounts of each asset
    /// balance is left to the node.
    ///
    /// # Errors
    /// The first of these conditions that is violated.
    pub fn check(&self, genesis: &Genesis) -> Result<(), SweepError> {
        let free: BTreeSet<OutPoint> = genesis
            .assets()
            .filter(|asset| asset.anyone_can_spend())
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
        let total = self
            .0
            .output
            .iter()
            .filter_map(|output| output.value.explicit());
        let total = total.map(u128::from).sum();
        if total > u128::from(MAX_TOTAL) {
            return Err(SweepError::TotalTooLarge(total));
        }
        let free_output = self
            .0
            .output
            .iter()
            .position(|output| Holder::of(output.script_pubkey.as_bytes()) == Holder::Anyone);
        free_output.map_or(Ok(()), |output| Err(SweepError::AnyoneCanSpend(output)))
    }
}

/// An input that spends an output that needs no signature.
fn spend(previous_output: OutPoint) -> TxIn {
    TxIn {
        previous_output,
        is_pegin: false,
        script_sig: Script::new(),
        sequence: Sequence::MAX,
        asset_issuance: AssetIssuance::null(),
        witness: TxInWitness::empty(),
    }
}

/// An output with explicit asset and amount.
fn pay(asset: AssetId, amount: u64, script_pubkey: Script) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(amount),
        nonce: Nonce::Null,
        script_pubkey,
        witness: TxOutWitness::empty(),
    }
}

/// Accepts only the output script of an address. These have fixed lengths, so a script with bytes
/// missing is refused.
fn address_script(bytes: Vec<u8>) -> Result<Script, SweepError> {
    let script = Script::from(bytes);
    let is_address = script.is_p2pkh()
        || script.is_p2sh()
        || script.is_v0_p2wpkh()
        || script.is_v0_p2wsh()
        || script.is_v1_p2tr();
    if is_address {
        Ok(script)
    } else {
        Err(SweepError::Destination(script))
    }
}
