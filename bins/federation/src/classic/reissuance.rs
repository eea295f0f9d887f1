//! Reissuances by the Python program's flags.

use std::sync::Arc;

use federation_classic::{NodeError, ReissuanceConfig, ReissueError, Reissuer};
use federation_cli::CliError;
use federation_multisig::{MultisigScript, Network};
use federation_ocean_rpc::NodeClient;
use federation_signer::{Secret, SoftwareSpender, key_file};

use super::ClassicArgs;
use crate::run::with_causes;

/// The networks whose secret keys are taken.
const NETWORKS: [Network; 3] = [Network::OCEAN_TEST, Network::OCEAN, Network::OCEAN_MAIN];

/// What the flags by themselves tell to be wrong.
pub(super) fn check(args: &ClassicArgs) -> Result<(), CliError> {
    let texts = [
        ("inflationaddress", &args.inflationaddress),
        ("reissuancescript", &args.reissuancescript),
    ];
    let has_key = !args.reissuanceprivkey.is_empty() || args.reissuance_key_file.is_some();
    if args.inflationrate == 0.0 {
        for (flag, _) in texts.iter().filter(|(_, text)| !text.is_empty()) {
            tracing::warn!("--{flag} is of no use without --inflationrate");
        }
        if args.inflationperiod != 0 || has_key {
            tracing::warn!("a reissuance period or key is of no use without --inflationrate");
        }
        return Ok(());
    }
    if let Some((flag, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
        return Err(CliError::usage(
            format!("--inflationrate needs --{flag}"),
            format!("add --{flag}, the same as the other operators have"),
        ));
    }
    if !has_key {
        return Err(CliError::usage(
            "--inflationrate needs this operator's reissuance key",
            "write it to a file and give --reissuance-key-file",
        ));
    }
    config(args)?;
    if !args.reissuanceprivkey.is_empty() {
        secret(args)?;
        tracing::warn!(
            "the key of --reissuanceprivkey is seen by every user of this machine: write it to a file and give --reissuance-key-file"
        );
    }
    Ok(())
}

/// What makes reissuances, if the flags ask for them.
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
        .map_err(|error| {
            let cure = match &error {
                ReissueError::Node(NodeError::NoRecord) => {
                    "restart the node with these options, once with -rescan=1"
                }
                ReissueError::ForeignKey => "give the key that belongs to this operator",
                _ => "check that the node is an oceand with a wallet, and its log",
            };
            CliError::failure(with_causes(&error), cure)
        })
}

/// What is to be made, as the flags say it.
fn config(args: &ClassicArgs) -> Result<ReissuanceConfig, CliError> {
    let script = MultisigScript::from_hex(&args.reissuancescript).map_err(|error| {
        CliError::usage(
            format!("--reissuancescript: {error}"),
            "`multisig inspect` says what is wrong with it",
        )
    })?;
    ReissuanceConfig::new(
        args.inflationrate,
        args.inflationperiod,
        args.blocktime,
        &args.inflationaddress,
        script,
    )
    .map_err(|error| CliError::usage(error, "take the flags that the other operators have"))
}

fn secret(args: &ClassicArgs) -> Result<Secret, CliError> {
    let cure = "give the key as WIF or hex, alone in a file";
    if let Some(file) = &args.reissuance_key_file {
        let mut last = None;
        for network in &NETWORKS {
            match key_file::read(file, network) {
                Ok(secret) => return Ok(secret),
                Err(error) => last = Some(error),
            }
        }
        let what = last.map_or_else(String::new, |error| with_causes(&error));
        return Err(CliError::failure(what, cure));
    }
    NETWORKS
        .iter()
        .find_map(|network| Secret::from_wif(&args.reissuanceprivkey, network).ok())
        .ok_or_else(|| CliError::usage("--reissuanceprivkey is no secret key in WIF", cure))
}
