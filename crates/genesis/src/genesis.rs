//! The genesis block of a chain.

use bitcoin::hashes::{Hash, hash160, sha256};
use elements::{
    AssetId,
    dynafed::{FullParams, Params},
};
use federation_chain::{Block, BlockHash, DecodeError, Dialect};
use federation_multisig::MultisigScript;
use hex_conservative::{DisplayHex, FromHex};

use crate::{
    NodeKind, Settings, Terms,
    chain::InvalidSettings,
    dynafed::DynafedStart,
    fragment::{CONSTANT, Fragment, Fragments, compact_size, concat},
    transaction::{
        GenesisTransaction, InitialAsset, Issuance, OP_RETURN, OP_TRUE, commit,
        commitment_transaction, issuing_transaction, pegged_asset,
    },
};

/// The time of every Elements genesis block.
const ELEMENTS_TIME: u32 = 1_296_688_602;
/// Bits and nonce of an Elements genesis block without signed blocks.
const ELEMENTS_BITS: u32 = 0x207f_ffff;
const ELEMENTS_NONCE: u32 = 2;

/// Ocean splits what it issues into this many outputs.
const OCEAN_OUTPUTS: u32 = 100;
const OP_DEREGISTERADDRESS: u8 = 0xb6;
const OP_REGISTERADDRESS: u8 = 0xb8;
/// Longer scripts cannot be spent.
const MAX_SCRIPT: usize = 10_000;

/// The genesis block that a node derives from its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    commitment: [u8; 32],
    transactions: Vec<GenesisTransaction>,
    header: Vec<Fragment>,
    hash: BlockHash,
    pegged_asset: AssetId,
    block_1_params: Option<Params>,
    /// Whether an empty solution follows the header.
    signed: bool,
    dialect: Dialect,
}

impl Genesis {
    /// Computes the genesis block. Whether the chain could work is another question: see
    /// [`problems`](crate::problems).
    ///
    /// # Errors
    /// If no node supported by this crate makes a block from these settings.
    pub fn compute(settings: &Settings, terms: Option<&Terms>) -> Result<Self, InvalidSettings> {
        match settings.node() {
            NodeKind::Elements => elements(settings),
            NodeKind::Ocean => ocean(settings, terms),
        }
    }

    /// The commitment in the first transaction, in wire order.
    #[must_use]
    pub const fn commitment(&self) -> [u8; 32] {
        self.commitment
    }

    /// The block hash.
    #[must_use]
    pub const fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The transactions.
    #[must_use]
    pub fn transactions(&self) -> &[GenesisTransaction] {
        &self.transactions
    }

    /// The fields of the header, without the empty solution that follows them.
    #[must_use]
    pub fn header(&self) -> &[Fragment] {
        &self.header
    }

    /// The pegged asset of the chain, which is defined even if there are no coins of it yet.
    #[must_use]
    pub const fn pegged_asset(&self) -> AssetId {
        self.pegged_asset
    }

    /// The assets that exist from the start.
    pub fn assets(&self) -> impl Iterator<Item = &InitialAsset> {
        self.transactions
            .iter()
            .flat_map(|transaction| transaction.assets())
    }

    /// The full parameters in the header of block 1, if dynafed is active from the start.
    #[must_use]
    pub const fn block_1_params(&self) -> Option<&Params> {
        self.block_1_params.as_ref()
    }

    /// The serialised block, which `getblock HASH 0` returns in hex.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = concat(&self.header);
        if self.signed {
            bytes.push(0);
        }
        bytes.extend(compact_size(self.transactions.len()));
        for transaction in &self.transactions {
            bytes.extend(transaction.to_bytes());
        }
        bytes
    }

    /// The block, to build on.
    ///
    /// # Errors
    /// If the chain's blocks are not signed, so that the header has another format.
    pub fn to_block(&self) -> Result<Block, DecodeError> {
        Block::decode(self.dialect, self.to_bytes().into())
    }
}

/// The header up to its Merkle root.
fn header(transactions: &[GenesisTransaction]) -> Fragments {
    let mut header = Fragments::default();
    header.push("version", &1_u32.to_le_bytes(), CONSTANT);
    header.push("previous block: none", &[0; 32], CONSTANT);
    header.push("merkle root", &merkle_root(transactions), "transactions");
    header
}

fn merkle_root(transactions: &[GenesisTransaction]) -> [u8; 32] {
    let ids = transactions
        .iter()
        .map(|transaction| transaction.txid().to_byte_array())
        .collect();
    // There is at least one transaction, and no two are the same.
    federation_chain::merkle_root(ids).expect("no two transactions of a genesis are equal")
}

