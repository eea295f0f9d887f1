//! The summary of a script: keys, addresses, and the settings that it is for.

use federation_cli::{CliError, out};
use federation_genesis::{NodeKind, federation_script};
use federation_multisig::{
    MultisigScript, RedeemScript, SolutionForm, WitnessScript, required_block_signature_size,
};
use hex_conservative::DisplayHex;
use serde_json::{Map, Value, json};

use crate::cli::{NetworkArg, ScriptRole};

/// A script, the network whose prefixes to use, and the role of its keys, if known.
pub(crate) struct Summary<'a> {
    script: &'a MultisigScript,
    network: NetworkArg,
    role: Option<ScriptRole>,
}

impl<'a> Summary<'a> {
    /// Creates the summary of a script whose role is unknown.
    pub(crate) const fn new(script: &'a MultisigScript, network: NetworkArg) -> Self {
        Self {
            script,
            network,
            role: None,
        }
    }

    /// Sets the role of the keys.
    pub(crate) const fn of_role(mut self, role: Option<ScriptRole>) -> Self {
        self.role = role;
        self
    }

    /// The addresses by kind, as far as they exist for the script on this network.
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

    /// The node settings that a script of keys with this role is for.
    fn settings(&self, role: ScriptRole) -> Vec<(&'static str, String)> {
        let hex = self.script.to_hex();
        match role {
            ScriptRole::Block => {
                let kind = if self.network.is_ocean() {
                    NodeKind::Ocean
                } else {
                    NodeKind::Elements
                };
                let fees = federation_script(kind, self.script.clone()).to_lower_hex_string();
                let mut list = vec![("signblockscript", hex), ("con_mandatorycoinbase", fees)];
                if !self.network.is_ocean() {
                    list.push(("con_max_block_sig_size", self.signature_size().to_string()));
                }
                list
            }
            ScriptRole::Peg => vec![("fedpegscript", hex)],
            ScriptRole::Reissuance if self.network.is_ocean() => vec![("issuecontrolscript", hex)],
            ScriptRole::Reissuance => Vec::new(),
        }
    }

    /// The configuration lines for a script of keys with this role.
    fn paragraph(&self, role: ScriptRole) -> Vec<String> {
        let mut lines = Vec::new();
        let settings = self.settings(role);
        if !settings.is_empty() {
            lines.push(format!(
                "# for {} keys: the nodes' configuration",
                role.as_str()
            ));
            lines.extend(
                settings
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        if role == ScriptRole::Reissuance {
            lines.push(
                "# for reissuance keys: [[reissuance]] in federation.toml, and `federation issue --script`"
                    .to_owned(),
            );
            lines.push(format!("script = \"{}\"", self.script.to_hex()));
        }
        lines
    }

    /// The size that is sufficient for blocks with and without dynafed.
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
        let by_role: Map<_, _> = ScriptRole::ALL
            .iter()
            .map(|role| {
                let settings = Value::Object(strings(self.settings(*role)));
                (role.as_str().to_owned(), settings)
            })
            .collect();
        let settings = self.role.map(|role| strings(self.settings(role)));
        let value = json!({
            "threshold": self.script.threshold().to_u8(),
            "keys": self.script.keys().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "sorted": self.script.is_lexicographic(),
            "script": self.script.to_hex(),
            "witness_program": witness.script_pubkey().to_lower_hex_string(),
            "addresses": strings(self.addresses()),
            "role": self.role.map(ScriptRole::as_str),
            "settings": settings,
            "settings_by_role": by_role,
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// Prints the summary for people.
    pub(crate) fn print(&self) -> Result<(), CliError> {
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
        out::line(&format!("script      {}", self.script.to_hex()))?;
        out::line("")?;
        if let Some(role) = self.role {
            for line in self.paragraph(role) {
                out::line(&line)?;
            }
            return Ok(());
        }
        // As comments, so that nothing can be pasted for the wrong purpose.
        out::line(
            "# the role of these keys is unknown: state it with --role. Depending on the role, the script is for:",
        )?;
        for role in ScriptRole::ALL {
            for line in self.paragraph(role) {
                let indent = if line.starts_with('#') { "" } else { "#   " };
                out::line(&format!("{indent}{line}"))?;
            }
        }
        Ok(())
    }
}
