//! `multisig ceremony init` and `again`: who is to make which chain.

use std::path::Path;

use federation_ceremony::{
    Body, Ceremony, ChainError, Destination, Digest, KeyUse, Member, Proposal, SweepTo,
    ceremony_id, check_proposal, warnings,
};
use federation_cli::{CliError, out};
use federation_genesis::{Problem, Settings, SweepError};
use secp256k1::rand::{RngCore, rngs::OsRng};

use super::{
    args::{AgainArgs, FolderArgs, IdentityArgs, InitArgs, SweepArg},
    folder::{self, refused},
    keys, me, tell_file,
};
use crate::{genesis::read_proposed, key::with_causes};

/// Proposes a chain.
pub(super) fn init(args: &InitArgs) -> Result<(), CliError> {
    let members = args.members.iter().map(|text| member(text));
    let members = members.collect::<Result<Vec<_>, _>>()?;
    let (settings, terms) = read_proposed(args.node.into(), &args.conf, args.datadir.as_deref())?;
    let mut keys = vec![KeyUse::Block];
    keys.extend(args.peg.then_some(KeyUse::Peg));
    keys.extend(args.reissuance.then_some(KeyUse::Reissuance));
    let proposal = Proposal {
        node: settings.node().as_str().to_owned(),
        configuration: settings.to_conf(),
        terms,
        threshold: args.threshold,
        interval: u64::try_from(args.interval.as_millis()).unwrap_or(u64::MAX),
        keys,
        sweep: sweep_to(args, &settings),
        members,
        nonce: nonce(),
        fees: fees_to(args, &settings),
    };
    propose(proposal, &args.at, &args.identity)
}

/// Proposes the chain of a ceremony anew, without those who dropped out.
pub(super) fn again(args: &AgainArgs) -> Result<(), CliError> {
    let old = folder::load(&args.from)?.ceremony;
    let mut proposal = old.proposal().clone();
    for name in &args.without {
        let before = proposal.members.len();
        proposal.members.retain(|member| member.name != *name);
        if proposal.members.len() == before {
            let known: Vec<_> = old.members().iter().map(|m| m.name.as_str()).collect();
            return Err(CliError::usage(
                format!(
                    "`{name}` is no member of the ceremony in `{}`",
                    args.from.display()
                ),
                format!("choose of {}", known.join(", ")),
            ));
        }
    }
    proposal.threshold = args.threshold.unwrap_or(proposal.threshold);
    proposal.nonce = nonce();
    propose(proposal, &args.at, &args.identity)
}

/// 32 random bytes, so that no two ceremonies are one.
fn nonce() -> Digest {
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    Digest::from_bytes(nonce)
}

/// Checks a proposal, signs it and writes it down.
fn propose(proposal: Proposal, at: &FolderArgs, identity: &IdentityArgs) -> Result<(), CliError> {
    check_proposal(&proposal).map_err(unfit)?;
    refuse_second(&at.folder)?;
    tell_money(&proposal);
    for warning in warnings(&proposal) {
        out::note(&format!("note: {warning}"));
    }
    let id = ceremony_id(&proposal).map_err(refused)?;
    let key = keys::identity(identity)?;
    let message = keys::say(id, &key, Body::Proposal(proposal))?;
    let ceremony = Ceremony::new(message.clone()).map_err(refused)?;
    let path = folder::put(&at.folder, &ceremony, &message)?;
    me::remember(&at.folder, message.sender(), &identity.identity_key);
    tell_file(at, &ceremony, &path)
}

fn unfit(error: ChainError) -> CliError {
    let cure = match &error {
        ChainError::Problem(Problem::AnyoneCanSpend { .. })
        | ChainError::Sweep(SweepError::NoDestination { .. }) => {
            "say where they go with --coins-to and --tokens-to"
        }
        _ => "correct the proposal before it is sent",
    };
    CliError::failure(with_causes(&error), cure)
}

/// Each ceremony has a folder of its own.
fn refuse_second(folder: &Path) -> Result<(), CliError> {
    if folder::load(folder).is_err() {
        return Ok(());
    }
    Err(CliError::failure(
        format!("there is a ceremony in `{}` already", folder.display()),
        "choose another folder with --folder: each ceremony has its own",
    ))
}

/// The value of a setting in the file; none if it does not stand there.
fn given(settings: &Settings, name: &str) -> Option<String> {
    let mut settings = settings.iter();
    let found = settings.find(|setting| setting.given && setting.name == name);
    found.map(|setting| setting.values.concat())
}

/// Where coins go: where it is said, else to those who sign blocks.
fn sweep_to(args: &InitArgs, settings: &Settings) -> Option<SweepTo> {
    let to = |arg: &Option<SweepArg>| arg.as_ref().map(|arg| arg.0.clone());
    let has_coins = given(settings, "initialfreecoins").is_some_and(|coins| coins != "0");
    let is_said = given(settings, "initialfreecoinsdestination").is_some();
    let own = || (has_coins && !is_said).then_some(Destination::Keys(KeyUse::Block));
    let sweep = SweepTo {
        coins: to(&args.coins_to).or_else(own),
        tokens: to(&args.tokens_to),
    };
    (sweep.coins.is_some() || sweep.tokens.is_some()).then_some(sweep)
}

/// Where fees go: where it is said, else to those who sign blocks.
fn fees_to(args: &InitArgs, settings: &Settings) -> Option<Destination> {
    match &args.fees_to {
        Some(said) => said.0.clone(),
        None if given(settings, "con_mandatorycoinbase").is_some() => None,
        None => Some(Destination::Keys(KeyUse::Block)),
    }
}

/// Says where money will go, before it is agreed on.
fn tell_money(proposal: &Proposal) {
    let sweep = proposal.sweep.as_ref();
    for (what, to) in [
        ("initial coins go", sweep.and_then(|to| to.coins.as_ref())),
        (
            "reissuance tokens go",
            sweep.and_then(|to| to.tokens.as_ref()),
        ),
        ("fees go", proposal.fees.as_ref()),
    ] {
        if let Some(to) = to {
            let whose = match to {
                Destination::Keys(_) => format!("{} of the {to} of all", proposal.threshold),
                other => other.to_string(),
            };
            out::note(&format!("note: {what} to {whose}"));
        }
    }
}

fn member(text: &str) -> Result<Member, CliError> {
    let wrong = || {
        CliError::usage(
            format!("`{}` is no member", crate::input::shortened(text)),
            "write NAME=KEY with the public identity key that `multisig key show` gives, 64 digits",
        )
    };
    let (name, key) = text.split_once('=').ok_or_else(wrong)?;
    Ok(Member {
        name: name.to_owned(),
        identity: key.parse().map_err(|_| wrong())?,
    })
}