/// Reads an amount in satoshi within the node's limits.
fn amount(settings: &Settings, name: &'static str) -> Result<u64, InvalidSettings> {
    /// 21 million coins.
    const MAX_MONEY: u64 = 2_100_000_000_000_000;
    let value = settings.number(name);
    u64::try_from(value)
        .ok()
        .filter(|amount| *amount <= MAX_MONEY)
        .ok_or(InvalidSettings::Amount { name, value })
}

fn elements(settings: &Settings) -> Result<Genesis, InvalidSettings> {
    if settings.text("con_genesis_style") != "elements" {
        return Err(InvalidSettings::Style(
            settings.text("con_genesis_style").to_owned(),
        ));
    }
    if !settings.flag("con_elementsmode") {
        return Err(InvalidSettings::BitcoinMode);
    }
    let signblockscript = settings.bytes("signblockscript");
    let commitment = commit(&[
        settings.chain(),
        &settings.bytes("fedpegscript").to_lower_hex_string(),
        &signblockscript.to_lower_hex_string(),
    ]);
    let parent = settings.hash("parentgenesisblockhash");
    let coins = amount(settings, "initialfreecoins")?;
    let tokens = amount(settings, "initialreissuancetokens")?;
    let mut transactions = vec![commitment_transaction(
        &commitment,
        "chain, fedpegscript, signblockscript",
        &[],
    )];
    if coins > 0 || tokens > 0 {
        let issuance = Issuance {
            name: "initial coins",
            asset_name: "pegged",
            index: 0,
            contract: parent,
            contract_source: "parentgenesisblockhash",
            coins: (coins, u32::from(coins > 0)),
            coins_source: "initialfreecoins",
            tokens,
            destination: &[OP_TRUE],
            destination_source: "constant: OP_TRUE",
        };
        transactions.push(issuing_transaction(&commitment, &issuance));
    }
    let signed = settings.flag("con_signed_blocks");
    let mut header = header(&transactions);
    header.push("time", &ELEMENTS_TIME.to_le_bytes(), CONSTANT);
    if settings.flag("con_blockheightinheader") {
        header.push("height", &[0; 4], "con_blockheightinheader");
    }
    if signed {
        header.push_counted("challenge", signblockscript, "signblockscript");
    } else {
        header.push("bits", &ELEMENTS_BITS.to_le_bytes(), "con_signed_blocks");
        header.push("nonce", &ELEMENTS_NONCE.to_le_bytes(), "con_signed_blocks");
    }
    let block_1_params = (DynafedStart::of(settings)? == DynafedStart::Always)
        .then(|| block_1_params(settings))
        .transpose()?;
    Ok(Genesis {
        commitment,
        transactions,
        hash: BlockHash::from_bytes(header.hash()),
        header: header.into_inner(),
        pegged_asset: pegged_asset(&commitment, &parent),
        block_1_params,
        signed,
        dialect: Dialect::Elements,
    })
}

/// The initial dynafed parameters (`ComputeNextBlockFullCurrentParameters`).
fn block_1_params(settings: &Settings) -> Result<Params, InvalidSettings> {
    let program = |script: &[u8]| {
        let mut program = vec![0, 32];
        program.extend_from_slice(sha256::Hash::hash(script).as_byte_array());
        program
    };
    let fedpegscript = settings.bytes("fedpegscript");
    let witness_program = program(fedpegscript);
    let fedpeg_program = if settings.number("con_start_p2wsh_script") == 0 {
        let mut script = vec![0xa9, 20];
        script.extend_from_slice(hash160::Hash::hash(&witness_program).as_byte_array());
        script.push(0x87);
        script
    } else {
        witness_program
    };
    let extension_space = settings
        .list("pak")
        .iter()
        // The hex was checked when it was parsed.
        .map(|entry| Vec::from_hex(entry).unwrap_or_default())
        .collect();
    Ok(Params::Full(FullParams::new(
        program(settings.bytes("signblockscript")).into(),
        signature_limit(settings)?,
        fedpeg_program.into(),
        fedpegscript.to_vec(),
        extension_space,
    )))
}

/// `con_max_block_sig_size`, which a node truncates to 32 bits.
pub(crate) fn signature_limit(settings: &Settings) -> Result<u32, InvalidSettings> {
    let name = "con_max_block_sig_size";
    let value = settings.number(name);
    u32::try_from(value).map_err(|_| InvalidSettings::Range { name, value })
}

/// The operators' script, if `signblockscript` is M of N.
pub(crate) fn signers(settings: &Settings) -> Option<MultisigScript> {
    MultisigScript::from_bytes(settings.bytes("signblockscript")).ok()
}

