//! The parts of a transaction, as they lie in its bytes.

use elements::{AssetId, ContractHash, OutPoint, issuance::AssetEntropy};

use super::read::{read_input, read_input_record, read_output, read_output_record};
use crate::{Dialect, cursor::Cursor};

/// What an output or an issuance says of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueView<'a> {
    /// Nothing.
    Null,
    /// So many satoshi.
    Explicit(u64),
    /// A commitment with its prefix, which need not be a point; on Ocean also nine bytes with the
    /// prefix `ff`, which no valid transaction has.
    Confidential(&'a [u8]),
}

impl ValueView<'_> {
    /// The amount in satoshi, if everybody can read it.
    #[must_use]
    pub const fn explicit(self) -> Option<u64> {
        match self {
            Self::Explicit(value) => Some(value),
            Self::Null | Self::Confidential(_) => None,
        }
    }
}

/// What an output says of its asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetView<'a> {
    /// Nothing.
    Null,
    /// This one.
    Explicit(AssetId),
    /// A commitment with its prefix, which need not be a point; on Ocean also 33 bytes with the
    /// prefix `ff`, which no valid transaction has.
    Confidential(&'a [u8]),
}

impl AssetView<'_> {
    /// The asset, if everybody can read it.
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
    /// The output that is spent, without the flags that its index has on the wire: one of this chain,
    /// or, of a peg-in, one of the parent chain.
    pub outpoint: OutPoint,
    /// Whether it claims a peg-in. A peg-in witness alone says nothing: the nodes of Elements let one
    /// stand on any input.
    pub is_pegin: bool,
    /// The script that satisfies what is spent, if not the witness does.
    pub script_sig: &'a [u8],
    /// The sequence number.
    pub sequence: u32,
    /// What it issues or reissues, if anything.
    pub issuance: Option<Issuance<'a>>,
    /// Its witness; empty if the transaction has none.
    pub witness: InputWitnessView<'a>,
}

impl<'a> InputView<'a> {
    /// Whether it spends nothing, as a coinbase's.
    pub(super) fn spends_nothing(&self) -> bool {
        self.outpoint == OutPoint::null()
    }

    /// What it claims of the parent chain; none of an input that spends an output of this one,
    /// whatever stands in its peg-in witness.
    #[must_use]
    pub fn pegin(&self) -> Option<PeginClaim<'a>> {
        self.is_pegin.then_some(PeginClaim {
            witness: self.witness.pegin,
        })
    }

    /// The entropy of the asset that the input issues or reissues, which both the asset's id and its
    /// token's follow from; none if it does not.
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

/// What an input issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issuance<'a> {
    /// Zero where an asset is issued; where it is reissued, the factor that blinds the tokens, or on
    /// Ocean a mark.
    pub nonce: [u8; 32],
    /// The contract hash where an asset is issued, its entropy where it is reissued.
    pub entropy: [u8; 32],
    /// How much of the asset.
    pub amount: ValueView<'a>,
    /// How many reissuance tokens.
    pub tokens: ValueView<'a>,
}

impl Issuance<'_> {
    /// Whether there is more made of an asset that was issued before.
    #[must_use]
    pub fn is_reissuance(&self) -> bool {
        self.nonce != [0; 32]
    }
}

/// A claim of what was paid on the parent chain.
///
/// Its witness begins with value, asset, genesis hash of the parent and claim script on Elements
/// (six items), and with value, asset, genesis hash and claim key on Ocean (five).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeginClaim<'a> {
    witness: Stack<'a>,
}

impl<'a> PeginClaim<'a> {
    /// The asset and how much of it, in satoshi; none where the witness does not say, which no node
    /// takes for valid. Bytes behind the eight of the value are let stand, as the nodes do.
    #[must_use]
    pub fn amount(&self) -> Option<(AssetId, u64)> {
        let value = u64::from_le_bytes(*self.witness.get(0)?.first_chunk()?);
        let asset = <[u8; 32]>::try_from(self.witness.get(1)?).ok()?;
        Some((AssetId::from_byte_array(asset), value))
    }

    /// All items of its witness.
    #[must_use]
    pub const fn witness(&self) -> Stack<'a> {
        self.witness
    }
}

/// An input's witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputWitnessView<'a> {
    /// The proof of a blinded issuance's amount; empty without.
    pub amount_proof: &'a [u8],
    /// The proof of a blinded issuance's tokens; empty without.
    pub token_proof: &'a [u8],
    /// What satisfies the script that is spent.
    pub script: Stack<'a>,
    /// What proves a peg-in, if the input is one.
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
    /// Of which asset.
    pub asset: AssetView<'a>,
    /// How much.
    pub value: ValueView<'a>,
    /// The nonce with its prefix, empty without one; any bytes, since the nodes never look at it.
    pub nonce: &'a [u8],
    /// Who may spend it; empty in a fee.
    pub script_pubkey: &'a [u8],
    /// Its witness; empty if the transaction has none.
    pub witness: OutputWitnessView<'a>,
}

impl OutputView<'_> {
    /// Whether it is a fee: no script, and asset and value for all to read.
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
    /// The proof that a blinded asset is one of those that are spent; empty without.
    pub surjection_proof: &'a [u8],
    /// The proof that a blinded value is in range; empty without.
    pub range_proof: &'a [u8],
}

impl OutputWitnessView<'_> {
    pub(super) const EMPTY: Self = Self {
        surjection_proof: &[],
        range_proof: &[],
    };
}

/// A witness stack, as a list of its items, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack<'a> {
    count: usize,
    /// The items, each behind its length; read once already.
    items: &'a [u8],
}

impl<'a> Stack<'a> {
    pub(super) const fn new(count: usize, items: &'a [u8]) -> Self {
        Self { count, items }
    }

    /// How many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = Cursor::new(self.items);
        (0..self.count).map_while(move |_| cursor.var_bytes().ok())
    }

    /// One item, counted from the lowest.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.iter().nth(index)
    }
}

/// A transaction's inputs, in their order.
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
        // All of it was read when the view was made.
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

/// A transaction's outputs, in their order.
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
        // All of it was read when the view was made.
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
