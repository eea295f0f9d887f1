//! The parts of a transaction, as they lie in its bytes.

use elements::{AssetId, ContractHash, OutPoint, issuance::AssetEntropy};

use super::read::{read_input, read_input_record, read_output, read_output_record};
use crate::{Dialect, cursor::Cursor};

/// The value field of an output or issuance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueView<'a> {
    /// No value.
    Null,
    /// An amount in satoshi.
    Explicit(u64),
    /// A commitment with its prefix, not necessarily a point on the curve; on Ocean also nine bytes
    /// with the prefix `ff`, which no valid transaction has.
    Confidential(&'a [u8]),
}

impl ValueView<'_> {
    /// Returns the amount in satoshi, if it is not confidential.
    #[must_use]
    pub const fn explicit(self) -> Option<u64> {
        match self {
            Self::Explicit(value) => Some(value),
            Self::Null | Self::Confidential(_) => None,
        }
    }
}

/// The asset field of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetView<'a> {
    /// No asset.
    Null,
    /// An asset id.
    Explicit(AssetId),
    /// A commitment with its prefix, not necessarily a point on the curve; on Ocean also 33 bytes
    /// with the prefix `ff`, which no valid transaction has.
    Confidential(&'a [u8]),
}

impl AssetView<'_> {
    /// Returns the asset, if it is not confidential.
    #[must_use]
    pub const fn explicit(self) -> Option<AssetId> {
        match self {
            Self::Explicit(asset) => Some(asset),
            Self::Null | Self::Confidential(_) => None,
        }
    }
}

/// An input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputView<'a> {
    /// The output spent, without the flags that its index has on the wire: an output of this chain,
    /// or for a peg-in, one of the parent chain.
    pub outpoint: OutPoint,
    /// Whether it claims a peg-in. A peg-in witness does not imply it: the nodes of Elements accept
    /// one on any input.
    pub is_pegin: bool,
    /// The script that satisfies the output spent, unless the witness does.
    pub script_sig: &'a [u8],
    /// The sequence number.
    pub sequence: u32,
    /// The issuance or reissuance, if any.
    pub issuance: Option<Issuance<'a>>,
    /// Its witness; empty if the transaction has none.
    pub witness: InputWitnessView<'a>,
}

impl<'a> InputView<'a> {
    /// Returns whether it spends nothing, as a coinbase's input does.
    pub(super) fn spends_nothing(&self) -> bool {
        self.outpoint == OutPoint::null()
    }

    /// Returns its claim on the parent chain; `None` for an input that spends an output of this
    /// chain, whatever its peg-in witness contains.
    #[must_use]
    pub fn pegin(&self) -> Option<PeginClaim<'a>> {
        self.is_pegin.then_some(PeginClaim {
            witness: self.witness.pegin,
        })
    }

    /// Returns the entropy of the asset that the input issues or reissues, from which the ids of
    /// the asset and of its reissuance token are derived; `None` without an issuance.
    #[must_use]
    pub fn issuance_entropy(&self) -> Option<AssetEntropy> {
        let issuance = self.issuance?;
        Some(if issuance.is_reissuance() {
            AssetEntropy::from_byte_array(issuance.entropy)
        } else {
            let contract = ContractHash::from_byte_array(issuance.entropy);
            AssetId::generate_asset_entropy(self.outpoint, contract)
        })
    }
}

/// The issuance of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issuance<'a> {
    /// Zero for a new issuance. For a reissuance, the blinding factor of the tokens; on Ocean a
    /// marker.
    pub nonce: [u8; 32],
    /// The contract hash for a new issuance, the asset's entropy for a reissuance.
    pub entropy: [u8; 32],
    /// The amount issued.
    pub amount: ValueView<'a>,
    /// The amount of reissuance tokens issued.
    pub tokens: ValueView<'a>,
}

impl Issuance<'_> {
    /// Returns whether it reissues an asset that was issued before.
    #[must_use]
    pub fn is_reissuance(&self) -> bool {
        self.nonce != [0; 32]
    }
}

/// A claim of a payment on the parent chain.
///
/// Its witness begins with value, asset, the parent's genesis hash and claim script on Elements
/// (six items in all), and with value, asset, genesis hash and claim key on Ocean (five items).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeginClaim<'a> {
    witness: Stack<'a>,
}

impl<'a> PeginClaim<'a> {
    /// Returns the asset and the amount in satoshi; `None` if the witness does not contain them,
    /// which no node accepts. Bytes after the eight of the value are ignored, as the nodes ignore
    /// them.
    #[must_use]
    pub fn amount(&self) -> Option<(AssetId, u64)> {
        let value = u64::from_le_bytes(*self.witness.get(0)?.first_chunk()?);
        let asset = <[u8; 32]>::try_from(self.witness.get(1)?).ok()?;
        Some((AssetId::from_byte_array(asset), value))
    }