/// The policies in the node's order: name, number, and the setting with the destination of its
/// coins.
const POLICIES: [(&str, u8, &str); 6] = [
    ("freezelist", 0x10, "freezelistcoinsdestination"),
    ("burnlist", 0x20, "burnlistcoinsdestination"),
    ("whitelist", 0x30, "whitelistcoinsdestination"),
    ("challenge", 0x40, "challengecoinsdestination"),
    ("permission", 0x50, "permissioncoinsdestination"),
    ("issuance", 0x60, "issuancecoinsdestination"),
];

fn ocean(settings: &Settings, terms: Option<&Terms>) -> Result<Genesis, InvalidSettings> {
    let signblockscript = settings.bytes("signblockscript");
    let address = match settings.bytes("fedpegaddress") {
        [] => &[0; 20],
        given => given,
    };
    let commitment = commit(&[
        settings.chain(),
        &settings.bytes("fedpegscript").to_lower_hex_string(),
        &signblockscript.to_lower_hex_string(),
        &settings.bytes("parentcontract").to_lower_hex_string(),
        &address.to_lower_hex_string(),
    ]);
    let parent = settings.hash("parentgenesisblockhash");
    let transactions = ocean_transactions(settings, &commitment, &parent)?;
    let name = "genesistimestamp";
    let value = settings.number(name);
    let time = u32::try_from(value).map_err(|_| InvalidSettings::Range { name, value })?;
    let contract = match terms {
        Some(terms) if settings.flag("embedcontract") => terms.contract_hash(),
        _ => [0; 32],
    };
    let mut header = header(&transactions);
    header.push("contract hash", &contract, "embedcontract, terms");
    header.push(
        "attestation hash",
        &settings.hash("attestationhash"),
        "attestationhash",
    );
    header.push("mapping hash: none", &[0; 32], CONSTANT);
    header.push("time", &time.to_le_bytes(), "genesistimestamp");
    header.push("height", &[0; 4], CONSTANT);
    header.push_counted("challenge", signblockscript, "signblockscript");
    Ok(Genesis {
        commitment,
        transactions,
        hash: BlockHash::from_bytes(header.hash()),
        header: header.into_inner(),
        pegged_asset: pegged_asset(&commitment, &parent),
        block_1_params: None,
        signed: true,
        dialect: Dialect::Ocean,
    })
}

fn ocean_transactions(
    settings: &Settings,
    commitment: &[u8; 32],
    parent: &[u8; 32],
) -> Result<Vec<GenesisTransaction>, InvalidSettings> {
    let mut transactions = vec![commitment_transaction(
        commitment,
        "chain, fedpegscript, signblockscript, parentcontract, fedpegaddress",
        settings.bytes("issuecontrolscript"),
    )];
    let mut index = 0;
    let free = amount(settings, "initialfreecoins")?;
    if free > 0 {
        transactions.push(issuing_transaction(
            commitment,
            &Issuance {
                name: "initial coins",
                asset_name: "pegged",
                index,
                contract: *parent,
                contract_source: "parentgenesisblockhash",
                coins: (free / u64::from(OCEAN_OUTPUTS), OCEAN_OUTPUTS),
                coins_source: "initialfreecoins",
                tokens: 0,
                destination: settings.bytes("initialfreecoinsdestination"),
                destination_source: "initialfreecoinsdestination",
            },
        ));
        index += 1;
    }
    let coins = amount(settings, "policycoins")?;
    if coins == 0 {
        return Ok(transactions);
    }
    for (name, number, setting) in POLICIES {
        let destination = settings.bytes(setting);
        if is_unspendable(destination) {
            continue;
        }
        let mut contract = [0; 32];
        contract[0] = number;
        transactions.push(issuing_transaction(
            commitment,
            &Issuance {
                name,
                asset_name: name,
                index,
                contract,
                contract_source: CONSTANT,
                coins: (coins / u64::from(OCEAN_OUTPUTS), OCEAN_OUTPUTS),
                coins_source: "policycoins",
                tokens: 0,
                destination,
                destination_source: setting,
            },
        ));
        index += 1;
    }
    Ok(transactions)
}

/// `CScript::IsUnspendable` of Ocean.
fn is_unspendable(script: &[u8]) -> bool {
    script.first().is_none_or(|opcode| {
        matches!(
            *opcode,
            OP_RETURN | OP_REGISTERADDRESS | OP_DEREGISTERADDRESS
        )
    }) || script.len() > MAX_SCRIPT
}
