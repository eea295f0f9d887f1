//! `multisig genesis verify`: a running node against its configuration.

use std::process::ExitCode;

use federation_chain::{Block, BlockHeight, Dialect, Proof};
use federation_cli::{CliError, out};
use federation_genesis::NodeKind;
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, RpcError};
use federation_signer::SecretSource;
use serde_json::{Value, json};

use super::load::Chain;
use crate::cli::VerifyArgs;

/// One thing that was compared.
struct Check {
    name: &'static str,
    expected: String,
    found: String,
}

impl Check {
    fn is_right(&self) -> bool {
        self.expected == self.found
    }
}

/// Asks the node and compares; exit code 1 if anything differs.
pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode, CliError> {
    let chain = Chain::load(&args.chain)?;
    let node = client(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failure(error, "free some memory or file handles"))?;
    let checks = runtime.block_on(compare(&node, &chain)).map_err(|error| {
        CliError::failure(
            crate::input::with_source(&error),
            "check --node-url, and how to log in: --cookie, or --user and --password-file",
        )
    })?;
    let right = checks.iter().all(Check::is_right);
    if args.json {
        let list: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "name": check.name,
                    "right": check.is_right(),
                    "expected": check.expected,
                    "found": check.found,
                })
            })
            .collect();
        out::json(&json!({ "right": right, "checks": list }))?;
    } else {
        for check in &checks {
            if check.is_right() {
                out::line(&format!("right  {}", check.name))?;
            } else {
                out::line(&format!(
                    "WRONG  {}\n       expected {}\n       found    {}",
                    check.name, check.expected, check.found
                ))?;
            }
        }
    }
    if right {
        return Ok(ExitCode::SUCCESS);
    }
    Err(CliError::failure(
        "the node is not on the chain of this configuration",
        "compare its configuration with `multisig genesis diff`, and let it start anew with an empty data folder",
    ))
}

fn client(args: &VerifyArgs) -> Result<NodeClient, CliError> {
    if args.node_url.contains('@') {
        return Err(CliError::usage(
            "the URL holds credentials, which everybody on this machine can see now",
            "change them, and give --cookie, or --user and --password-file",
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

async fn compare(node: &NodeClient, chain: &Chain) -> Result<Vec<Check>, RpcError> {
    let genesis = &chain.genesis;
    let mut checks = Vec::new();
    let mut add = |name, expected: String, found: String| {
        checks.push(Check {
            name,
            expected,
            found,
        });
    };
    let state: Value = node.call("getblockchaininfo", &[]).await?;
    let side: Value = node.call("getsidechaininfo", &[]).await?;
    add(
        "chain",
        chain.settings.chain().to_owned(),
        text(&state["chain"]),
    );
    let hash = node.block_hash(BlockHeight::GENESIS).await?;
    add("genesis hash", genesis.hash().to_string(), hash.to_string());
    add(
        "pegged asset",
        genesis.pegged_asset().to_string(),
        text(&side["pegged_asset"]),
    );
    for (name, setting) in [
        ("fedpegscript", "fedpegscript"),
        ("parent genesis", "parentgenesisblockhash"),
        ("peg-in depth", "peginconfirmationdepth"),
        ("enforced PAK", "enforce_pak"),
    ] {
        let field = match setting {
            "parentgenesisblockhash" => "parent_blockhash",
            "peginconfirmationdepth" => "pegin_confirmation_depth",
            other => other,
        };
        // Not every node tells all of them.
        if !side[field].is_null() {
            add(name, expected(chain, setting), text(&side[field]));
        }
    }
    for (name, field, setting) in [
        ("epoch length", "epoch_length", "dynamic_epoch_length"),
        ("valid epochs", "total_valid_epochs", "total_valid_epochs"),
    ] {
        if !state[field].is_null() {
            add(name, expected(chain, setting), text(&state[field]));
        }
    }
    if chain.settings.node() == NodeKind::Elements {
        let root = |params: &federation_chain::Params| params.calculate_root().to_string();
        let expected = genesis
            .block_1_params()
            .map_or_else(|| "none".to_owned(), root);
        let found = if state["blocks"] == 0 {
            match &state["current_params_root"] {
                Value::Null => "none".to_owned(),
                root => text(root),
            }
        } else {
            let hash = node.block_hash(BlockHeight::new(1)).await?;
            block_1_root(node.block(hash).await?)
        };
        add("root of block 1's parameters", expected, found);
    }
    Ok(checks)
}

/// The root of the parameters in a block's header.
fn block_1_root(bytes: bytes::Bytes) -> String {
    match Block::decode(Dialect::Dynafed, bytes) {
        Ok(block) => match &block.header().fields().proof {
            Proof::Dynafed { current, .. } => current.calculate_root().to_string(),
            _ => "none".to_owned(),
        },
        Err(error) => format!("block 1 cannot be read: {error}"),
    }
}

/// The value of a setting, as the node shows it.
fn expected(chain: &Chain, name: &str) -> String {
    let value = chain
        .settings
        .iter()
        .find(|setting| setting.name == name)
        .map(|setting| setting.values.join(" "))
        .unwrap_or_default();
    match (name, value.as_str()) {
        ("enforce_pak", "1") => "true".to_owned(),
        ("enforce_pak", _) => "false".to_owned(),
        _ => value,
    }
}

/// A value without the quotes of a text.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}
