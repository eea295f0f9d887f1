//! `multisig new`: new keys, their script, and the chain's settings.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use federation_cli::{CliError, out};
use federation_keystore::{KeystoreError, Passphrase, WorkFactor};
use federation_multisig::MultisigScript;
use federation_signer::{
    KeyRole, Secret, SecretSource,
    key_file::{self, KeyFileError},
};
use serde_json::{Value, json};

use crate::{
    cli::{NewArgs, ScriptRole},
    input,
    script::order,
    summary::Summary,
};

/// Makes the keys and writes or prints them.
pub(crate) fn run(args: &NewArgs) -> Result<ExitCode, CliError> {
    // Arguments are checked before any key is written.
    let mut secrets: Vec<Secret> = (0..args.keys).map(|_| Secret::generate()).collect();
    let script = input::script(
        args.threshold,
        secrets.iter().map(Secret::public_key).collect(),
        order(args.unsorted),
        args.insecure_minority,
    )?;
    // Files are numbered in the order of the script.
    secrets.sort_by_key(|secret| script.position(&secret.public_key()));
    let files = if args.insecure_print {
        Vec::new()
    } else {
        write(args, &secrets)?
    };
    if args.json {
        print_json(args, &script, &secrets, &files)?;
    } else {
        print(args, &script, &secrets, &files)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes one file per key.
fn write(args: &NewArgs, secrets: &[Secret]) -> Result<Vec<PathBuf>, CliError> {
    let files: Vec<_> = (1..=secrets.len())
        .map(|number| args.out.join(format!("block-{number}.key")))
        .collect();
    if let Some(taken) = files.iter().find(|file| file.symlink_metadata().is_ok()) {
        return Err(CliError::failure(
            format!(
                "`{}` exists already, and keys are never overwritten",
                taken.display()
            ),
            "choose another folder with --out",
        ));
    }
    let passphrase = (!args.insecure_plain)
        .then(|| passphrase(args))
        .transpose()?;
    std::fs::create_dir_all(&args.out).map_err(|error| {
        CliError::failure(
            format!("cannot create `{}`: {error}", args.out.display()),
            "choose a writable folder with --out",
        )
    })?;
    for (file, secret) in files.iter().zip(secrets) {
        write_one(file, secret, passphrase.as_ref()).map_err(|error| {
            CliError::failure(
                input::with_source(&error),
                "check that you may write to the folder of --out",
            )
        })?;
    }
    Ok(files)
}

/// The error for a key file that cannot be written.
#[derive(Debug, thiserror::Error)]
enum WriteKeyError {
    /// An encrypted file.
    #[error(transparent)]
    Encrypted(#[from] KeystoreError),
    /// A plain file.
    #[error(transparent)]
    Plain(#[from] KeyFileError),
}

fn write_one(
    file: &Path,
    secret: &Secret,
    passphrase: Option<&Passphrase>,
) -> Result<(), WriteKeyError> {
    let factor = WorkFactor::default();
    match passphrase {
        Some(passphrase) => {
            federation_keystore::create(file, KeyRole::Block, secret, passphrase, factor)?;
        }
        None => key_file::create(file, secret)?,
    }
    Ok(())
}

/// Reads a pass phrase for the new files; at the terminal it is asked for twice.
fn passphrase(args: &NewArgs) -> Result<Passphrase, CliError> {
    let ask = |what| {
        args.passphrase.read(what).map_err(|error| {
            CliError::failure(
                input::with_source(&error),
                "give its source with --passphrase, or --insecure-plain to use none",
            )
        })
    };
    let text = ask("a pass phrase for the new key files")?;
    if args.passphrase == SecretSource::Prompt && ask("the same again")? != text {
        return Err(CliError::failure(
            "the two pass phrases differ",
            "type the same pass phrase twice",
        ));
    }
    Passphrase::for_new_file(text)
        .map_err(|error| CliError::failure(error, "choose a longer pass phrase"))
}

fn print(
    args: &NewArgs,
    script: &MultisigScript,
    secrets: &[Secret],
    files: &[PathBuf],
) -> Result<(), CliError> {
    Summary::new(script, args.network)
        .of_role(Some(ScriptRole::Block))
        .print()?;
    out::line("")?;
    if args.insecure_print {
        out::line("# the secret keys, in the order of the script")?;
        for secret in secrets {
            out::line(&secret.to_wif(&args.network.network()))?;
        }
    }
    for file in files {
        out::line(&format!("wrote {}", file.display()))?;
    }
    if args.insecure_plain {
        out::note("note: these files are not encrypted; anyone who reads them can sign blocks");
    }
    Ok(())
}

fn print_json(
    args: &NewArgs,
    script: &MultisigScript,
    secrets: &[Secret],
    files: &[PathBuf],
) -> Result<(), CliError> {
    let mut answer = Summary::new(script, args.network)
        .of_role(Some(ScriptRole::Block))
        .json();
    if args.insecure_print {
        let network = args.network.network();
        let wifs: Vec<String> = secrets
            .iter()
            .map(|secret| secret.to_wif(&network).as_str().to_owned())
            .collect();
        answer.insert("secret_keys_wif".to_owned(), json!(wifs));
    }
    let files: Vec<Value> = files.iter().map(|file| json!(file)).collect();
    answer.insert("files".to_owned(), Value::Array(files));
    answer.insert(
        "encrypted".to_owned(),
        json!(!args.insecure_plain && !args.insecure_print),
    );
    out::json(&answer)
}
