//! `multisig genesis sweep`: the transaction that takes the coins that anyone could take.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_genesis::{NodeKind, Sweep};
use hex_conservative::DisplayHex;
use serde_json::json;

use super::load::Chain;
use crate::{cli::SweepArgs, input};

/// Makes the transaction.
pub(crate) fn run(args: &SweepArgs) -> Result<ExitCode, CliError> {
    let chain = Chain::read(NodeKind::Elements, &args.conf, None, None)?;
    let network = chain.settings.network();
    let script = |to: &Option<String>| {
        let to = to.as_deref();
        to.map(|to| input::output_script(to, &network)).transpose()
    };
    let (coins, tokens) = (script(&args.coins)?, script(&args.tokens)?);
    let pegged = chain.genesis.pegged_asset();
    let sweep = Sweep::new(&chain.genesis, |asset| {
        if asset.id() == pegged {
            coins.clone()
        } else {
            tokens.clone()
        }
    });
    let sweep = sweep.map_err(|error| {
        CliError::failure(
            error,
            "give --coins and --tokens for the initial coins and tokens of the chain",
        )
    })?;
    let transaction = sweep.to_bytes().to_lower_hex_string();
    if args.json {
        out::json(&json!({ "txid": sweep.txid().to_string(), "transaction": transaction }))?;
    } else {
        out::line(&transaction)?;
    }
    Ok(ExitCode::SUCCESS)
}
