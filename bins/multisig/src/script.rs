//! `multisig script`: makes a script of public keys.

use std::{path::Path, process::ExitCode};

use federation_cli::{CliError, out};
use federation_keystore::{is_keystore, read_head};
use federation_multisig::{KeyOrder, PublicKey};

use crate::{
    cli::{ScriptArgs, ScriptRole},
    input,
    key::with_causes,
    summary::Summary,
};

/// Makes the script and prints its summary.
pub(crate) fn run(args: &ScriptArgs) -> Result<ExitCode, CliError> {
    let keys = args.keys.iter().map(|key| read(key));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let role = role(args.role, &keys)?;
    let script = input::script(
        args.threshold,
        keys.iter().map(|key| key.public).collect(),
        order(args.unsorted),
        args.insecure_minority,
    )?;
    let summary = Summary::new(&script, args.network).of_role(role);
    if args.json {
        out::json(&summary.json())?;
    } else {
        summary.print()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A public key given as an argument, with its role if a file states it.
struct KeyArg<'a> {
    text: &'a str,
    public: PublicKey,
    role: Option<ScriptRole>,
}

/// Parses a public key in hex, or reads the head of a key file.
fn read(text: &str) -> Result<KeyArg<'_>, CliError> {
    let file = Path::new(text);
    if !is_keystore(file) {
        let public = input::public_key(text)?;
        return Ok(KeyArg {
            text,
            public,
            role: None,
        });
    }
    let head = read_head(file).map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "give the public key itself, which `multisig key show FILE` prints if the file is intact",
        )
    })?;
    let role = ScriptRole::of(head.role()).ok_or_else(|| {
        CliError::usage(
            format!("`{text}` is an identity key, which cannot be part of a script"),
            "give a key made with --role block, peg or reissuance",
        )
    })?;
    Ok(KeyArg {
        text,
        public: head.public_key(),
        role: Some(role),
    })
}

/// Returns the role of the keys, as given or as stated by the files. All must have the same role.
fn role(given: Option<ScriptRole>, keys: &[KeyArg<'_>]) -> Result<Option<ScriptRole>, CliError> {
    let mut role = given;
    for key in keys {
        match (role, key.role) {
            (Some(known), Some(other)) if known != other => {
                return Err(CliError::usage(
                    format!(
                        "`{}` is a {} key, but the script is for {} keys",
                        key.text,
                        other.as_str(),
                        known.as_str()
                    ),
                    "use only keys with the same role in one script",
                ));
            }
            (None, found) => role = found,
            _ => {}
        }
    }
    Ok(role)
}

/// The order of BIP 67, unless the given order is to be kept.
pub(crate) const fn order(unsorted: bool) -> KeyOrder {
    if unsorted {
        KeyOrder::AsGiven
    } else {
        KeyOrder::Lexicographic
    }
}
