//! `multisig address`: the addresses of a script or a key.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_multisig::{MultisigScript, p2pkh};
use serde_json::{Map, Value};

use crate::{cli::AddressArgs, input, summary::Summary};

/// Shows the addresses.
pub(crate) fn run(args: &AddressArgs) -> Result<ExitCode, CliError> {
    let list = if args.hex.len() == 66 {
        let key = input::public_key(&args.hex)?;
        vec![("p2pkh", p2pkh(&key, &args.network.network()))]
    } else {
        let script = MultisigScript::from_hex(&args.hex).map_err(|error| {
            CliError::usage(
                format!(
                    "`{}` is not a multisig script: {error}",
                    input::shortened(&args.hex)
                ),
                "give a script or a compressed public key in hex; `multisig inspect` shows more",
            )
        })?;
        Summary::new(&script, args.network).addresses()
    };
    if args.json {
        let map: Map<String, Value> = list
            .into_iter()
            .map(|(kind, address)| (kind.to_owned(), Value::String(address)))
            .collect();
        out::json(&map)?;
    } else {
        for (kind, address) in list {
            out::line(&format!("{:<11} {address}", kind.replace('_', "-")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