    /// Returns its whole witness.
    #[must_use]
    pub const fn witness(&self) -> Stack<'a> {
        self.witness
    }
}

/// An input's witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputWitnessView<'a> {
    /// The range proof of a confidential issuance amount; empty if there is none.
    pub amount_proof: &'a [u8],
    /// The range proof of a confidential token amount; empty if there is none.
    pub token_proof: &'a [u8],
    /// The items that satisfy the script of the output spent.
    pub script: Stack<'a>,
    /// The proof of a peg-in, if the input claims one.
    pub pegin: Stack<'a>,
}

impl InputWitnessView<'_> {
    pub(super) const EMPTY: Self = Self {
        amount_proof: &[],
        token_proof: &[],
        script: Stack::new(0, &[]),
        pegin: Stack::new(0, &[]),
    };
}

/// An output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputView<'a> {
    /// Its asset.
    pub asset: AssetView<'a>,
    /// Its value.
    pub value: ValueView<'a>,
    /// The nonce with its prefix, empty if there is none; any bytes, since the nodes never check
    /// it.
    pub nonce: &'a [u8],
    /// The script that must be satisfied to spend it; empty for a fee.
    pub script_pubkey: &'a [u8],
    /// Its witness; empty if the transaction has none.
    pub witness: OutputWitnessView<'a>,
}

impl OutputView<'_> {
    /// Returns whether it is a fee: no script, with explicit asset and value.
    #[must_use]
    pub const fn is_fee(&self) -> bool {
        self.script_pubkey.is_empty()
            && self.asset.explicit().is_some()
            && self.value.explicit().is_some()
    }
}

/// An output's witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputWitnessView<'a> {
    /// The proof that a confidential asset is one of those spent; empty if there is none.
    pub surjection_proof: &'a [u8],
    /// The proof that a confidential value is in range; empty if there is none.
    pub range_proof: &'a [u8],
}

impl OutputWitnessView<'_> {
    pub(super) const EMPTY: Self = Self {
        surjection_proof: &[],
        range_proof: &[],
    };
}

/// A witness stack, as a list of its items, the bottom one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a> {
    count: usize,
    /// The items, each preceded by its length; already validated.
    items: &'a [u8],
}

impl<'a> Stack<'a> {
    pub(super) const fn new(count: usize, items: &'a [u8]) -> Self {
        Self { count, items }
    }

    /// Returns the number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Returns whether it has no items.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the items, the bottom one first.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = Cursor::new(self.items);
        (0..self.count).map_while(move |_| cursor.var_bytes().ok())
    }

    /// One item, counted from the bottom.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.iter().nth(index)
    }
}

/// A transaction's inputs, in order.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    left: usize,
    body: Cursor<'a>,
    witness: Option<Cursor<'a>>,
    dialect: Dialect,
}

impl<'a> Inputs<'a> {
    pub(super) const fn new(
        left: usize,
        body: Cursor<'a>,
        witness: Option<Cursor<'a>>,
        dialect: Dialect,
    ) -> Self {
        Self {
            left,
            body,
            witness,
            dialect,
        }
    }
}

impl<'a> Iterator for Inputs<'a> {
    type Item = InputView<'a>;

    fn next(&mut self) -> Option<InputView<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Everything was validated when the view was made.
        let mut input = read_input(&mut self.body, self.dialect).ok()?;
        if let Some(witness) = &mut self.witness {
            input.witness = read_input_record(witness).ok()?.witness;
        }
        Some(input)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Inputs<'_> {}

/// A transaction's outputs, in order.
#[derive(Debug, Clone)]
pub struct Outputs<'a> {
    left: usize,
    body: Cursor<'a>,
    witness: Option<Cursor<'a>>,
    dialect: Dialect,
}

impl<'a> Outputs<'a> {
    pub(super) const fn new(
        left: usize,
        body: Cursor<'a>,
        witness: Option<Cursor<'a>>,
        dialect: Dialect,
    ) -> Self {
        Self {
            left,
            body,
            witness,
            dialect,
        }
    }
}

impl<'a> Iterator for Outputs<'a> {
    type Item = OutputView<'a>;

    fn next(&mut self) -> Option<OutputView<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Everything was validated when the view was made.
        let mut output = read_output(&mut self.body, self.dialect).ok()?;
        if let Some(witness) = &mut self.witness {
            output.witness = read_output_record(witness).ok()?.witness;
        }
        Some(output)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Outputs<'_> {}
