//! `federation issue`: issues an asset whose reissuance tokens belong to the federation.

use std::process::ExitCode;

use federation_chain::Dialect;
use federation_cli::{CliError, OrHelp, out, with_causes};
use federation_multisig::MultisigScript;
use federation_ocean_rpc::{Amount, Node, NodeClient, RpcError};
use federation_operator::{
    IssueError, IssuedAsset, TokenAddresses, config::Config, issue, token_addresses,
};
use federation_reissuance::{ScriptKind, TokenScript};
use serde_json::json;

mod args;
mod no_coins;

pub(crate) use self::args::IssueArgs;
use self::no_coins::nothing_issued;
use crate::{files, node, runtime};

/// Runs the verb.
pub(crate) fn run(args: &IssueArgs) -> Result<ExitCode, CliError> {
    if args.amount.to_sat() == 0 || args.tokens.to_sat() == 0 {
        return Err(CliError::usage(
            "--amount and --tokens must be above 0",
            "choose an --amount above 0, and omit --tokens for one token",
        ));
    }
    let config = files::load(&args.config, &args.settings.overrides())?;
    let dialect = config.federation.rules().dialect();
    if args.fee_coins.is_some() && dialect == Dialect::Ocean {
        return Err(CliError::usage(
            "--fee-coins is for Elements: reissuances pay no fee on Ocean",
            "omit --fee-coins",
        ));
    }
    let tokens = token_script(args, &config)?;
    let genesis = config.federation.genesis();
    let addresses = token_addresses(&tokens, dialect, genesis, &config.chain)
        .ok_or_else(|| CliError::usage("the script is too long for p2sh", "use p2wsh"))?;
    if args.dry_run {
        return dry_run(args, &addresses).map(|()| ExitCode::SUCCESS);
    }
    let node = wallet_of(args, &config)?;
    let outcome = runtime::current_thread()?.block_on(make(args, &node, &addresses))?;
    print(args, &config, &tokens, &addresses, &outcome)?;
    Ok(ExitCode::SUCCESS)
}

/// The outcome of issuing an asset.
struct IssueOutcome {
    issued: IssuedAsset,
    /// The asset in which fees are paid, and the transaction that paid coins for them.
    fees: Option<(String, String)>,
}

fn token_script(args: &IssueArgs, config: &Config) -> Result<TokenScript, CliError> {
    let kind = match (args.script_type, config.federation.rules().dialect()) {
        (Some(kind), _) => kind.into(),
        (None, Dialect::Ocean) => ScriptKind::P2sh,
        (None, _) => ScriptKind::P2wsh,
    };
    let Some(hex) = &args.script else {
        let settings = config.reissuance.first().ok_or_else(|| {
            CliError::usage(
                "no script is given, and federation.toml has no [[reissuance]] table",
                "pass the M-of-N script of the operators' reissuance keys with --script; `multisig script --role reissuance` prints it",
            )
        })?;
        return Ok(settings.tokens().clone());
    };
    let script = MultisigScript::from_hex(hex)
        .or_usage("run `multisig inspect` to see what is wrong with it")?;
    TokenScript::new(script, kind).or_usage("choose p2wsh")
}

fn wallet_of(args: &IssueArgs, config: &Config) -> Result<NodeClient, CliError> {
    let node = node::client(config)?;
    match &args.wallet {
        Some(wallet) => node.wallet(wallet).or_usage("check --wallet"),
        None => Ok(node),
    }
}

