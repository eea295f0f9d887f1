//! `multisig ceremony init` and `again`: proposing a chain.

use std::path::Path;

use federation_ceremony::{
    Body, Ceremony, ChainError, Destination, Digest, KeyUse, Member, Proposal, SweepTo,
    ceremony_id, check_proposal, warnings,
};
use federation_cli::{CliError, out};
use federation_genesis::{Settings, SweepError, UnviableChain};
use secp256k1::rand::{RngCore, rngs::OsRng};

use super::{
    args::{AgainArgs, FeesArg, FolderArgs, IdentityArgs, InitArgs, SweepArg},
    folder::{self, refused},
    keys, me, print_file,
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
        sweep: sweep_to(args, &settings)?,
        members,
        nonce: nonce(),
        fees: fees_to(args, &settings)?,
    };
    propose(proposal, &args.at, &args.identity)
}

/// Proposes the chain of another ceremony again, without those who dropped out.
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
                    "`{name}` is not a member of the ceremony in `{}`",
                    args.from.display()
                ),
                format!("choose from {}", known.join(", ")),
            ));
        }
    }
    proposal.threshold = args.threshold.unwrap_or(proposal.threshold);
    proposal.nonce = nonce();
    propose(proposal, &args.at, &args.identity)
}

/// 32 random bytes, which make the ceremony unique.
fn nonce() -> Digest {
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    Digest::from_bytes(nonce)
}

/// Checks a proposal, signs it and writes it to the folder.
fn propose(proposal: Proposal, at: &FolderArgs, identity: &IdentityArgs) -> Result<(), CliError> {
    check_proposal(&proposal).map_err(unfit)?;
    refuse_second(&at.folder)?;
    print_destinations(&proposal);
    for warning in warnings(&proposal) {
        out::note(&format!("note: {warning}"));
    }
    let id = ceremony_id(&proposal).map_err(refused)?;
    let key = keys::identity(identity)?;
    let message = keys::sign_message(id, &key, Body::Proposal(proposal))?;
    let ceremony = Ceremony::new(message.clone()).map_err(refused)?;
    let path = folder::write_message(&at.folder, &ceremony, &message)?;
    me::remember(&at.folder, message.sender(), &identity.identity_key);
    print_file(at, &ceremony, &path)
}

fn unfit(error: ChainError) -> CliError {
    let help = match &error {
        ChainError::UnviableChain(UnviableChain::AnyoneCanSpend { .. })
        | ChainError::Sweep(SweepError::NoDestination { .. }) => {
            "give their destinations with --coins-to and --tokens-to"
        }
        _ => "correct the proposal before sending it",
    };
    CliError::failure(with_causes(&error), help)
}

/// Refuses a folder that already holds a ceremony.
fn refuse_second(folder: &Path) -> Result<(), CliError> {
    if folder::load(folder).is_err() {
        return Ok(());
    }
    Err(CliError::failure(
        format!("`{}` already holds a ceremony", folder.display()),
        "choose another folder with --folder: each ceremony needs its own",
    ))
}

/// The value of a setting, if it is set in the file.
fn given(settings: &Settings, name: &str) -> Option<String> {
    let mut settings = settings.iter();
    let found = settings.find(|setting| setting.given && setting.name == name);
    found.map(|setting| setting.values.concat())
}

/// The destinations of coins and tokens: as given, with the block keys as default for coins.
fn sweep_to(args: &InitArgs, settings: &Settings) -> Result<Option<SweepTo>, CliError> {
    let network = settings.network();
    let to = |arg: &Option<SweepArg>| {
        let arg = arg.as_ref();
        arg.map(|arg| arg.destination(&network)).transpose()
    };
    let has_coins = given(settings, "initialfreecoins").is_some_and(|coins| coins != "0");
    let is_given = given(settings, "initialfreecoinsdestination").is_some();
    let default = || (has_coins && !is_given).then_some(Destination::Keys(KeyUse::Block));
    let sweep = SweepTo {
        coins: to(&args.coins_to)?.or_else(default),
        tokens: to(&args.tokens_to)?,
    };
    Ok((sweep.coins.is_some() || sweep.tokens.is_some()).then_some(sweep))
}

/// The destination of fees: as given, with the block keys as default.
fn fees_to(args: &InitArgs, settings: &Settings) -> Result<Option<Destination>, CliError> {
    match &args.fees_to {
        Some(FeesArg(to)) => {
            let network = settings.network();
            let to = to.as_ref();
            to.map(|to| to.destination(&network)).transpose()
        }
        None if given(settings, "con_mandatorycoinbase").is_some() => Ok(None),
        None => Ok(Some(Destination::Keys(KeyUse::Block))),
    }
}

/// Prints the destinations of coins and fees, before they are agreed on.
fn print_destinations(proposal: &Proposal) {
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
                Destination::Keys(_) => {
                    format!("{} of the parties' {to}", proposal.threshold)
                }
                other => other.to_string(),
            };
            out::note(&format!("note: {what} to {whose}"));
        }
    }
}

fn member(text: &str) -> Result<Member, CliError> {
    let wrong = || {
        CliError::usage(
            format!("malformed member `{}`", crate::input::shortened(text)),
            "write NAME=KEY, where KEY is the public identity key as `multisig key show` prints it, 64 digits",
        )
    };
    let (name, key) = text.split_once('=').ok_or_else(wrong)?;
    Ok(Member {
        name: name.to_owned(),
        identity: key.parse().map_err(|_| wrong())?,
    })
}
