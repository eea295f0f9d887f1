//! `multisig ceremony show`: what the user is about to sign, in plain words.

mod money;
mod since;

use federation_ceremony::{Ceremony, Chain, KeyUse};
use federation_cli::{CliError, out};
use federation_genesis::{Holder, Settings};
use serde_json::json;

use super::{
    args::ShowArgs,
    folder::{self, refused},
    me, status,
    visible::visible,
};

/// The data to show.
struct View<'a> {
    ceremony: &'a Ceremony,
    /// The chain, once all have joined.
    chain: Option<Chain>,
    /// The settings of the chain, or until then those of the proposal.
    settings: Settings,
}

/// Prints the view.
pub(super) fn run(args: &ShowArgs) -> Result<(), CliError> {
    let loaded = folder::load(&args.at.folder)?;
    let ceremony = &loaded.ceremony;
    let chain = ceremony.chain();
    if args.manifest {
        let chain = chain.map_err(refused)?;
        return out::line(chain.manifest().trim_end());
    }
    let why_not = chain.as_ref().err().map(ToString::to_string);
    let chain = chain.ok();
    let settings = match &chain {
        Some(chain) => chain.settings().clone(),
        None => proposed(ceremony)?,
    };
    let view = View {
        ceremony,
        chain,
        settings,
    };
    let changed = args
        .since
        .as_deref()
        .map(|earlier| since::changes(earlier, ceremony))
        .transpose()?;
    if args.at.json {
        return view.json(args, why_not.as_deref(), changed);
    }
    let you = me::find(ceremony, &args.at.folder, None)?;
    view.head(why_not.as_deref())?;
    view.members(you.as_ref().map(|me| me.index))?;
    view.scripts()?;
    view.money()?;
    view.settings(args.all)?;
    if let Some(changed) = &changed {
        heading("What has changed since the earlier ceremony")?;
        if changed.is_empty() {
            out::line("  nothing, but all sign again")?;
        }
        for change in changed {
            change.print()?;
        }
    }
    view.what_you_sign()
}

/// The settings of the proposal, without those that follow from keys.
fn proposed(ceremony: &Ceremony) -> Result<Settings, CliError> {
    let proposal = ceremony.proposal();
    let node = proposal.node.parse().map_err(refused)?;
    Settings::parse(node, &proposal.configuration).map_err(refused)
}

/// Prints a heading, with an empty line above.
fn heading(text: &str) -> Result<(), CliError> {
    out::line(&format!("\n{text}"))
}

/// Prints a name and its value in two columns.
fn field(name: &str, value: &str) -> Result<(), CliError> {
    out::line(&format!("  {name:<22} {}", visible(value)))
}

/// Explains what M of N means for the parties.
fn meaning(m: usize, n: usize) -> Vec<String> {
    let absent = n.saturating_sub(m);
    let faulty = (2 * m).saturating_sub(n + 1);
    vec![
        format!("each block needs {m} of these {n} signatures, and a block that has them is final"),
        format!("any {m} of you together control the federation; fewer cannot sign a block"),
        if absent == 0 {
            "none may be absent: without any one of you the chain stops".to_owned()
        } else {
            format!(
                "{absent} may be absent; without {} the chain stops",
                absent + 1
            )
        },
        if faulty == 0 {
            "none may be faulty or compromised: during a network partition, a single one could fork the chain"
                .to_owned()
        } else {
            format!(
                "{faulty} may be faulty or compromised without risk of a fork; {} could fork the chain",
                faulty + 1
            )
        },
    ]
}

/// What keys with this use do.
const fn purpose(usage: KeyUse) -> &'static str {
    match usage {
        KeyUse::Peg => "pay out to the parent chain",
        KeyUse::Reissuance => "reissue assets",
        _ => "sign blocks",
    }
}

