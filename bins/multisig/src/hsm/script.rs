//! What is told of a key in a token: its public half, and the script of it and the others.

use federation_cli::{CliError, out};
use federation_multisig::{KeyOrder, MultisigScript, PublicKey};
use federation_signer::Secret;
use federation_signer_hsm::admin::KeyEntry;
use hex_conservative::DisplayHex;
use serde_json::json;

use super::args::ToScriptArgs;
use crate::input;

impl ToScriptArgs {
    /// Finds wrong numbers and keys before a key is made.
    pub(super) fn check(&self) -> Result<(), CliError> {
        // In place of the key that is not known yet.
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

/// The public half in one line, the script in the next if it is asked for.
pub(super) fn tell(key: &KeyEntry, args: &ToScriptArgs, json: bool) -> Result<(), CliError> {
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
    tell_key(key, false)?;
    script.map_or(Ok(()), |script| out::line(&script))
}

/// The public half in one line, and what is wrong with where the key is.
pub(super) fn tell_key(key: &KeyEntry, json: bool) -> Result<(), CliError> {
    if json {
        return out::json(&key_json(key));
    }
    if key.extractable == Some(true) {
        out::note("the token says that this key can be taken out of it");
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
