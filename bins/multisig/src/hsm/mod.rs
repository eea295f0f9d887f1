//! `multisig hsm`: tokens and keys in hardware modules.

mod args;
mod script;
mod test;

use std::{
    path::Path,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use federation_cli::{CliError, out};
use federation_keystore::{Passphrase, is_keystore, open};
use federation_signer::{Secret, SecretSource, TokenSelector};
use federation_signer_hsm::{HsmError, Pin, PinError, admin};
use hex_conservative::DisplayHex;
use serde_json::json;

pub(crate) use self::args::HsmArgs;
use self::args::{HsmCommand, HsmImportArgs, InitTokenArgs, ListArgs, ModuleArgs, TokenArgs};
use crate::key::{read_key, with_causes};

/// The time after which the user is told that a module has not answered.
const LONG: Duration = Duration::from_secs(10);

/// Runs the verb.
pub(crate) fn run(args: &HsmArgs) -> Result<ExitCode, CliError> {
    match &args.command {
        HsmCommand::List(args) => list(args),
        HsmCommand::InitToken(args) => init_token(args),
        HsmCommand::Keygen(args) => {
            let TokenArgs { module, token, .. } = &args.token;
            // Invalid keys of others are refused before a key is made.
            args.to_script.check()?;
            let pin = user_pin(&args.token)?;
            let made = call(|| admin::generate_key(&module.module, token, &pin, &args.label))?;
            script::print(&made, &args.to_script, module.json)
        }
        HsmCommand::Pubkey(args) => {
            args.to_script.check()?;
            let TokenArgs { module, token, .. } = &args.token;
            let pin = user_pin(&args.token)?;
            let found = call(|| admin::find_key(&module.module, token, &pin, &args.key))?;
            script::print(&found, &args.to_script, module.json)
        }
        HsmCommand::Import(args) => import(args),
        HsmCommand::Test(args) => test::run(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Calls a module, with a note if it takes long: it may hang, or wait for input at its PIN pad.
fn call<T>(call: impl FnOnce() -> Result<T, HsmError>) -> Result<T, CliError> {
    let (done, waiting) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if waiting.recv_timeout(LONG) == Err(RecvTimeoutError::Timeout) {
            out::note(
                "the module has not answered yet: it may be waiting for a PIN at its pad or for a network, or hang; press Ctrl-C to cancel",
            );
        }
    });
    let result = call();
    drop(done);
    // It only prints a note.
    let _ = watch.join();
    result.map_err(failed)
}

/// The errors of modules state what to do themselves.
fn failed(error: HsmError) -> CliError {
    CliError::failure(error, "see also `multisig help hardware-modules`")
}

fn pin(source: &SecretSource, module: &ModuleArgs, token: &TokenSelector) -> Result<Pin, CliError> {
    let what = format!("user PIN of token {token}");
    let pin = Pin::read(source, &what, &module.module, token).map_err(|error| match error {
        PinError::Module(error) => failed(error),
        other => CliError::failure(with_causes(&other), "choose another source with --pin"),
    })?;
    if pin.is_at_pad() {
        out::note(&format!("enter the {what} on its own pad"));
    }
    Ok(pin)
}

fn user_pin(args: &TokenArgs) -> Result<Pin, CliError> {
    pin(&args.pin, &args.module, &args.token)
}

/// Reads a new PIN; at the terminal it is asked for twice.
fn new_pin(source: &SecretSource, what: &str, flag: &str) -> Result<Pin, CliError> {
    let read = |what: &str| {
        source.read(what).map_err(|error| {
            CliError::failure(
                with_causes(&error),
                format!("choose another source with {flag}"),
            )
        })
    };
    let text = read(what)?;
    if *source == SecretSource::Prompt && read("the same again")? != text {
        return Err(CliError::failure(
            "the two PINs differ",
            "type the same PIN twice",
        ));
    }
    Ok(text.into())
}

fn list(args: &ListArgs) -> Result<(), CliError> {
    let module = &args.module;
    let Some(token) = &args.token else {
        return list_tokens(&module.module, module.json);
    };
    let pin = pin(&args.pin, module, token)?;
    let keys = call(|| admin::keys(&module.module, token, &pin))?;
    if module.json {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "label": key.label,
                    "id": key.id.to_lower_hex_string(),
                    "public_key": key.public_key.map(|key| key.to_string()),
                    "extractable": key.extractable,
                    "problem": key.problem,
                })
            })
            .collect();
        return out::json(&keys);
    }
    if keys.is_empty() {
        out::note("the token has no private keys: make one with `multisig hsm keygen`");
    }
    for key in keys {
        let what = match (key.public_key, key.problem) {
            (Some(public_key), _) => public_key.to_string(),
            (None, problem) => problem.unwrap_or_default(),
        };
        let warning = if key.extractable == Some(true) {
            "  (extractable from the token)"
        } else {
            ""
        };
        let id = key.id.to_lower_hex_string();
        out::line(&format!("{:<20} id:{id}  {what}{warning}", key.label))?;
    }
    Ok(())
}

