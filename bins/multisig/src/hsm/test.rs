//! `multisig hsm test`: tests a key in a token by signing with it.

use std::time::{Duration, Instant};

use federation_cli::{CliError, out};
use federation_multisig::MultisigScript;
use federation_signer_hsm::{HsmConfig, HsmKey};
use serde_json::json;

use super::{args::TestArgs, failed, user_pin};

/// Signs with the key the requested number of times.
pub(super) fn run(args: &TestArgs) -> Result<(), CliError> {
    let script = args
        .script
        .as_deref()
        .map(MultisigScript::from_hex)
        .transpose()
        .map_err(|error| CliError::usage(error, "give the chain's signblockscript in hex"))?;
    let token = &args.token;
    let config = HsmConfig::new(
        &token.module.module,
        token.token.clone(),
        args.key.clone(),
        user_pin(token)?,
    )
    .with_sessions(1)
    .with_timeout(args.timeout);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| CliError::failure(error, "try again"))?;
    runtime.block_on(async {
        // Opening the key tests it once.
        let key = HsmKey::open(config).await.map_err(failed)?;
        let public_key = key.public_key();
        let position = script.as_ref().map(|script| script.position(&public_key));
        if position == Some(None) {
            return Err(CliError::failure(
                format!("key {public_key} is not in the script"),
                "choose the matching key or script",
            ));
        }
        let mut times = Vec::new();
        for _ in 0..args.count {
            let begun = Instant::now();
            key.prove().await.map_err(failed)?;
            times.push(begun.elapsed());
        }
        times.sort();
        let median = times[times.len() / 2];
        let longest = times.last().copied().unwrap_or_default();
        let position = position.flatten();
        if token.module.json {
            return out::json(&json!({
                "public_key": public_key.to_string(),
                "position": position,
                "signatures": args.count,
                "median_us": micros(median),
                "longest_us": micros(longest),
            }));
        }
        out::line(&public_key.to_string())?;
        if let Some(position) = position {
            out::line(&format!("position in the script: {position}, from 0"))?;
        }
        out::line(&format!(
            "{} signatures verified; median {} us, longest {} us",
            args.count,
            micros(median),
            micros(longest)
        ))
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