impl View<'_> {
    fn n(&self) -> usize {
        self.ceremony.members().len()
    }

    fn m(&self) -> usize {
        usize::from(self.ceremony.proposal().threshold)
    }

    /// Who can satisfy a script, in words.
    fn holder(&self, script: &[u8]) -> String {
        match Holder::of(script) {
            Holder::Anyone => "ANYONE, without a key".to_owned(),
            Holder::Nobody => "nobody".to_owned(),
            Holder::Keys { m, n } => format!("{m} of {n} keys in it"),
            _ => "whoever holds its keys".to_owned(),
        }
    }

    fn head(&self, why_not: Option<&str>) -> Result<(), CliError> {
        let proposal = self.ceremony.proposal();
        out::line(&format!(
            "The chain {} of {} nodes, with a block every {} s",
            visible(self.settings.chain()),
            match proposal.node.as_str() {
                "ocean" => "Ocean",
                _ => "Elements",
            },
            core::time::Duration::from_millis(proposal.interval).as_secs_f64()
        ))?;
        field("ceremony", &self.ceremony.id().to_string())?;
        match &self.chain {
            Some(chain) => {
                field("block format", chain.dialect().as_str())?;
                field("genesis block", &chain.genesis().hash().to_string())
            }
            None => field("not known yet", why_not.unwrap_or("all must join first")),
        }
    }

    fn members(&self, you: Option<usize>) -> Result<(), CliError> {
        heading(&format!("Who signs: {} of {}", self.m(), self.n()))?;
        for line in meaning(self.m(), self.n()) {
            out::line(&format!("  - {line}"))?;
        }
        for (index, member) in self.ceremony.members().iter().enumerate() {
            let is_you = if you == Some(index) { " (you)" } else { "" };
            out::line(&format!("  {}{is_you}", member.name))?;
            field("  identity", &member.identity.to_string())?;
            let Some(join) = self.ceremony.join(index) else {
                field(
                    "  has not joined",
                    "its keys and addresses are not known yet",
                )?;
                continue;
            };
            for key in &join.keys {
                field(
                    &format!("  {} key", key.usage.as_str()),
                    &key.key.to_string(),
                )?;
            }
            field("  messenger", &join.endpoint)?;
            field("  node", &join.node)?;
        }
        for warning in status::warnings(self.ceremony) {
            out::line(&format!("  NOTE: {warning}"))?;
        }
        Ok(())
    }

    fn scripts(&self) -> Result<(), CliError> {
        heading("Scripts")?;
        for usage in &self.ceremony.proposal().keys {
            out::line(&format!(
                "  {} of {} {} keys {}",
                self.m(),
                self.n(),
                usage.as_str(),
                purpose(*usage)
            ))?;
        }
        for name in ["signblockscript", "fedpegscript", "issuecontrolscript"] {
            let Some(setting) = self.settings.iter().find(|setting| setting.name == name) else {
                continue;
            };
            let follows = match name {
                "fedpegscript" => KeyUse::Peg,
                "issuecontrolscript" => KeyUse::Reissuance,
                _ => KeyUse::Block,
            };
            let is_pending =
                self.chain.is_none() && self.ceremony.proposal().keys.contains(&follows);
            if is_pending {
                field(name, "follows from the keys, once all have joined")?;
                continue;
            }
            let value = setting.values.concat();
            if value.is_empty() {
                continue;
            }
            field(name, &value)?;
            let bytes = hex_conservative::FromHex::from_hex(&value);
            let bytes: Vec<u8> = bytes.map_err(refused)?;
            let holder = self.holder(&bytes);
            let advice = if name == "fedpegscript" && Holder::of(&bytes) == Holder::Anyone {
                "; so never peg anything in"
            } else {
                ""
            };
            field("", &format!("satisfied by {holder}{advice}"))?;
        }
        Ok(())
    }

    fn settings(&self, all: bool) -> Result<(), CliError> {
        heading(
            "Settings of the chain (genesis: in the genesis hash; rules and network: only in the manifest)",
        )?;
        let shown = self.settings.iter().filter(|setting| all || setting.given);
        for setting in shown {
            for value in &setting.values {
                field(
                    setting.role.as_str(),
                    &format!(
                        "{}={value}{}",
                        setting.name,
                        if setting.given { "" } else { "    (default)" }
                    ),
                )?;
            }
        }
        if !all {
            out::line("  all others have the nodes' defaults, which --all shows")?;
        }
        if let Some(terms) = &self.ceremony.proposal().terms {
            heading("Terms and conditions")?;
            for line in terms.lines() {
                out::line(&format!("  | {}", visible(line)))?;
            }
        }
        Ok(())
    }

    fn what_you_sign(&self) -> Result<(), CliError> {
        heading("What an approval signs")?;
        let Some(chain) = &self.chain else {
            return out::line(
                "  nothing yet: a join covers only its party's own keys and addresses",
            );
        };
        field("manifest", &chain.manifest_hash().to_string())?;
        out::line("  the SHA-256 of all of the above, with every default (`show --manifest`)")?;
        field("words", &chain.words())?;
        out::line("  if the others read you the same words, all of you have the same manifest")
    }

    fn json(
        &self,
        args: &ShowArgs,
        why_not: Option<&str>,
        changed: Option<Vec<since::Change>>,
    ) -> Result<(), CliError> {
        let proposal = self.ceremony.proposal();
        let members: Vec<_> = self
            .ceremony
            .members()
            .iter()
            .enumerate()
            .map(|(index, member)| {
                json!({
                    "name": member.name,
                    "identity": member.identity.to_string(),
                    "join": self.ceremony.join(index),
                })
            })
            .collect();
        let settings: serde_json::Map<_, _> = self
            .settings
            .iter()
            .filter(|setting| args.all || setting.given)
            .map(|setting| (setting.name.to_owned(), json!(setting.values)))
            .collect();
        out::json(&json!({
            "ceremony": self.ceremony.id().to_string(),
            "threshold": proposal.threshold,
            "operators": self.n(),
            "meaning": meaning(self.m(), self.n()),
            "members": members,
            "settings": settings,
            "terms": proposal.terms,
            "money": self.money_lines(),
            "warnings": status::warnings(self.ceremony),
            "chain": self.chain.as_ref().map(status::describe),
            "not_known_yet": why_not,
            "changed": changed,
        }))
    }
}
