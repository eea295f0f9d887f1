//! `multisig ceremony status`: who has done what, and what to do next.

use federation_ceremony::{Ceremony, CeremonyError, Chain, ChainError};
use federation_cli::{CliError, out};
use hex_conservative::DisplayHex;
use serde_json::json;

use super::{args::FolderArgs, folder};

/// Tells it.
pub(super) fn run(args: &FolderArgs) -> Result<(), CliError> {
    let loaded = folder::load(&args.folder)?;
    let ceremony = &loaded.ceremony;
    let chain = ceremony.chain();
    let next = next(ceremony);
    if args.json {
        let members: Vec<_> = states(ceremony)
            .map(|(name, joined, approved, liar)| {
                json!({ "name": name, "joined": joined, "approved": approved, "said_two_things": liar })
            })
            .collect();
        let chain = chain.ok().map(|chain| describe(&chain));
        return out::json(&json!({
            "ceremony": ceremony.id().to_string(),
            "members": members,
            "chain": chain,
            "evidence": ceremony.evidence().collect::<Vec<_>>(),
            "warnings": warnings(ceremony),
            "left_out": loaded.left_out,
            "complete": ceremony.agreed().is_ok(),
            "next": next,
        }));
    }
    out::line(&format!("ceremony  {}", ceremony.id()))?;
    for (name, joined, approved, liar) in states(ceremony) {
        let mark = |done| if done { "yes" } else { "no" };
        out::line(&format!(
            "{name:<20} joined {:<3}  approved {:<3}{}",
            mark(joined),
            mark(approved),
            if liar { "  HAS SAID TWO THINGS" } else { "" }
        ))?;
    }
    if let Ok(chain) = &chain {
        tell(chain)?;
    }
    for warning in warnings(ceremony) {
        out::note(&format!("note: {warning}"));
    }
    for reason in &loaded.left_out {
        out::note(&format!("left out: {reason}"));
    }
    out::line(&format!("next      {next}"))
}

/// What there is to know before one agrees.
pub(super) fn warnings(ceremony: &Ceremony) -> Vec<String> {
    let warnings = ceremony.warnings();
    warnings.iter().map(ToString::to_string).collect()
}

/// The chain for machines.
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
        "tolerated_liars": chain.federation().tolerated_liars(),
        "operators": chain.parties().iter().map(|party| json!({
            "name": party.member().name,
            "identity": party.member().identity.to_string(),
            "endpoint": party.join().endpoint,
        })).collect::<Vec<_>>(),
    })
}

/// The chain for people.
pub(super) fn tell(chain: &Chain) -> Result<(), CliError> {
    out::line(&format!(
        "chain     {} ({}), {} of {} sign",
        chain.settings().chain(),
        chain.dialect(),
        chain.script().threshold(),
        chain.parties().len()
    ))?;
    let federation = chain.federation();
    out::line(&format!(
        "          a block each {} s; {} may be absent, {} may lie",
        federation.interval().as_secs_f64(),
        federation.tolerated_absent(),
        federation.tolerated_liars()
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

/// Name, whether it joined, approved, said two things.
fn states(ceremony: &Ceremony) -> impl Iterator<Item = (&str, bool, bool, bool)> {
    ceremony
        .members()
        .iter()
        .enumerate()
        .map(|(place, member)| {
            let liar = ceremony
                .evidence()
                .any(|evidence| evidence.member() == member.name);
            (
                member.name.as_str(),
                ceremony.has_joined(place),
                ceremony.approval(place).is_some(),
                liar,
            )
        })
}

fn next(ceremony: &Ceremony) -> String {
    let missing = |done: fn(&Ceremony, usize) -> bool| -> String {
        let members = ceremony.members().iter().enumerate();
        let names: Vec<_> = members
            .filter(|(place, _)| !done(ceremony, *place))
            .map(|(_, member)| member.name.as_str())
            .collect();
        names.join(", ")
    };
    match ceremony.agreed() {
        Ok(_) => "all have approved: `multisig ceremony finish` makes the certificate".to_owned(),
        Err(CeremonyError::Chain(ChainError::Missing(_))) => format!(
            "wait for the joins of {} and take them with `multisig ceremony add`; `multisig ceremony again` begins anew without who drops out",
            missing(Ceremony::has_joined)
        ),
        Err(CeremonyError::NotApproved(_)) => format!(
            "read the words to each other, then `multisig ceremony approve`: missing {}",
            missing(|ceremony, place| ceremony.approval(place).is_some())
        ),
        Err(CeremonyError::TwoThings(name)) => format!(
            "{name} said two things: send its evidence to the others; `multisig ceremony again --without {name}` begins anew"
        ),
        Err(error @ CeremonyError::Disagrees { .. }) => {
            format!("{error}; `multisig ceremony diff` shows what is not the same")
        }
        Err(error) => error.to_string(),
    }
}
