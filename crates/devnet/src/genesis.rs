//! The genesis block of a custom chain: `chainparams.cpp` of Elements 23, CommitToArguments and
//! what follows.

use bitcoin::hashes::{Hash, sha256};
use elements::{
    AssetBlindingNonce, AssetEntropy, AssetId, AssetIssuance, ContractHash, LockTime, OutPoint,
    Script, Sequence, Transaction, TxIn, TxOut, Txid,
    confidential::{Asset, Nonce, Value},
};
use federation_chain::{Block, BlockHash, BlockHeight, Dialect, Header, HeaderFields, Proof};
use federation_multisig::MultisigScript;

use crate::DevNodeConfig;

/// Genesis hash of Bitcoin's regression test chain, in wire order: the parent of custom chains.
const PARENT_GENESIS: [u8; 32] = [
    0x06, 0x22, 0x6e, 0x46, 0x11, 0x1a, 0x0b, 0x59, 0xca, 0xaf, 0x12, 0x60, 0x43, 0xeb, 0x5b, 0xbf,
    0x28, 0xc3, 0x4f, 0x3a, 0x5e, 0x33, 0x2a, 0x1f, 0xc7, 0xb2, 0xb7, 0x3c, 0xf1, 0x88, 0x91, 0x0f,
];
/// The time in every Elements genesis block.
const ELEMENTS_TIME: u32 = 1_296_688_602;
/// The default time in an Ocean genesis block.
const OCEAN_TIME: u32 = 1_514_764_800;
/// `OP_TRUE`: the fedpeg script of a chain that has none, and who may spend the first coins.
pub(crate) const OP_TRUE: u8 = 0x51;
pub(crate) const OP_RETURN: u8 = 0x6a;

/// The genesis block and the pegged asset of a chain.
pub(crate) struct Genesis {
    pub(crate) block: Block,
    pub(crate) pegged_asset: AssetId,
}

/// The genesis block that a node with these settings makes. For Elements, with dynafed or without,
/// it is the one that `elementsd` makes of the same chain name, script and coins.
#[must_use]
pub fn genesis_block(config: &DevNodeConfig) -> Block {
    make(config).block
}

pub(crate) fn make(config: &DevNodeConfig) -> Genesis {
    let commitment = commit(&config.chain, &config.script);
    let issuing = OutPoint::new(Txid::from_byte_array(commitment), 0);
    let contract = ContractHash::from_byte_array(PARENT_GENESIS);
    let pegged_asset = AssetId::new_issuance(issuing, contract);

    let mut transactions = vec![commitment_transaction(&commitment)];
    if config.free_coins > 0 {
        transactions.push(issuing_transaction(
            issuing,
            pegged_asset,
            config.free_coins,
        ));
    }
    let challenge = config.script.as_bytes().to_vec();
    let (time, proof) = match config.dialect {
        Dialect::Ocean => (
            OCEAN_TIME,
            Proof::Ocean {
                contract: [0; 32],
                attestation: [0; 32],
                mapping: [0; 32],
                challenge,
                solution: Vec::new(),
            },
        ),
        // Dynafed begins with block 1.
        Dialect::Elements | Dialect::Dynafed => (
            ELEMENTS_TIME,
            Proof::Signed {
                challenge,
                solution: Vec::new(),
            },
        ),
    };
    let mut fields = HeaderFields {
        version: 1,
        previous: BlockHash::from_bytes([0; 32]),
        merkle_root: [0; 32],
        time,
        height: BlockHeight::GENESIS,
        proof,
    };
    let draft = Block::from_parts(Header::new(fields.clone()), &transactions);
    // Two different transactions of our own making have a root.
    fields.merkle_root = draft.compute_merkle_root().unwrap_or_default();
    Genesis {
        block: draft.with_header(Header::new(fields)),
        pegged_asset,
    }
}

/// SHA-256 of chain name, fedpeg script in hex and signblock script in hex.
fn commit(chain: &str, script: &MultisigScript) -> [u8; 32] {
    sha256::Hash::hash(format!("{chain}51{}", script.to_hex()).as_bytes()).to_byte_array()
}

/// A transaction of version 1 that spends nothing and says what the chain commits to.
fn commitment_transaction(commitment: &[u8; 32]) -> Transaction {
    let mut script = vec![32];
    script.extend_from_slice(commitment);
    Transaction {
        version: 1,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            // The commitment is pushed, and the push is the whole of a push again.
            script_sig: Script::from(script),
            sequence: Sequence::MAX,
            ..TxIn::default()
        }],
        output: vec![TxOut {
            asset: Asset::Explicit(AssetId::from_byte_array([0; 32])),
            value: Value::Explicit(0),
            nonce: Nonce::Null,
            script_pubkey: Script::from(vec![OP_RETURN]),
            ..TxOut::default()
        }],
    }
}

/// A transaction that issues the pegged asset to anyone.
fn issuing_transaction(issuing: OutPoint, asset: AssetId, amount: u64) -> Transaction {
    Transaction {
        version: 1,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: issuing,
            sequence: Sequence::MAX,
            asset_issuance: AssetIssuance {
                asset_blinding_nonce: AssetBlindingNonce::NEW_ISSUANCE,
                asset_entropy: AssetEntropy::from_byte_array(PARENT_GENESIS),
                amount: Value::Explicit(amount),
                inflation_keys: Value::Explicit(0),
            },
            ..TxIn::default()
        }],
        output: vec![TxOut {
            asset: Asset::Explicit(asset),
            value: Value::Explicit(amount),
            nonce: Nonce::Null,
            script_pubkey: Script::from(vec![OP_TRUE]),
            ..TxOut::default()
        }],
    }
}

#[cfg(test)]
mod tests {
    use hex_conservative::DisplayHex;

    use super::*;

    #[test]
    fn the_genesis_is_that_of_elementsd() {
        for (dialect, name) in [
            (Dialect::Dynafed, "elements-dynafed"),
            (Dialect::Elements, "elements-legacy"),
        ] {
            let path = format!(
                "{}/../../tests/vectors/{name}.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let text = std::fs::read_to_string(path).expect("the vectors");
            let json: serde_json::Value = serde_json::from_str(&text).expect("json");
            let script = MultisigScript::from_hex(json["signblockscript"].as_str().expect("hex"))
                .expect("a script");
            let config = DevNodeConfig::new(dialect, script).with_chain("fedtest");
            let block = genesis_block(&config);
            assert_eq!(
                serde_json::json!(block.as_bytes().to_lower_hex_string()),
                json["genesis_block_hex"]
            );
            assert_eq!(
                serde_json::json!(block.block_hash().to_string()),
                json["genesis_hash"]
            );
        }
    }
}
