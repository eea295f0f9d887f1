//! Reissuances by the Python program's flags.

use std::sync::Arc;

use federation_classic::{NodeError, ReissuanceConfig, ReissueError, Reissuer};
use federation_cli::{CliError, OrHelp, with_causes};
use federation_multisig::{MultisigScript, Network};
use federation_ocean_rpc::NodeClient;
use federation_signer::{Secret, SoftwareSpender, key_file};

use super::ClassicArgs;

/// The networks whose secret keys are accepted.
const NETWORKS: [Network; 3] = [Network::OCEAN_TEST, Network::OCEAN, Network::OCEAN_MAIN];

/// Checks the flags on their own.
pub(super) fn check(args: &ClassicArgs) -> Result<(), CliError> {
    let texts = [
        ("inflationaddress", &args.inflationaddress),
        ("reissuancescript", &args.reissuancescript),
    ];
    let has_key = !args.reissuanceprivkey.is_empty() || args.reissuance_key_file.is_some();
    if args.inflationrate == 0.0 {
        for (flag, _) in texts.iter().filter(|(_, text)| !text.is_empty()) {
            tracing::warn!("--{flag} has no effect without --inflationrate");
        }
        if args.inflationperiod != 0 || has_key {
            tracing::warn!("a reissuance period or key has no effect without --inflationrate");
        }
        return Ok(());
    }
    if let Some((flag, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
        return Err(CliError::usage(
            format!("--inflationrate needs --{flag}"),
            format!("add --{flag}, with the same value as the other operators"),
        ));
    }
    if !has_key {
        return Err(CliError::usage(
            "--inflationrate needs this operator's reissuance key",
            "write it to a file and use --reissuance-key-file",
        ));
    }
    config(args)?;
    if !args.reissuanceprivkey.is_empty() {
        secret(args)?;
        tracing::warn!(
            "every user of this machine can see the key of --reissuanceprivkey: write it to a file and use --reissuance-key-file"
        );
    }
    Ok(())
}

/// Creates the reissuer, if the flags ask for reissuances.
pub(super) async fn reissuer(
    args: &ClassicArgs,
    node: &NodeClient,
) -> Result<Option<Reissuer>, CliError> {
    if args.inflationrate == 0.0 {
        return Ok(None);
    }
    let config = config(args)?;
    let spender = Arc::new(SoftwareSpender::new(secret(args)?));
    Reissuer::prepare(config, Arc::new(node.clone()), spender)
        .await
        .map(Some)
        .or_help_for(|error| match error {
            ReissueError::Node(NodeError::NoRecord) => {
                "restart the node with these options, once with -rescan=1"
            }
            ReissueError::ForeignKey => "use this operator's reissuance key",
            _ => "check that the node is an oceand with a wallet, and see its log",
        })
}

/// Reads the reissuances from the flags.
fn config(args: &ClassicArgs) -> Result<ReissuanceConfig, CliError> {
    let script = MultisigScript::from_hex(&args.reissuancescript).map_err(|error| {
        CliError::usage(
            format!("--reissuancescript: {error}"),
            "run `multisig inspect` to see what is wrong with it",
        )
    })?;
    ReissuanceConfig::new(
        args.inflationrate,
        args.inflationperiod,
        args.blocktime,
        &args.inflationaddress,
        script,
    )
    .or_usage("use the same flags as the other operators")
}

fn secret(args: &ClassicArgs) -> Result<Secret, CliError> {
    let help = "write the key as WIF or hex into a file of its own";
    if let Some(file) = &args.reissuance_key_file {
        let mut last = None;
        for network in &NETWORKS {
            match key_file::read(file, network) {
                Ok(secret) => return Ok(secret),
                Err(error) => last = Some(error),
            }
        }
        let what = last.map_or_else(String::new, |error| with_causes(&error));
        return Err(CliError::failure(what, help));
    }
    NETWORKS
        .iter()
        .find_map(|network| Secret::from_wif(&args.reissuanceprivkey, network).ok())
        .ok_or_else(|| CliError::usage("--reissuanceprivkey is not a secret key in WIF", help))
}
