//! The transactions in a genesis block.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use elements::{AssetEntropy, AssetId, ContractHash, OutPoint, Txid};

use crate::Holder;
use crate::fragment::{CONSTANT, Fragment, Fragments, compact_size, concat, push_script};

/// `OP_TRUE`, which anyone can spend.
pub(crate) const OP_TRUE: u8 = 0x51;
pub(crate) const OP_RETURN: u8 = 0x6a;

const SEQUENCE: [u8; 4] = [0xff; 4];

/// A transaction of the genesis block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisTransaction {
    name: &'static str,
    fragments: Vec<Fragment>,
    txid: Txid,
    assets: Vec<InitialAsset>,
}

/// An asset that exists from the genesis block on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialAsset {
    name: &'static str,
    id: AssetId,
    amount: u64,
    destination: Vec<u8>,
    outputs: Vec<OutPoint>,
}

impl GenesisTransaction {
    /// Its purpose: `commitment`, or the coins that it issues.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The transaction id.
    #[must_use]
    pub const fn txid(&self) -> Txid {
        self.txid
    }

    /// The fields that it consists of.
    #[must_use]
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// The serialised transaction.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        concat(&self.fragments)
    }

    /// The assets that it issues.
    #[must_use]
    pub fn assets(&self) -> &[InitialAsset] {
        &self.assets
    }

    fn new(name: &'static str, fragments: Fragments, assets: Vec<Draft<'_>>) -> Self {
        let txid = Txid::from_byte_array(fragments.hash());
        let mut next = 0;
        let assets = assets
            .into_iter()
            .map(|draft| {
                let first = next;
                next += draft.outputs;
                InitialAsset {
                    name: draft.name,
                    id: draft.id,
                    amount: draft.each * u64::from(draft.outputs),
                    destination: draft.destination.to_vec(),
                    outputs: (first..next).map(|n| OutPoint::new(txid, n)).collect(),
                }
            })
            .collect();
        Self {
            name,
            fragments: fragments.into_inner(),
            txid,
            assets,
        }
    }
}

impl InitialAsset {
    /// Its kind: `pegged`, `reissuance token`, or the policy that it represents.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The asset id.
    #[must_use]
    pub const fn id(&self) -> AssetId {
        self.id
    }

    /// The total amount, in the smallest unit.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The script that all of it is paid to.
    #[must_use]
    pub fn destination(&self) -> &[u8] {
        &self.destination
    }

    /// The outputs that hold it.
    #[must_use]
    pub fn outputs(&self) -> &[OutPoint] {
        &self.outputs
    }

    /// Whether anyone can spend it.
    #[must_use]
    pub fn anyone_can_spend(&self) -> bool {
        self.amount > 0 && Holder::of(&self.destination) == Holder::Anyone
    }
}

/// An asset whose transaction is not complete yet.
struct Draft<'a> {
    name: &'static str,
    id: AssetId,
    each: u64,
    outputs: u32,
    destination: &'a [u8],
}

/// SHA-256 of the concatenated strings.
pub(crate) fn commit(parts: &[&str]) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    for part in parts {
        engine.input(part.as_bytes());
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// The pegged asset of a chain with this commitment and parent chain.
pub(crate) fn pegged_asset(commitment: &[u8; 32], parent_genesis: &[u8; 32]) -> AssetId {
    AssetId::from_entropy(entropy(commitment, 0, parent_genesis))
}

fn entropy(commitment: &[u8; 32], index: u32, contract: &[u8; 32]) -> AssetEntropy {
    let previous = OutPoint::new(Txid::from_byte_array(*commitment), index);
    AssetId::generate_asset_entropy(previous, ContractHash::from_byte_array(*contract))
}

/// The first transaction, which spends nothing and holds the chain's commitment.
pub(crate) fn commitment_transaction(
    commitment: &[u8; 32],
    committed: &str,
    issue_control: &[u8],
) -> GenesisTransaction {
    let mut fragments = Fragments::default();
    fragments.push("version", &1_u32.to_le_bytes(), CONSTANT);
    fragments.push("flags: no witness", &[0], CONSTANT);
    fragments.push("inputs", &[1], CONSTANT);
    fragments.push(
        "previous output: none",
        &[&[0; 32][..], &[0xff; 4]].concat(),
        CONSTANT,
    );
    fragments.push("scriptSig, length and push", &[33, 32], CONSTANT);
    fragments.push("scriptSig, commitment", commitment, committed);
    fragments.push("sequence", &SEQUENCE, CONSTANT);
    let outputs = if issue_control.is_empty() { 1 } else { 2 };
    fragments.push("outputs", &[outputs], CONSTANT);
    let empty = output(&[0; 32], 0);
    fragments.push("output 0, no asset, 0", &empty, CONSTANT);
    fragments.push_counted("output 0, OP_RETURN", &[OP_RETURN], CONSTANT);
    if !issue_control.is_empty() {
        let source = "issuecontrolscript";
        let script = [&[OP_RETURN][..], &push_script(issue_control)].concat();
        fragments.push("output 1, no asset, 0", &empty, CONSTANT);
        fragments.push_counted("output 1, OP_RETURN and push", &script, source);
    }
    fragments.push("lock time", &[0; 4], CONSTANT);
    GenesisTransaction::new("commitment", fragments, Vec::new())
}

/// The parameters of an initial issuance.
pub(crate) struct Issuance<'a> {
    pub(crate) name: &'static str,
    pub(crate) asset_name: &'static str,
    /// The index of the output that it spends; the commitment stands for its transaction.
    pub(crate) index: u32,
    /// The contract hash.
    pub(crate) contract: [u8; 32],
    pub(crate) contract_source: &'static str,
    /// The amount of each output, and the number of outputs.
    pub(crate) coins: (u64, u32),
    pub(crate) coins_source: &'static str,
    pub(crate) tokens: u64,
    pub(crate) destination: &'a [u8],
    pub(crate) destination_source: &'static str,
}

