//! `multisig ceremony`: setting up a chain together, with message files in a folder.

mod args;
mod compare;
mod folder;
mod keys;
mod me;
mod next;
mod propose;
mod show;
mod status;
mod visible;

use std::process::ExitCode;

use federation_ceremony::{Added, Body, Ceremony, Certificate, Join, Message};
use federation_cli::{CliError, out};
use federation_signer::IdentitySigner;
use serde_json::json;

use crate::bundle::BundleArgs;

pub(crate) use self::{args::CeremonyArgs, folder::CERTIFICATE};
use self::{
    args::{AddArgs, ApproveArgs, CeremonyCommand, FolderArgs, JoinArgs, VerifyArgs},
    folder::refused,
};

/// Runs the verb.
pub(crate) fn run(args: &CeremonyArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        CeremonyCommand::Init(args) => propose::init(args),
        CeremonyCommand::Again(args) => propose::again(args),
        CeremonyCommand::Join(args) => join(args),
        CeremonyCommand::Add(args) => add(args),
        CeremonyCommand::Status(args) => status::run(args),
        CeremonyCommand::Show(args) => show::run(args),
        CeremonyCommand::Words(args) => compare::words(args),
        CeremonyCommand::Diff(args) => compare::diff(args),
        CeremonyCommand::Evidence(args) => compare::evidence(args),
        CeremonyCommand::Approve(args) => approve(args),
        CeremonyCommand::Finish(args) => finish(args),
        CeremonyCommand::Verify(args) => verify(args),
        CeremonyCommand::Bundle(args) => bundle(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn join(args: &JoinArgs) -> Result<(), CliError> {
    let mut ceremony = folder::load(&args.at.folder)?.ceremony;
    let identity = keys::identity(&args.identity)?;
    let me = me::index_of(&ceremony, &identity.public_key())?;
    let own = keys::own(&ceremony.proposal().keys, args)?;
    if let (Some(join), Some(known)) = (ceremony.join(me), ceremony.join_message(me)) {
        let brought = join.keys.iter().map(|key| (key.usage, key.key));
        let same = join.endpoint == args.endpoint
            && join.node == args.node_address
            && brought.eq(own.iter().map(|(usage, key)| (*usage, key.public_key())));
        // A key in a module would make a different signature, so the first join is sent again.
        return repeat(&args.at, &ceremony, known, same);
    }
    let owner = IdentitySigner::public_key(&identity);
    let proofs = own
        .iter()
        .map(|(usage, key)| keys::prove(ceremony.id(), &owner, *usage, key.as_ref()));
    let body = Body::Join(Join {
        endpoint: args.endpoint.clone(),
        node: args.node_address.clone(),
        keys: proofs.collect::<Result<_, _>>()?,
    });
    let message = keys::sign_message(ceremony.id(), &identity, body)?;
    folder::add(&args.at.folder, &mut ceremony, message.clone())?;
    let path = folder::write_message(&args.at.folder, &ceremony, &message)?;
    me::remember(
        &args.at.folder,
        message.sender(),
        &args.identity.identity_key,
    );
    print_file(&args.at, &ceremony, &path)
}

/// Repeats the message that was sent before, and refuses to sign a different one.
fn repeat(
    at: &FolderArgs,
    ceremony: &Ceremony,
    known: &Message,
    same: bool,
) -> Result<(), CliError> {
    if same {
        let path = folder::write_message(&at.folder, ceremony, known)?;
        return print_file(at, ceremony, &path);
    }
    Err(CliError::failure(
        format!(
            "you have already signed a different {}, and a second one would be evidence against you",
            known.body().kind()
        ),
        "send the first one, or have all parties start a new ceremony",
    ))
}

fn add(args: &AddArgs) -> Result<(), CliError> {
    let mut messages = Vec::new();
    for file in &folder::expand(&args.files)? {
        let read = folder::read_messages(file).map_err(|error| {
            CliError::failure(
                format!("`{}`: {error}", file.display()),
                "nothing was added; ask the sender for the file again",
            )
        })?;
        messages.extend(read);
    }
    // The proposal first, whatever the names of the files.
    messages.sort_by_key(|message| !matches!(message.body(), Body::Proposal(_)));
    let mut ceremony = match folder::load(&args.at.folder) {
        Ok(loaded) => loaded.ceremony,
        Err(error) => match messages.first() {
            Some(first)
                if matches!(first.body(), Body::Proposal(_))
                    && folder::is_fresh(&args.at.folder) =>
            {
                Ceremony::new(first.clone()).map_err(refused)?
            }
            _ => return Err(error),
        },
    };
    let (mut culprits, mut files) = (Vec::new(), Vec::new());
    for message in messages {
        if let Added::Equivocation(evidence) = folder::add(&args.at.folder, &mut ceremony, message)?
        {
            let path = folder::write_evidence(&args.at.folder, &evidence)?;
            let file = format!("`{}`", path.display());
            if !files.contains(&file) {
                culprits.push(evidence.member().to_owned());
                files.push(file);
            }
        }
    }
    if !culprits.is_empty() {
        return Err(CliError::failure(
            format!("{} signed conflicting messages", culprits.join(", ")),
            format!(
                "send {} to the others, who verify it with `multisig ceremony evidence FILE`, and start again without that party",
                files.join(", ")
            ),
        ));
    }
    status::print_all(&args.at, None)
}

fn approve(args: &ApproveArgs) -> Result<(), CliError> {
    let mut ceremony = folder::load(&args.at.folder)?.ceremony;
    let chain = ceremony.chain().map_err(refused)?;
    let given: Vec<_> = args
        .words
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    if given.join(" ") != chain.words() {
        return Err(CliError::failure(
            "the words differ from those of the chain computed here",
            "read the output of `multisig ceremony words` to each other, step by step, or get their folder and run `multisig ceremony diff`",
        ));
    }
    let identity = keys::identity(&args.identity)?;
    let me = me::index_of(&ceremony, &identity.public_key())?;
    let body = Body::Approval(Ceremony::approval_of(&chain));
    if let Some(known) = ceremony.approval_message(me) {
        return repeat(&args.at, &ceremony, known, *known.body() == body);
    }
    let message = keys::sign_message(ceremony.id(), &identity, body)?;
    folder::add(&args.at.folder, &mut ceremony, message.clone())?;
    let path = folder::write_message(&args.at.folder, &ceremony, &message)?;
    me::remember(
        &args.at.folder,
        message.sender(),
        &args.identity.identity_key,
    );
    print_file(&args.at, &ceremony, &path)
}

fn finish(args: &FolderArgs) -> Result<(), CliError> {
    let ceremony = folder::load(&args.folder)?.ceremony;
    let certificate = Certificate::new(ceremony).map_err(refused)?;
    let path = args.folder.join(CERTIFICATE);
    folder::write(&path, &certificate.to_text())?;
    print_certificate(&certificate, args.json)?;
    out::note(&format!("wrote {}", path.display()));
    Ok(())
}

fn verify(args: &VerifyArgs) -> Result<(), CliError> {
    print_certificate(&certificate(&args.certificate.path())?, args.json)
}

/// Makes the bundle of an operator, by default of the user.
fn bundle(args: &BundleArgs) -> Result<(), CliError> {
    let folder = args.folder();
    let certificate = certificate(&args.certificate())?;
    let me = || me::find(certificate.ceremony(), folder, None);
    let operator = match &args.operator {
        Some(name) => name.clone(),
        None => me()?.map(|me| me.name).ok_or_else(|| {
            CliError::usage(
                "cannot tell which operator you are",
                "name the operator with --operator",
            )
        })?,
    };
    crate::bundle::run(args, &certificate, &operator)
}

/// Reads and verifies a certificate.
fn certificate(file: &std::path::Path) -> Result<Certificate, CliError> {
    let wrong = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("`{}`: {what}", file.display()),
            "get the certificate from another operator; never use one that does not verify",
        )
    };
    let text = folder::read(file).map_err(|error| wrong(&error))?;
    Certificate::parse(&text).map_err(|error| wrong(&error))
}

fn print_certificate(certificate: &Certificate, json: bool) -> Result<(), CliError> {
    let chain = certificate.chain();
    if json {
        let mut answer = status::describe(chain);
        answer["ceremony"] = certificate.ceremony().id().to_string().into();
        answer["warnings"] = status::warnings(certificate.ceremony()).into();
        return out::json(&answer);
    }
    for warning in status::warnings(certificate.ceremony()) {
        out::note(&format!("note: {warning}"));
    }
    out::line(&format!("all {} have approved", chain.parties().len()))?;
    status::print(chain)
}

fn print_file(
    args: &FolderArgs,
    ceremony: &Ceremony,
    path: &std::path::Path,
) -> Result<(), CliError> {
    if args.json {
        let file = path.display().to_string();
        return out::json(&json!({ "ceremony": ceremony.id().to_string(), "file": file }));
    }
    out::line(&format!("wrote     {}", path.display()))?;
    out::line("send this file to all other members")
}
