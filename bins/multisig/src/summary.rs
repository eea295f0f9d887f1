//! What there is to say of a script: keys, addresses, and the settings of a chain that it signs.

use federation_cli::{CliError, out};
use federation_multisig::{
    MultisigScript, RedeemScript, SolutionForm, WitnessScript, required_block_signature_size,
};
use hex_conservative::DisplayHex;
use serde_json::{Map, Value, json};

use crate::cli::NetworkArg;

/// A script and whose prefixes to use.
pub(crate) struct Summary<'a> {
    script: &'a MultisigScript,
    network: NetworkArg,
}

impl<'a> Summary<'a> {
    pub(crate) const fn new(script: &'a MultisigScript, network: NetworkArg) -> Self {
        Self { script, network }
    }

    /// The addresses by kind, as far as the script and the chain have them.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, String)> {
        let network = self.network.network();
        let mut list = Vec::new();
        if let Ok(redeem) = RedeemScript::new(self.script.clone()) {
            list.push(("p2sh", redeem.p2sh(&network)));
        }
        let witness = WitnessScript::from(self.script.clone());
        if let Ok(address) = witness.p2wsh(&network) {
            list.push(("p2wsh", address));
            list.push(("p2sh_p2wsh", witness.p2sh_p2wsh(&network)));
        }
        list
    }

    /// The settings of a node of a chain that this script signs.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let hex = self.script.to_hex();
        let mut list = vec![
            ("signblockscript", hex.clone()),
            ("con_mandatorycoinbase", hex.clone()),
        ];
        if self.network.is_ocean() {
            list.push(("issuecontrolscript", hex));
        } else {
            list.push(("con_max_block_sig_size", self.signature_size().to_string()));
        }
        list
    }

    /// Enough for blocks with dynafed and without.
    fn signature_size(&self) -> u32 {
        let m = self.script.threshold().to_u8();
        // A script has at most 20 keys.
        let n = u8::try_from(self.script.keys().len()).unwrap_or(u8::MAX);
        [SolutionForm::Legacy, SolutionForm::Witness]
            .map(|form| required_block_signature_size(m, n, form))
            .into_iter()
            .max()
            .unwrap_or(u32::MAX)
    }

    pub(crate) fn json(&self) -> Map<String, Value> {
        let strings = |list: Vec<(&'static str, String)>| -> Map<String, Value> {
            list.into_iter()
                .map(|(name, value)| (name.to_owned(), Value::String(value)))
                .collect()
        };
        let witness = WitnessScript::from(self.script.clone());
        let value = json!({
            "threshold": self.script.threshold().to_u8(),
            "keys": self.script.keys().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "sorted": self.script.is_lexicographic(),
            "script": self.script.to_hex(),
            "witness_program": witness.script_pubkey().to_lower_hex_string(),
            "addresses": strings(self.addresses()),
            "settings": strings(self.settings()),
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// Tells it to a person.
    pub(crate) fn tell(&self) -> Result<(), CliError> {
        out::line(&format!(
            "{} of {} keys, {}:",
            self.script.threshold(),
            self.script.keys().len(),
            if self.script.is_lexicographic() {
                "in the order of BIP 67"
            } else {
                "not in the order of BIP 67"
            }
        ))?;
        for key in self.script.keys() {
            out::line(&format!("  {key}"))?;
        }
        for (kind, address) in self.addresses() {
            out::line(&format!("{:<11} {address}", kind.replace('_', "-")))?;
        }
        out::line("\n# for the node's configuration")?;
        for (name, value) in self.settings() {
            out::line(&format!("{name}={value}"))?;
        }
        Ok(())
    }
}
