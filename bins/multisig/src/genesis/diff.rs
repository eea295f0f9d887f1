//! `multisig genesis diff`: the differences between two configurations.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use serde_json::json;

use super::load::Chain;
use crate::cli::DiffArgs;

/// Prints the differences; the exit code is 1 if the configurations define different chains.
pub(crate) fn run(args: &DiffArgs) -> Result<ExitCode, CliError> {
    let node = args.node.into();
    let left = Chain::read(node, &args.left, None, None)?;
    let right = Chain::read(node, &args.right, None, None)?;
    let differences = left.manifest.differences(&right.manifest);
    if args.json {
        let list: Vec<_> = differences
            .iter()
            .map(|difference| {
                json!({
                    "name": difference.name,
                    "role": difference.role.as_str(),
                    "left": difference.left,
                    "right": difference.right,
                })
            })
            .collect();
        out::json(&json!({
            "same": list.is_empty(),
            "genesis_hashes": [left.genesis.hash().to_string(), right.genesis.hash().to_string()],
            "manifest_hashes": [left.manifest.hash().to_string(), right.manifest.hash().to_string()],
            "differences": list,
        }))?;
    } else {
        for difference in &differences {
            out::line(&format!(
                "{} ({})",
                difference.name,
                difference.role.as_str()
            ))?;
            for (sign, values) in [('-', &difference.left), ('+', &difference.right)] {
                for value in values {
                    out::line(&format!("  {sign} {value}"))?;
                }
            }
        }
        out::line(
            match (differences.is_empty(), left.genesis == right.genesis) {
                (true, _) => "same chain",
                (false, true) => "different chains with the same genesis block",
                (false, false) => "different chains",
            },
        )?;
    }
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
