//! `multisig key`: secret keys in encrypted files.

mod args;
mod secrets;

use std::process::ExitCode;

use federation_cli::{CliError, out};
use federation_keystore::{
    Head, Passphrase, WorkFactor, change_passphrase, create, open, read_head,
};
use federation_signer::{KeyRole, Secret};
use serde_json::json;

pub(crate) use self::{
    args::KeyArgs,
    secrets::{passphrase, read_key, with_causes},
};
use self::{
    args::{ExportArgs, KeyCommand, NewFileArgs, PasswdArgs, ShowArgs},
    secrets::new_passphrase,
};
use crate::cli::SecretForm;

/// Runs the verb.
pub(crate) fn run(args: &KeyArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        KeyCommand::New(args) => write(&args.to, &Secret::generate()),
        KeyCommand::Import(args) => {
            let secret = read_key(args.from.as_deref(), &args.network.network())?;
            write(&args.to, &secret)
        }
        KeyCommand::Export(args) => export(args),
        KeyCommand::Passwd(args) => passwd(args),
        KeyCommand::Show(args) => show(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn failed(error: &federation_keystore::KeystoreError) -> CliError {
    CliError::failure(
        with_causes(error),
        "check the file and its pass phrase; see `multisig help keystores`",
    )
}

fn write(to: &NewFileArgs, secret: &Secret) -> Result<(), CliError> {
    let made = to.generate.then(Passphrase::generate);
    let given = match &made {
        None => Some(new_passphrase(&to.passphrase, &to.file)?),
        Some(_) => None,
    };
    let Some(used) = made.as_ref().or(given.as_ref()) else {
        return Err(CliError::usage(
            "no pass phrase is given",
            "give --passphrase or --generate",
        ));
    };
    let head = create(&to.file, to.role, secret, used, WorkFactor::default())
        .map_err(|error| failed(&error))?;
    print(&head, made.as_ref(), to.json)
}

fn export(args: &ExportArgs) -> Result<(), CliError> {
    let passphrase = passphrase(&args.passphrase, &args.file)?;
    let (_, secret) = open(&args.file, &passphrase).map_err(|error| failed(&error))?;
    out::note("the secret key follows: anyone who sees it can sign with it");
    match args.insecure_print {
        SecretForm::Hex => out::line(&secret.to_hex()),
        SecretForm::Wif => out::line(&secret.to_wif(&args.network.network())),
    }
}

fn passwd(args: &PasswdArgs) -> Result<(), CliError> {
    let old = passphrase(&args.passphrase, &args.file)?;
    // Check it before the new one is asked for.
    open(&args.file, &old).map_err(|error| failed(&error))?;
    let made = args.generate.then(Passphrase::generate);
    let change = |new: &Passphrase| {
        change_passphrase(&args.file, &old, new, WorkFactor::default())
            .map_err(|error| failed(&error))
    };
    let head = match &made {
        Some(made) => change(made)?,
        None => change(&new_passphrase(&args.new_passphrase, &args.file)?)?,
    };
    print(&head, made.as_ref(), args.json)
}

fn show(args: &ShowArgs) -> Result<(), CliError> {
    let head = if args.check {
        let passphrase = passphrase(&args.passphrase, &args.file)?;
        open(&args.file, &passphrase).map(|(head, _)| head)
    } else {
        read_head(&args.file)
    }
    .map_err(|error| failed(&error))?;
    print(&head, None, args.json)
}

/// Prints the public half in the format of scripts or the roster, and a generated pass phrase.
fn print(head: &Head, made: Option<&Passphrase>, json: bool) -> Result<(), CliError> {
    let public_key = match head.role() {
        KeyRole::Identity => head.public_key().x_only_public_key().0.to_string(),
        _ => head.public_key().to_string(),
    };
    let made = made.map(Passphrase::expose);
    if json {
        let mut answer = json!({ "role": head.role().as_str(), "public_key": public_key });
        if let Some(made) = made {
            answer["passphrase"] = made.into();
        }
        return out::json(&answer);
    }
    out::line(&format!("role        {}", head.role()))?;
    out::line(&format!("public key  {public_key}"))?;
    if let Some(made) = made {
        out::line(&format!("pass phrase {made}"))?;
        out::note("write the pass phrase down: it is not shown again");
    }
    Ok(())
}
