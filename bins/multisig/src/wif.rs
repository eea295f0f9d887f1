//! `multisig wif`: shows the public half of a secret key, and converts the secret.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_multisig::p2pkh;
use serde_json::json;

use crate::{
    cli::{SecretForm, WifArgs},
    input,
};

/// Reads the key and prints what was requested.
pub(crate) fn run(args: &WifArgs) -> Result<ExitCode, CliError> {
    let network = args.network.network();
    let secret = input::secret(args.file.as_deref(), &network)?;
    let shown = args.insecure_print.map(|form| match form {
        SecretForm::Wif => secret.to_wif(&network),
        SecretForm::Hex => secret.to_hex(),
    });
    let key = secret.public_key();
    let address = p2pkh(&key, &network);
    if args.json {
        out::json(&json!({
            "public_key": key.to_string(),
            "address": address,
            "secret_key": shown.as_ref().map(|text| text.as_str()),
        }))?;
    } else {
        out::line(&format!("public key  {key}"))?;
        out::line(&format!("p2pkh       {address}"))?;
        if let Some(text) = shown {
            out::line(&format!("secret key  {}", *text))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
