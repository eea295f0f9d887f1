//! `multisig ceremony words`, `diff` and `evidence`: finding where views diverge, and who is to blame.

use std::path::Path;

use federation_ceremony::{Ceremony, Certificate, Difference, Evidence, differences};
use federation_cli::{CliError, out};
use serde_json::json;

use super::{
    args::{DiffArgs, EvidenceArgs, FolderArgs},
    folder,
    visible::visible,
};

/// Prints the words of each step.
pub(super) fn words(args: &FolderArgs) -> Result<(), CliError> {
    let ceremony = folder::load(&args.folder)?.ceremony;
    let chain = ceremony.chain().ok().map(|chain| chain.words());
    let joins: Vec<_> = ceremony
        .members()
        .iter()
        .enumerate()
        .map(|(index, member)| (member.name.as_str(), ceremony.join_words(index)))
        .collect();
    if args.json {
        let joins: Vec<_> = joins
            .iter()
            .map(|(name, words)| json!({ "name": name, "words": words }))
            .collect();
        return out::json(&json!({
            "ceremony": ceremony.id().to_string(),
            "proposal": ceremony.proposal_words(),
            "joins": joins,
            "chain": chain,
        }));
    }
    let none = || "(has not joined)".to_owned();
    out::line(&format!("{:<20} {}", "proposal", ceremony.proposal_words()))?;
    for (name, words) in joins {
        out::line(&format!(
            "{:<20} {}",
            format!("join {name}"),
            words.unwrap_or_else(none)
        ))?;
    }
    let unknown = || "(not known yet)".to_owned();
    out::line(&format!(
        "{:<20} {}",
        "chain",
        chain.unwrap_or_else(unknown)
    ))
}

/// Prints the differences from another party's view; fails if the two views contradict each other.
pub(super) fn diff(args: &DiffArgs) -> Result<(), CliError> {
    let own = folder::load(&args.at.folder)?.ceremony;
    let other = load(&args.other)?;
    let found = differences(&own, &other);
    let culprits = culprits(&own, &other);
    if args.at.json {
        let shown: Vec<_> = found.iter().map(describe).collect();
        out::json(&json!({
            "same": found.is_empty(),
            "differences": shown,
            "said_two_things": culprits,
        }))?;
    } else if found.is_empty() {
        out::line("no differences")?;
    }
    if !args.at.json {
        for difference in &found {
            print(difference)?;
        }
    }
    if !found.iter().any(Difference::is_contradiction) {
        return Ok(());
    }
    let name = args.other.display();
    let help = if culprits.is_empty() {
        "find out which one is wrong; if the proposals differ, start a new ceremony".to_owned()
    } else {
        format!(
            "{} signed both: add the other files with `multisig ceremony add {name}/*.json`, which writes the evidence",
            culprits.join(", ")
        )
    };
    Err(CliError::failure(
        format!(
            "`{}` and `{name}` contradict each other",
            args.at.folder.display()
        ),
        help,
    ))
}

/// Loads a ceremony from a folder or a certificate.
pub(super) fn load(path: &Path) -> Result<Ceremony, CliError> {
    if path.is_dir() {
        return folder::load(path).map(|loaded| loaded.ceremony);
    }
    let wrong = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("`{}`: {what}", path.display()),
            "give the folder of a ceremony, or a certificate",
        )
    };
    let text = folder::read(path).map_err(|error| wrong(&error))?;
    let certificate = Certificate::parse(&text).map_err(|error| wrong(&error))?;
    Ok(certificate.ceremony().clone())
}

/// The members that have signed conflicting messages, within one view or across both.
fn culprits(own: &Ceremony, other: &Ceremony) -> Vec<String> {
    if own.id() != other.id() {
        return Vec::new();
    }
    let mut both = own.clone();
    for message in other.messages() {
        // It belongs in the other view, so it belongs here too.
        let _ = both.add(message.clone());
    }
    let evidence = both.evidence().chain(other.evidence());
    let mut names: Vec<_> = evidence.map(|one| one.member().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

fn describe(difference: &Difference) -> serde_json::Value {
    json!({
        "stage": difference.stage.as_str(),
        "member": difference.member,
        "what": difference.what,
        "here": difference.left,
        "there": difference.right,
        "contradiction": difference.is_contradiction(),
    })
}

fn print(difference: &Difference) -> Result<(), CliError> {
    let stage = difference.stage.as_str();
    let whose = difference.member.as_deref();
    let what = difference.what.as_str();
    let field: Vec<_> = [Some(stage), whose, Some(what)]
        .into_iter()
        .flatten()
        .collect();
    out::line(&visible(&field.join(" ")))?;
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), visible);
    out::line(&format!("  here   {}", value(&difference.left)))?;
    out::line(&format!("  there  {}", value(&difference.right)))
}

/// Verifies evidence and prints what it proves.
pub(super) fn evidence(args: &EvidenceArgs) -> Result<(), CliError> {
    let wrong = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("`{}`: {what}", args.file.display()),
            "it proves nothing: ask its sender for the file that `multisig ceremony add` wrote",
        )
    };
    let text = folder::read_evidence(&args.file).map_err(|error| wrong(&error))?;
    let evidence = Evidence::parse(&text).map_err(|error| wrong(&error))?;
    let [one, other] = evidence.messages();
    if args.json {
        return out::json(&json!({
            "culprit": evidence.member(),
            "identity": evidence.identity().to_string(),
            "ceremony": evidence.ceremony().to_string(),
            "kind": evidence.kind(),
            "messages": [one.body(), other.body()],
        }));
    }
    out::line(&format!(
        "{} has signed two different messages of kind {} in ceremony {}",
        evidence.member(),
        evidence.kind(),
        evidence.ceremony()
    ))?;
    out::line(&format!("identity key: {}", evidence.identity()))?;
    for message in evidence.messages() {
        out::json(message.body())?;
    }
    Ok(())
}
