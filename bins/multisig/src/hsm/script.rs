//! Printing a key in a token: its public half, and the script of it and the others.

use federation_cli::{CliError, out};
use federation_multisig::{KeyOrder, MultisigScript, PublicKey};
use federation_signer::Secret;
use federation_signer_hsm::admin::KeyEntry;
use hex_conservative::DisplayHex;
use serde_json::json;

use super::args::ToScriptArgs;
use crate::input;

impl ToScriptArgs {
    /// Checks the threshold and the other keys before a key is made.
    pub(super) fn check(&self) -> Result<(), CliError> {
        // A random key stands in for the one that is not known yet.
        self.script(Secret::generate().public_key()).map(drop)
    }

    fn script(&self, own: PublicKey) -> Result<Option<MultisigScript>, CliError> {
        let Some(threshold) = self.threshold else {
            return Ok(None);
        };
        let others = self.others.iter().map(|key| input::public_key(key));
        let mut keys = others.collect::<Result<Vec<_>, _>>()?;
        keys.push(own);
        let order = if self.unsorted {
            KeyOrder::AsGiven
        } else {
            KeyOrder::Lexicographic
        };
        input::script(threshold, keys, order, self.insecure_minority).map(Some)
    }
}

/// Prints the public half on one line, and the script on the next if requested.
pub(super) fn print(key: &KeyEntry, args: &ToScriptArgs, json: bool) -> Result<(), CliError> {
    let script = match key.public_key {
        Some(own) => args.script(own)?.map(|script| script.to_hex()),
        None => None,
    };
    if json {
        let mut answer = key_json(key);
        if let Some(script) = script {
            answer["script"] = script.into();
        }
        return out::json(&answer);
    }
    print_key(key, false)?;
    script.map_or(Ok(()), |script| out::line(&script))
}

/// Prints the public half on one line, with a note if the key is extractable.
pub(super) fn print_key(key: &KeyEntry, json: bool) -> Result<(), CliError> {
    if json {
        return out::json(&key_json(key));
    }
    if key.extractable == Some(true) {
        out::note("the token reports that this key can be extracted from it");
    }
    let public_key = key.public_key.map(|key| key.to_string());
    out::line(&public_key.unwrap_or_default())
}

fn key_json(key: &KeyEntry) -> serde_json::Value {
    json!({
        "label": key.label,
        "id": key.id.to_lower_hex_string(),
        "public_key": key.public_key.map(|key| key.to_string()),
    })
}