/// A transaction that issues an initial asset (`AppendInitialIssuance`).
pub(crate) fn issuing_transaction(
    commitment: &[u8; 32],
    issuance: &Issuance<'_>,
) -> GenesisTransaction {
    /// The bit of an input's index that marks an issuance.
    const ISSUANCE_FLAG: u32 = 1 << 31;
    let entropy = entropy(commitment, issuance.index, &issuance.contract);
    let (each, count) = issuance.coins;
    let drafts: Vec<_> = [
        Draft {
            name: issuance.asset_name,
            id: AssetId::from_entropy(entropy),
            each,
            outputs: count,
            destination: issuance.destination,
        },
        Draft {
            name: "reissuance token",
            id: AssetId::reissuance_token_from_entropy(entropy, false),
            each: issuance.tokens,
            outputs: u32::from(issuance.tokens > 0),
            destination: issuance.destination,
        },
    ]
    .into_iter()
    .filter(|draft| draft.outputs > 0)
    .collect();

    let mut fragments = Fragments::default();
    fragments.push("version", &1_u32.to_le_bytes(), CONSTANT);
    fragments.push("flags: no witness", &[0], CONSTANT);
    fragments.push("inputs", &[1], CONSTANT);
    fragments.push("previous output: commitment", commitment, "commitment");
    fragments.push(
        "its index, issuance flag",
        &(issuance.index | ISSUANCE_FLAG).to_le_bytes(),
        "position in the block",
    );
    fragments.push("scriptSig", &[0], CONSTANT);
    fragments.push("sequence", &SEQUENCE, CONSTANT);
    fragments.push("issuance, blinding nonce", &[0; 32], CONSTANT);
    fragments.push(
        "issuance, contract",
        &issuance.contract,
        issuance.contract_source,
    );
    fragments.push(
        "issuance, amount",
        &explicit(each * u64::from(count)),
        issuance.coins_source,
    );
    fragments.push(
        "issuance, tokens",
        &explicit(issuance.tokens),
        "initialreissuancetokens",
    );
    let outputs: u32 = drafts.iter().map(|draft| draft.outputs).sum();
    fragments.push("outputs", &compact_size(outputs as usize), CONSTANT);
    let mut number = 0;
    for draft in &drafts {
        let id = draft.id.to_byte_array();
        let source = if draft.name == "reissuance token" {
            "initialreissuancetokens"
        } else {
            issuance.coins_source
        };
        for _ in 0..draft.outputs {
            fragments.push(
                format!("output {number}, {}", draft.name),
                &output(&id, draft.each),
                source,
            );
            fragments.push_counted(
                &format!("output {number}, script"),
                draft.destination,
                issuance.destination_source,
            );
            number += 1;
        }
    }
    fragments.push("lock time", &[0; 4], CONSTANT);
    GenesisTransaction::new(issuance.name, fragments, drafts)
}

/// An output up to its script: explicit asset, explicit value, no nonce.
fn output(asset: &[u8; 32], amount: u64) -> Vec<u8> {
    [&[1][..], asset, &explicit(amount), &[0]].concat()
}

fn explicit(amount: u64) -> Vec<u8> {
    [&[1][..], &amount.to_be_bytes()].concat()
}
