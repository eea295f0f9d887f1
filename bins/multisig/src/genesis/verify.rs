//! `multisig genesis verify`: compares a running node with its configuration.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_genesis::{FieldCheck, NodeReport, compare};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, RpcError};
use federation_signer::SecretSource;
use serde_json::json;

use super::load::Chain;
use crate::cli::VerifyArgs;

/// Queries the node and compares; the exit code is 1 if anything differs.
pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let chain = Chain::load(&args.chain)?;
    let node = client(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failure(error, "free some memory or file handles"))?;
    let checks = runtime.block_on(query(&node, &chain)).map_err(|error| {
        CliError::failure(
            crate::input::with_source(&error),
            "check --node-url and the credentials: --cookie, or --user and --password-file",
        )
    })?;
    let matches = checks.iter().all(FieldCheck::is_match);
    if args.json {
        let list: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "name": check.name,
                    "right": check.is_match(),
                    "expected": check.expected,
                    "found": check.found,
                })
            })
            .collect();
        out::json(&json!({ "right": matches, "checks": list }))?;
    } else {
        for check in &checks {
            if check.is_match() {
                out::line(&format!("right  {}", check.name))?;
            } else {
                out::line(&format!(
                    "WRONG  {}\n       expected {}\n       found    {}",
                    check.name, check.expected, check.found
                ))?;
            }
        }
    }
    if matches {
        return Ok(ExitCode::SUCCESS);
    }
    Err(CliError::failure(
        "the node is not on the chain of this configuration",
        "compare its configuration with `multisig genesis diff`, and start it again with an empty data folder",
    ))
}

fn client(args: &VerifyArgs) -> Result<NodeClient, CliError> {
    if args.node_url.contains('@') {
        return Err(CliError::usage(
            "the URL contains credentials, which everybody on this machine can see now",
            "change them, and use --cookie, or --user and --password-file",
        ));
    }
    let auth = match (&args.cookie, &args.user, &args.password_file) {
        (Some(cookie), _, _) => Auth::Cookie(cookie.clone()),
        (None, Some(user), Some(file)) => {
            let password = SecretSource::File(file.clone())
                .read("the node's password")
                .map_err(|error| {
                    CliError::failure(
                        crate::input::with_source(&error),
                        "give a file that only you can read with --password-file",
                    )
                })?;
            Auth::Basic {
                user: user.clone(),
                password,
            }
        }
        _ => Auth::None,
    };
    NodeClient::new(NodeConfig::new(&args.node_url).with_auth(auth))
        .map_err(|error| CliError::usage(error, "give --node-url as http://host:port"))
}

async fn query(node: &NodeClient, chain: &Chain) -> Result<Vec<FieldCheck>, RpcError> {
    let answers = node.chain_report().await?;
    let report = NodeReport {
        genesis: answers.genesis,
        blockchain: &answers.blockchain,
        sidechain: &answers.sidechain,
        first_block: answers.first_block.as_ref(),
    };
    Ok(compare(&chain.settings, &chain.genesis, &report))
}
