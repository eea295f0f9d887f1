//! `multisig script`: a script of public keys.

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

/// Makes the script and says what there is to say of it.
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
        summary.tell()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A public key, and what it is for where a file says it.
struct Given<'a> {
    text: &'a str,
    public: PublicKey,
    role: Option<ScriptRole>,
}

/// A public key in hex, or what the head of a key file says.
fn read(text: &str) -> Result<Given<'_>, CliError> {
    let file = Path::new(text);
    if !is_keystore(file) {
        let public = input::public_key(text)?;
        return Ok(Given {
            text,
            public,
            role: None,
        });
    }
    let head = read_head(file).map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "give the public key itself, which `multisig key show FILE` shows where the file is whole",
        )
    })?;
    let role = ScriptRole::of(head.role()).ok_or_else(|| {
        CliError::usage(
            format!("`{text}` is an identity key, which stands in no script"),
            "give a key made with --role block, peg or reissuance",
        )
    })?;
    Ok(Given {
        text,
        public: head.public_key(),
        role: Some(role),
    })
}

/// What the keys are for: as it is said, or as the files say. No script has keys for two things.
fn role(said: Option<ScriptRole>, keys: &[Given<'_>]) -> Result<Option<ScriptRole>, CliError> {
    let mut role = said;
    for key in keys {
        match (role, key.role) {
            (Some(known), Some(other)) if known != other => {
                return Err(CliError::usage(
                    format!(
                        "`{}` is a {} key, and the script is one of {} keys",
                        key.text,
                        other.as_str(),
                        known.as_str()
                    ),
                    "make a script of keys for one thing",
                ));
            }
            (None, found) => role = found,
            _ => {}
        }
    }
    Ok(role)
}

/// The order of BIP 67, but for those who ask for another.
pub(crate) const fn order(unsorted: bool) -> KeyOrder {
    if unsorted {
        KeyOrder::AsGiven
    } else {
        KeyOrder::Lexicographic
    }
}
