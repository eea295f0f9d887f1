//! The transaction that takes, in block 1, the coins which anyone could take.

use std::collections::BTreeSet;

use elements::{
    AssetId, AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxInWitness,
    TxOut, TxOutWitness, Txid,
    confidential::{Asset, Nonce, Value},
    encode::{deserialize, serialize},
};

use federation_chain::{Dialect, TransactionView};

use crate::{Genesis, Holder, InitialAsset};

/// What all outputs of one transaction may hold together, of whatever assets (`MAX_MONEY`).
const MAX_TOTAL: u64 = 2_100_000_000_000_000;

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
    /// More than a transaction can hold.
    #[error(
        "the sweep's outputs hold {0} satoshi together, and nodes take at most {MAX_TOTAL}, coins and tokens counted alike: issue fewer"
    )]
    TooMuch(u128),
    /// A destination to which nobody should send, or of which nobody can tell who has it.
    #[error(
        "`{0}` is no output script of an address: give that of P2PKH, P2SH or a witness program"
    )]
    Destination(Script),
    /// Coins without a destination.
    #[error("there is no destination for {amount} of asset {name}, which anyone can spend")]
    NoDestination {
        /// Which asset.
        name: &'static str,
        /// How much, in satoshi.
        amount: u64,
    },
    /// A destination without coins.
    #[error("a destination is given, and no coins of the genesis can be spent by anyone")]
    Nothing,
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
        // First, as `elements` makes room for as many inputs and outputs as are claimed.
        TransactionView::decode(Dialect::Elements, bytes)
            .map_err(|error| SweepError::Undecodable(error.to_string()))?;
        deserialize(bytes)
            .map(Self)
            .map_err(|error| SweepError::Undecodable(error.to_string()))
    }

    /// The one sweep of a genesis that pays all coins that anyone can spend to one output script for
    /// each asset: without a fee, and the same wherever it is made. The destination is asked for
    /// each asset that is to be swept.
    ///
    /// Nodes relay nothing without a fee, so each operator hands it to its own node, with
    /// `prioritisetransaction` on Elements.
    ///
    /// # Errors
    /// If there is nothing to sweep, or a destination is missing or no address's.
    pub fn new(
        genesis: &Genesis,
        destination: impl Fn(&InitialAsset) -> Option<Vec<u8>>,
    ) -> Result<Self, SweepError> {
        let mut input = Vec::new();
        let mut output = Vec::new();
        for asset in genesis.assets().filter(|asset| asset.is_anyones()) {
            let script = destination(asset).ok_or_else(|| SweepError::NoDestination {
                name: asset.name(),
                amount: asset.amount(),
            })?;
            input.extend(asset.outputs().iter().copied().map(spend));
            output.push(pay(asset.id(), asset.amount(), address_script(script)?));
        }
        if input.is_empty() {
            return Err(SweepError::Nothing);
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

    /// Its bytes, as `sendrawtransaction` takes them in hex.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serialize(&self.0)
    }

    /// The transaction's id, by which signers know it in block 1.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.0.txid()
    }

    /// Checks that it takes all that anyone could take in this genesis, nothing else, and leaves
    /// nothing to anyone. Whether amounts of each asset add up, a node says.
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
        let total = self
            .0
            .output
            .iter()
            .filter_map(|output| output.value.explicit());
        let total = total.map(u128::from).sum();
        if total > u128::from(MAX_TOTAL) {
            return Err(SweepError::TooMuch(total));
        }
        let anyones = self
            .0
            .output
            .iter()
            .position(|output| Holder::of(output.script_pubkey.as_bytes()) == Holder::Anyone);
        anyones.map_or(Ok(()), |output| Err(SweepError::Anyones(output)))
    }
}

/// An input that spends an output for anyone.
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

/// An output that shows what it holds.
fn pay(asset: AssetId, amount: u64, script_pubkey: Script) -> TxOut {
    TxOut {
        asset: Asset::Explicit(asset),
        value: Value::Explicit(amount),
        nonce: Nonce::Null,
        script_pubkey,
        witness: TxOutWitness::empty(),
    }
}

/// A script that somebody holds: of an address, whose form has a fixed length, so that one with
/// bytes missing is none.
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
