//! `multisig ceremony status`: who has done what, and what to do next.

use std::path::Path;

use federation_ceremony::{Ceremony, Chain};
use federation_cli::{CliError, out};
use hex_conservative::DisplayHex;
use serde_json::json;

use super::{
    args::{FolderArgs, StatusArgs},
    folder, me,
    next::next,
};

/// Prints the status.
pub(super) fn run(args: &StatusArgs) -> Result<(), CliError> {
    print_all(&args.at, args.identity_key.as_deref())
}

/// Prints the status, also after another verb.
pub(super) fn print_all(args: &FolderArgs, identity: Option<&Path>) -> Result<(), CliError> {
    let loaded = folder::load(&args.folder)?;
    let ceremony = &loaded.ceremony;
    let chain = ceremony.chain();
    let me = me::find(ceremony, &args.folder, identity)?;
    let next = next(ceremony, &args.folder, me.as_ref());
    if args.json {
        let members: Vec<_> = states(ceremony)
            .map(|(name, joined, approved, equivocated)| {
                json!({ "name": name, "joined": joined, "approved": approved, "said_two_things": equivocated })
            })
            .collect();
        let chain = chain.ok().map(|chain| describe(&chain));
        return out::json(&json!({
            "ceremony": ceremony.id().to_string(),
            "you": me.map(|me| me.name),
            "members": members,
            "chain": chain,
            "evidence": ceremony.evidence().collect::<Vec<_>>(),
            "warnings": warnings(ceremony),
            "left_out": loaded.left_out,
            "complete": ceremony.agreed().is_ok(),
            "next": next.text,
            "command": next.command,
        }));
    }
    out::line(&format!("ceremony  {}", ceremony.id()))?;
    out::line(&match &me {
        Some(me) => format!("you       {}, with {}", me.name, me.identity_key.display()),
        None => "you       unknown: give your identity key with --identity-key FILE".to_owned(),
    })?;
    for (name, joined, approved, equivocated) in states(ceremony) {
        let mark = |done| if done { "yes" } else { "no" };
        out::line(&format!(
            "{name:<20} joined {:<3}  approved {:<3}{}",
            mark(joined),
            mark(approved),
            if equivocated {
                "  SIGNED CONFLICTING MESSAGES"
            } else {
                ""
            }
        ))?;
    }
    if let Ok(chain) = &chain {
        print(chain)?;
    }
    for warning in warnings(ceremony) {
        out::note(&format!("note: {warning}"));
    }
    for reason in &loaded.left_out {
        out::note(&format!("ignored: {reason}"));
    }
    out::line(&format!("next      {}", next.text))?;
    next.command
        .map_or(Ok(()), |command| out::line(&format!("          {command}")))
}

/// The warnings to read before approving.
pub(super) fn warnings(ceremony: &Ceremony) -> Vec<String> {
    let warnings = ceremony.warnings();
    warnings.iter().map(ToString::to_string).collect()
}

/// Describes the chain in JSON.
pub(super) fn describe(chain: &Chain) -> serde_json::Value {
    json!({
        "node": chain.settings().node().as_str(),
        "chain": chain.settings().chain(),
        "dialect": chain.dialect().as_str(),
        "genesis": chain.genesis().hash().to_string(),
        "signblockscript": chain.script().to_hex(),
        "manifest": chain.manifest_hash().to_string(),
        "sweep": chain.sweep().map(|sweep| json!({
            "txid": sweep.txid().to_string(),
            "transaction": sweep.to_bytes().to_lower_hex_string(),
        })),
        "words": chain.words(),
        "threshold": chain.script().threshold().to_u8(),
        "interval_ms": u64::try_from(chain.federation().interval().as_millis()).unwrap_or(u64::MAX),
        "tolerated_absent": chain.federation().tolerated_absent(),
        "tolerated_liars": chain.federation().tolerated_byzantine(),
        "operators": chain.parties().iter().map(|party| json!({
            "name": party.member().name,
            "identity": party.member().identity.to_string(),
            "endpoint": party.join().endpoint,
        })).collect::<Vec<_>>(),
    })
}

/// Prints the chain for people.
pub(super) fn print(chain: &Chain) -> Result<(), CliError> {
    out::line(&format!(
        "chain     {} ({}), {} of {} sign",
        chain.settings().chain(),
        chain.dialect(),
        chain.script().threshold(),
        chain.parties().len()
    ))?;
    let federation = chain.federation();
    out::line(&format!(
        "          a block every {} s; {} may be absent, {} may be faulty",
        federation.interval().as_secs_f64(),
        federation.tolerated_absent(),
        federation.tolerated_byzantine()
    ))?;
    out::line(&format!("genesis   {}", chain.genesis().hash()))?;
    out::line(&format!("manifest  {}", chain.manifest_hash()))?;
    if let Some(sweep) = chain.sweep() {
        out::line(&format!("sweep     {}, in block 1", sweep.txid()))?;
    }
    let mandatory = chain.settings().iter();
    let mandatory = mandatory
        .filter(|setting| setting.name == "con_mandatorycoinbase")
        .flat_map(|setting| setting.values)
        .find(|script| !script.is_empty());
    out::line(&format!(
        "fees      {}",
        mandatory.unwrap_or_else(|| "anyone can take them".to_owned())
    ))?;
    out::line(&format!("words     {}", chain.words()))
}

/// For each member its name, and whether it has joined, approved, and signed conflicting messages.
fn states(ceremony: &Ceremony) -> impl Iterator<Item = (&str, bool, bool, bool)> {
    ceremony
        .members()
        .iter()
        .enumerate()
        .map(|(index, member)| {
            let equivocated = ceremony
                .evidence()
                .any(|evidence| evidence.member() == member.name);
            (
                member.name.as_str(),
                ceremony.has_joined(index),
                ceremony.approval(index).is_some(),
                equivocated,
            )
        })
}
