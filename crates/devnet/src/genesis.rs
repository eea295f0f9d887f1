//! The genesis block of a devnet chain: the one that a real node derives from the same settings.

use elements::AssetId;
use federation_chain::Block;
use federation_genesis::Settings;

use crate::{DevNodeConfig, DevNodeError};

/// `OP_TRUE`: the fedpeg script of a chain without pegs, and the script of the initial coins.
pub(crate) const OP_TRUE: u8 = 0x51;
pub(crate) const OP_RETURN: u8 = 0x6a;

/// The genesis block and pegged asset of a chain.
pub(crate) struct Genesis {
    pub(crate) block: Block,
    pub(crate) pegged_asset: AssetId,
}

/// Returns the genesis block of a node with these settings: the one that `elementsd`, with or
/// without dynafed, or `oceand` without terms derives from the same chain name, script and coins.
///
/// # Errors
/// If no node accepts a custom chain of that name, or that many coins.
pub fn genesis_block(config: &DevNodeConfig) -> Result<Block, DevNodeError> {
    Ok(make(config)?.block)
}

pub(crate) fn make(config: &DevNodeConfig) -> Result<Genesis, DevNodeError> {
    let fault = |error: &dyn core::fmt::Display| DevNodeError::Genesis(error.to_string());
    let settings = Settings::of_federation(config.dialect, &config.chain, &config.script)
        .and_then(|settings| settings.with("initialfreecoins", &config.free_coins.to_string()))
        .map_err(|error| fault(&error))?;
    let genesis =
        federation_genesis::Genesis::compute(&settings, None).map_err(|error| fault(&error))?;
    Ok(Genesis {
        block: genesis.to_block().map_err(|error| fault(&error))?,
        pegged_asset: genesis.pegged_asset(),
    })
}

#[cfg(test)]
mod tests {
    use federation_chain::Dialect;
    use federation_multisig::MultisigScript;
    use hex_conservative::DisplayHex;

    use super::*;

    #[test]
    fn the_genesis_block_equals_that_of_elementsd() {
        for (dialect, name) in [
            (Dialect::Dynafed, "elements-dynafed"),
            (Dialect::Elements, "elements-legacy"),
        ] {
            let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).expect("the vectors");
            let json: serde_json::Value = serde_json::from_str(&text).expect("json");
            let script = MultisigScript::from_hex(json["signblockscript"].as_str().expect("hex"))
                .expect("a script");
            let config = DevNodeConfig::new(dialect, script).with_chain("fedtest");
            let block = genesis_block(&config).expect("a genesis");
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
