//! `federation issue`: an asset whose reissuance tokens belong to the federation.

use std::process::ExitCode;

use federation_chain::Dialect;
use federation_cli::{CliError, out};
use federation_multisig::MultisigScript;
use federation_ocean_rpc::{Amount, Node, NodeClient, RpcError};
use federation_operator::{
    IssueError, IssuedAsset, TokenAddresses, config::Config, issue, token_addresses,
};
use federation_reissuance::{ScriptKind, TokenScript};
use serde_json::json;

mod no_coins;

use self::no_coins::nothing_issued;
use crate::{cli::IssueArgs, config_check, node, run::with_causes, runtime};

/// Runs the verb.
pub(crate) fn run(args: &IssueArgs) -> Result<ExitCode, CliError> {
    if args.amount.to_sat() == 0 || args.tokens.to_sat() == 0 {
        return Err(CliError::usage(
            "an amount of 0 is nothing",
            "give --amount, and --tokens if not 1, above 0",
        ));
    }
    let config = config_check::load(&args.config, &args.settings.overrides())?;
    let dialect = config.federation.rules().dialect();
    if args.fee_coins.is_some() && dialect == Dialect::Ocean {
        return Err(CliError::usage(
            "--fee-coins is for Elements: reissuances pay no fee on Ocean",
            "leave it away",
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
    let done = runtime::current_thread()?.block_on(make(args, &node, &addresses))?;
    tell(args, &config, &tokens, &addresses, &done)?;
    Ok(ExitCode::SUCCESS)
}

/// What was made.
struct Done {
    issued: IssuedAsset,
    /// The asset that fees are paid in, and the transaction that paid coins for them.
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
                "give --script with the M-of-N script of the operators' reissuance keys; `multisig script --role reissuance` makes it",
            )
        })?;
        return Ok(settings.tokens().clone());
    };
    let script = MultisigScript::from_hex(hex)
        .map_err(|error| CliError::usage(error, "`multisig inspect` says what is wrong with it"))?;
    TokenScript::new(script, kind).map_err(|error| CliError::usage(error, "choose p2wsh"))
}

fn wallet_of(args: &IssueArgs, config: &Config) -> Result<NodeClient, CliError> {
    let node = node::client(config)?;
    match &args.wallet {
        Some(wallet) => node
            .wallet(wallet)
            .map_err(|error| CliError::usage(error, "check --wallet")),
        None => Ok(node),
    }
}

async fn make(
    args: &IssueArgs,
    node: &NodeClient,
    addresses: &TokenAddresses,
) -> Result<Done, CliError> {
    let issued = match issue(node, &addresses.tokens, args.amount, args.tokens).await {
        Ok(issued) => issued,
        Err(IssueError::Nothing(error)) => return Err(nothing_issued(node, &error).await),
        // It names the cure.
        Err(error) => {
            return Err(CliError::failure(
                with_causes(&error),
                format!("the address is {}", addresses.tokens),
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
                            "asset {} was issued, but no coins were paid for fees: {error}",
                            issued.asset
                        ),
                        format!("pay some to {} with `sendtoaddress`", addresses.coins),
                    )
                },
            )?),
        };
    Ok(Done { issued, fees })
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

fn tell(
    args: &IssueArgs,
    config: &Config,
    tokens: &TokenScript,
    addresses: &TokenAddresses,
    done: &Done,
) -> Result<(), CliError> {
    let Done { issued, fees } = done;
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
    out::line("For everybody's federation.toml, once rate, period and destination are agreed:")?;
    out::line("")?;
    out::line(&table(
        config,
        tokens,
        issued,
        fees.as_ref().map(|(asset, _)| asset.as_str()),
    ))
}

/// The table of the asset, with what is to be agreed left open.
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
        "[[reissuance]]\nasset = \"{}\"\nrate = \"0.00\"          # a year's part, as \"0.05\"\nperiod = 0             # blocks of {:?}\ndestination = \"\"       # an address\nscript = \"{}\"\nscript_type = \"{kind}\"",
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