fn list_tokens(module: &Path, json: bool) -> Result<(), CliError> {
    let tokens = call(|| admin::tokens(module))?;
    if json {
        let tokens: Vec<_> = tokens.iter().map(token_json).collect();
        return out::json(&tokens);
    }
    for token in &tokens {
        let state = match token {
            _ if token.blank => "empty: initialise it with `multisig hsm init-token`",
            _ if token.pin_locked => "user PIN locked",
            _ if token.initialised && !token.has_user_pin => "no user PIN",
            _ if token.pin_pad => "ready, with a PIN pad",
            _ => "ready",
        };
        out::line(&format!(
            "slot:{}  label:{}  serial:{}  {} {}  {state}",
            token.slot, token.label, token.serial, token.manufacturer, token.model
        ))?;
    }
    Ok(())
}

fn token_json(token: &admin::TokenEntry) -> serde_json::Value {
    json!({
        "slot": token.slot,
        "label": token.label,
        "serial": token.serial,
        "manufacturer": token.manufacturer,
        "model": token.model,
        "initialised": token.initialised,
        "has_user_pin": token.has_user_pin,
        "pin_locked": token.pin_locked,
        "pin_pad": token.pin_pad,
        "blank": token.blank,
    })
}

fn init_token(args: &InitTokenArgs) -> Result<(), CliError> {
    let module = &args.module;
    // Checked before anybody enters PINs in vain.
    let blank = call(|| admin::blank_token(&module.module, args.slot))?;
    let (so_pin, user_pin) = if blank.pin_pad {
        out::note("enter the new PINs on the token's own pad, that of the security officer first");
        (Pin::at_pad(), Pin::at_pad())
    } else {
        (
            new_pin(&args.so_pin, "new security officer PIN", "--so-pin")?,
            new_pin(&args.pin, "new user PIN", "--pin")?,
        )
    };
    let token =
        call(|| admin::init_token(&module.module, args.slot, &args.label, &so_pin, &user_pin))?;
    if module.json {
        return out::json(&token_json(&token));
    }
    out::line(&format!(
        "slot:{}  label:{}  serial:{}",
        token.slot, token.label, token.serial
    ))
}

fn import(args: &HsmImportArgs) -> Result<(), CliError> {
    let secret = import_source(args)?;
    let TokenArgs { module, token, .. } = &args.token;
    let pin = user_pin(&args.token)?;
    let made = call(|| admin::import_key(&module.module, token, &pin, &args.label, &secret))?;
    out::note("the key is only as safe as the remaining copies of it: delete them");
    script::print_key(&made, module.json)
}

fn import_source(args: &HsmImportArgs) -> Result<Secret, CliError> {
    let file = args.from.as_deref();
    let Some(keystore) = file.filter(|file| is_keystore(file)) else {
        return read_key(file, &args.network.network());
    };
    let what = format!("pass phrase of {}", keystore.display());
    let passphrase = args.passphrase.read(&what).map_err(|error| {
        CliError::failure(
            with_causes(&error),
            "choose another source with --passphrase",
        )
    })?;
    open(keystore, &Passphrase::new(passphrase))
        .map(|(_, secret)| secret)
        .map_err(|error| CliError::failure(with_causes(&error), "check --from and --passphrase"))
}
