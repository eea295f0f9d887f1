//! `multisig genesis compute`: the block and everything that follows from it.

use std::process::ExitCode;

use elements::encode::serialize;
use federation_cli::{CliError, out};
use federation_genesis::{NodeKind, required_signature_size, signers_by_height};
use hex_conservative::DisplayHex;
use serde_json::{Value, json};

use super::load::Chain;
use crate::cli::ComputeArgs;

/// Prints the block, and refuses a chain that could not work.
pub(crate) fn run(args: &ComputeArgs) -> Result<ExitCode, CliError> {
    let chain = Chain::load(&args.chain)?;
    if args.json {
        out::json(&to_json(&chain)?)?;
    } else if args.manifest {
        out::line(chain.manifest.to_text().trim_end())?;
    } else if args.explain {
        explain(&chain)?;
    } else {
        print(&chain)?;
    }
    for warning in &chain.warnings {
        out::note(&format!("warning: {warning}"));
    }
    chain.refuse_problems()?;
    Ok(ExitCode::SUCCESS)
}

/// The signature size that the chain needs.
fn signature_size(chain: &Chain) -> Result<Option<u32>, CliError> {
    required_signature_size(&chain.settings)
        .map_err(|error| CliError::failure(error, "change the setting"))
}

fn print(chain: &Chain) -> Result<(), CliError> {
    let genesis = &chain.genesis;
    let show =
        |name: &str, value: &dyn core::fmt::Display| out::line(&format!("{name:<18} {value}"));
    show("node", &chain.settings.node())?;
    show("chain", &chain.settings.chain())?;
    show("genesis hash", &genesis.hash())?;
    show("pegged asset", &genesis.pegged_asset())?;
    for transaction in genesis.transactions() {
        show(
            "transaction",
            &format!("{} {}", transaction.txid(), transaction.name()),
        )?;
    }
    for asset in genesis.assets() {
        let destination = asset.destination().to_lower_hex_string();
        let whose = if asset.anyone_can_spend() {
            ", which anyone can spend"
        } else {
            ""
        };
        show(
            "initial asset",
            &format!(
                "{} {}: {} satoshi in {} outputs to {destination}{whose}",
                asset.id(),
                asset.name(),
                asset.amount(),
                asset.outputs().len()
            ),
        )?;
    }
    match genesis.block_1_params() {
        Some(params) => {
            show(
                "block 1 parameters",
                &serialize(params).to_lower_hex_string(),
            )?;
            show("parameters root", &params.calculate_root())?;
        }
        None if chain.settings.node() == NodeKind::Elements => {
            show(
                "block 1 parameters",
                &"none: dynafed is not active from the start",
            )?;
        }
        None => {}
    }
    for signers in signers_by_height(&chain.settings) {
        let from = match signers.from {
            0 => "signers".to_owned(),
            from => format!("from height {from}"),
        };
        let script = signers.multisig.as_ref().map_or_else(
            || format!("not M of N: {}", signers.script.to_lower_hex_string()),
            |script| format!("{} of {}", script.threshold(), script.keys().len()),
        );
        show(&from, &script)?;
    }
    if let Some(needed) = signature_size(chain)? {
        show("signature size", &format!("at least {needed} bytes"))?;
    }
    show("manifest hash", &chain.manifest.hash())?;
    let unhashed: Vec<_> = chain
        .settings
        .iter()
        .filter(|setting| setting.given && setting.role != federation_genesis::Role::Genesis)
        .map(|setting| setting.name)
        .collect();
    if !unhashed.is_empty() {
        show("not in the hash", &unhashed.join(", "))?;
    }
    Ok(())
}

fn explain(chain: &Chain) -> Result<(), CliError> {
    let genesis = &chain.genesis;
    out::line(&format!("header, whose SHA256d is {}", genesis.hash()))?;
    for fragment in genesis.header() {
        out::line(&format!("  {fragment}"))?;
    }
    for transaction in genesis.transactions() {
        out::line(&format!(
            "\ntransaction {}, {}",
            transaction.txid(),
            transaction.name()
        ))?;
        for fragment in transaction.fragments() {
            out::line(&format!("  {fragment}"))?;
        }
    }
    out::line("\nsettings in the manifest hash but not in the genesis hash")?;
    for setting in chain.settings.iter() {
        if setting.role != federation_genesis::Role::Genesis {
            let given = if setting.given { "set" } else { "default" };
            out::line(&format!(
                "  {:<36} {:<8} {:<8} {}",
                setting.name,
                setting.role.as_str(),
                given,
                setting.values.join(" ")
            ))?;
        }
    }
    Ok(())
}

fn to_json(chain: &Chain) -> Result<Value, CliError> {
    let genesis = &chain.genesis;
    let transactions: Vec<_> = genesis
        .transactions()
        .iter()
        .map(|transaction| {
            json!({
                "name": transaction.name(),
                "txid": transaction.txid().to_string(),
                "hex": transaction.to_bytes().to_lower_hex_string(),
            })
        })
        .collect();
    let assets: Vec<_> = genesis
        .assets()
        .map(|asset| {
            json!({
                "name": asset.name(),
                "id": asset.id().to_string(),
                "amount": asset.amount(),
                "outputs": asset.outputs().len(),
                "destination": asset.destination().to_lower_hex_string(),
                "anyone_can_spend": asset.anyone_can_spend(),
            })
        })
        .collect();
    let settings: Vec<_> = chain
        .settings
        .iter()
        .map(|setting| {
            json!({
                "name": setting.name,
                "role": setting.role.as_str(),
                "values": setting.values,
                "given": setting.given,
            })
        })
        .collect();
    let block_1 = genesis.block_1_params().map(|params| {
        json!({
            "current_params": serialize(params).to_lower_hex_string(),
            "current_params_root": params.calculate_root().to_string(),
            "signblock_witness_limit": params.signblock_witness_limit(),
        })
    });
    Ok(json!({
        "node": chain.settings.node().as_str(),
        "chain": chain.settings.chain(),
        "genesis_hash": genesis.hash().to_string(),
        "commitment": genesis.commitment().to_lower_hex_string(),
        "block": genesis.to_bytes().to_lower_hex_string(),
        "transactions": transactions,
        "pegged_asset": genesis.pegged_asset().to_string(),
        "assets": assets,
        "block_1": block_1,
        "signers": signers_by_height(&chain.settings).iter().map(|signers| json!({
            "from_height": signers.from,
            "script": signers.script.to_lower_hex_string(),
            "threshold": signers.multisig.as_ref().map(|script| script.threshold().to_u8()),
            "keys": signers.multisig.as_ref().map(|script| script.keys().len()),
        })).collect::<Vec<_>>(),
        "warnings": chain.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "required_signature_size": signature_size(chain)?,
        "manifest_hash": chain.manifest.hash().to_string(),
        "settings": settings,
        "problems": chain.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    }))
}