async fn make(
    args: &IssueArgs,
    node: &NodeClient,
    addresses: &TokenAddresses,
) -> Result<IssueOutcome, CliError> {
    let issued = match issue(node, &addresses.tokens, args.amount, args.tokens).await {
        Ok(issued) => issued,
        Err(IssueError::Nothing(error)) => return Err(nothing_issued(node, &error).await),
        // The message says what to do.
        Err(error) => {
            return Err(CliError::failure(
                with_causes(&error),
                format!("the address for the tokens is {}", addresses.tokens),
            ));
        }
    };
    let fees =
        match args.fee_coins {
            None => None,
            Some(coins) => Some(pay_fees(node, &addresses.coins, coins).await.map_err(
                |error| {
                    CliError::failure(
                        format!(
                            "asset {} was issued, but paying coins for fees failed: {error}",
                            issued.asset
                        ),
                        format!("pay coins to {} with `sendtoaddress`", addresses.coins),
                    )
                },
            )?),
        };
    Ok(IssueOutcome { issued, fees })
}

async fn pay_fees(
    node: &NodeClient,
    address: &str,
    coins: Amount,
) -> Result<(String, String), RpcError> {
    node.dialect().await?;
    let asset = node.sidechain_info().await?.pegged_asset;
    let txid = node.send_asset(address, coins, &asset).await?;
    Ok((asset, txid))
}

fn dry_run(args: &IssueArgs, addresses: &TokenAddresses) -> Result<(), CliError> {
    if args.json {
        return out::json(&json!({
            "dry_run": true,
            "tokens_address": addresses.tokens,
            "coins_address": addresses.coins,
        }));
    }
    out::line(&format!("would issue {} to the node's wallet", args.amount))?;
    out::line(&format!(
        "would pay {} reissuance tokens to {}",
        args.tokens, addresses.tokens
    ))?;
    if let Some(coins) = args.fee_coins {
        out::line(&format!(
            "would pay {coins} coins for fees to {}",
            addresses.coins
        ))?;
    }
    Ok(())
}

fn print(
    args: &IssueArgs,
    config: &Config,
    tokens: &TokenScript,
    addresses: &TokenAddresses,
    outcome: &IssueOutcome,
) -> Result<(), CliError> {
    let IssueOutcome { issued, fees } = outcome;
    if args.json {
        return out::json(&json!({
            "asset": issued.asset,
            "token": issued.token,
            "issuance": issued.issuance,
            "tokens_paid": issued.tokens_paid,
            "tokens_address": addresses.tokens,
            "coins_address": addresses.coins,
            "fee_asset": fees.as_ref().map(|(asset, _)| asset),
            "fees_paid": fees.as_ref().map(|(_, txid)| txid),
        }));
    }
    out::line(&format!("asset   {}", issued.asset))?;
    out::line(&format!("token   {}", issued.token))?;
    out::line(&format!("issued  {} by {}", args.amount, issued.issuance))?;
    out::line(&format!(
        "tokens  to {} by {}",
        addresses.tokens, issued.tokens_paid
    ))?;
    if let Some((_, txid)) = fees {
        out::line(&format!("coins   to {} by {txid}", addresses.coins))?;
    }
    out::line("")?;
    out::line(
        "Add to every operator's federation.toml, once rate, period and destination are agreed:",
    )?;
    out::line("")?;
    out::line(&table(
        config,
        tokens,
        issued,
        fees.as_ref().map(|(asset, _)| asset.as_str()),
    ))
}

/// Returns the asset's table, with blanks for what has to be agreed.
fn table(
    config: &Config,
    tokens: &TokenScript,
    issued: &IssuedAsset,
    fee_asset: Option<&str>,
) -> String {
    let kind = match tokens.kind() {
        ScriptKind::P2sh => "p2sh",
        ScriptKind::P2wsh => "p2wsh",
    };
    let mut table = format!(
        "[[reissuance]]\nasset = \"{}\"\nrate = \"0.00\"          # per year: \"0.05\" is 5 percent\nperiod = 0             # blocks of {:?}\ndestination = \"\"       # an address\nscript = \"{}\"\nscript_type = \"{kind}\"",
        issued.asset,
        config.federation.interval(),
        tokens.multisig().to_hex(),
    );
    if let Some(asset) = fee_asset {
        table.push_str(&format!(
            "\nfee = 1000             # satoshi\nfee_asset = \"{asset}\""
        ));
    }
    table
}
