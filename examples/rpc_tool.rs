//! Prints who signed the newest blocks of a chain: `block_signers URL SCRIPT`.
//!
//! URL is the node's RPC with its credentials, `http://user:password@127.0.0.1:7041`; SCRIPT is the
//! chain's `signblockscript` in hex. `NodeClient::call` calls any other method in the same way.

#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

use std::{env, error::Error};

use federation::{
    chain::{Block, BlockHeight, SigningRules},
    multisig::MultisigScript,
    node::{Node, NodeClient, NodeConfig},
};

/// How many blocks are shown.
const BLOCKS: u32 = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, script] = &arguments[..] else {
        return Err("usage: block_signers URL SCRIPT".into());
    };
    for line in signers(url, script).await? {
        println!("{line}");
    }
    Ok(())
}

async fn signers(url: &str, script: &str) -> Result<Vec<String>, Box<dyn Error>> {
    // Timeouts, retries after passing faults, and a limit on the answers have sensible defaults.
    let node = NodeClient::new(NodeConfig::new(url))?;
    let dialect = node.dialect().await?;
    let script = MultisigScript::from_hex(script)?;
    let size = SigningRules::required_signature_size(dialect, &script);
    let rules = SigningRules::new(dialect, script, size)?;
    let tip = node.block_count().await?.to_u32();
    let mut lines = Vec::new();
    // Nobody signs the genesis block.
    for height in (1..=tip).rev().take(BLOCKS as usize) {
        let hash = node.block_hash(BlockHeight::new(height)).await?;
        let block = Block::decode(dialect, node.block(hash).await?)?;
        if block.block_hash() != hash {
            return Err(format!("the node sent {} for {hash}", block.block_hash()).into());
        }
        let signers = rules.signers(block.header())?;
        lines.push(format!("{height} {hash} {signers:?}"));
    }
    let mempool: serde_json::Value = node.call("getmempoolinfo", &[]).await?;
    lines.push(format!("{} transactions are waiting", mempool["size"]));
    Ok(lines)
}

#[tokio::test]
async fn an_empty_chain_has_no_signers() -> Result<(), Box<dyn Error>> {
    use federation::{
        chain::Dialect,
        devnet::{DevNode, DevNodeConfig},
    };

    let script = "51210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179851ae";
    let config = DevNodeConfig::new(Dialect::Dynafed, MultisigScript::from_hex(script)?);
    let node = DevNode::spawn(config).await?;
    let (user, password) = node.rpc_credentials();
    let url = node
        .rpc_url()
        .replace("://", &format!("://{user}:{password}@"));
    assert_eq!(signers(&url, script).await?, ["0 transactions are waiting"]);
    node.stop().await;
    Ok(())
}
