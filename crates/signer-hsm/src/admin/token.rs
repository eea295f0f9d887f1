//! Initialising tokens that are empty.

use std::path::Path;

use cryptoki::{context::Pkcs11, error::RvError, session::UserType};

use super::{TokenEntry, entry};
use crate::{
    HsmError, Pin,
    find::{self, Token, trimmed},
    module::Module,
    session::{self, Closing, Mode, log_in, pin_form},
};

/// The maximum size of a token's label, in bytes (`CK_TOKEN_INFO`).
const MAX_LABEL: usize = 32;

/// Returns the token that [`init_token`] would use: the one in the slot, or the first that appears
/// to be empty.
///
/// # Errors
/// [`HsmError::TokenInUse`] if the slot's token is in use; [`HsmError::NoFreeSlot`] if there is
/// none.
pub fn blank_token(module: &Path, slot: Option<u64>) -> Result<TokenEntry, HsmError> {
    let module = Module::load(module)?;
    let state = module.enter();
    blank(&state.pkcs11, slot).map(|token| entry(&token))
}

/// Initialises a token with a label, the security officer's PIN and the user's PIN. Uses the given
/// slot, or the first with a token that appears to be empty. Never erases a token: one that is
/// initialised, has a label or a user PIN, or shows any object is left alone.
///
/// If PINs are entered on the token's own pad, those given are not used.
///
/// # Errors
/// [`HsmError::TokenInUse`] if the slot's token is in use, or another token has the label;
/// otherwise see [`HsmError`].
pub fn init_token(
    module: &Path,
    slot: Option<u64>,
    label: &str,
    so_pin: &Pin,
    user_pin: &Pin,
) -> Result<TokenEntry, HsmError> {
    if label.len() > MAX_LABEL {
        return Err(HsmError::LongLabel(label.len()));
    }
    let module = Module::load(module)?;
    let state = module.enter();
    let pkcs11 = &state.pkcs11;
    for token in find::tokens(pkcs11)? {
        if token.label() == trimmed(label) && token.is_ready() {
            return Err(in_use(&token, "it has the label"));
        }
    }
    let token = blank(pkcs11, slot)?;
    let pad = token.has_pad();
    if !pad {
        // Checked before anything is written: a token with only one PIN is incomplete.
        for pin in [so_pin, user_pin] {
            check_form(&token, pin)?;
        }
    }
    match so_pin.as_auth() {
        Some(so_pin) if !pad => pkcs11
            .init_token(token.slot, so_pin, label)
            .map_err(|error| pin_problem(error.into(), &token))?,
        _ => module.raw()?.init_token_at_pad(token.slot, label)?,
    }
    // The slot that was initialised, not any token with the label: some modules renumber slots when
    // they are listed again.
    let half = |error: HsmError| HsmError::HalfInitialised {
        slot: token.slot.id(),
        reason: error.to_string(),
    };
    let made = Token::at(pkcs11, token.slot).map_err(half)?;
    set_user_pin(&module, pkcs11, &made, so_pin, user_pin).map_err(half)?;
    let serial = made.serial();
    let mut same: Vec<_> = find::tokens(pkcs11)?
        .into_iter()
        .filter(|token| !serial.is_empty() && token.serial() == serial)
        .collect();
    let now = match same.pop() {
        Some(token) if same.is_empty() => token,
        _ => Token::at(pkcs11, made.slot)?,
    };
    Ok(entry(&now))
}

fn blank(pkcs11: &Pkcs11, slot: Option<u64>) -> Result<Token, HsmError> {
    let tokens = find::tokens(pkcs11)?;
    let Some(slot) = slot else {
        let is_blank = |token: &Token| matches!(sign_of_use(pkcs11, token), Ok(None));
        return tokens
            .into_iter()
            .find(is_blank)
            .ok_or(HsmError::NoFreeSlot);
    };
    let token = tokens
        .into_iter()
        .find(|token| token.slot.id() == slot)
        .ok_or(HsmError::NoFreeSlot)?;
    match sign_of_use(pkcs11, &token)? {
        None => Ok(token),
        Some(sign) => Err(in_use(&token, sign)),
    }
}

fn in_use(token: &Token, sign: &'static str) -> HsmError {
    HsmError::TokenInUse {
        slot: token.slot.id(),
        label: token.label(),
        sign,
    }
}

/// Returns a reported property that shows that a token is in use. The absence of the initialised
/// flag does not mean that it is empty: some modules do not set it.
pub(super) fn reported_use(token: &Token) -> Option<&'static str> {
    let info = &token.info;
    let used = |total: Option<usize>, free: Option<usize>| matches!((total, free), (Some(total), Some(free)) if free < total);
    if info.token_initialized() {
        Some("it is initialised")
    } else if !token.label().is_empty() {
        Some("it has a label")
    } else if info.user_pin_initialized() {
        Some("it has a user PIN")
    } else if used(info.total_private_memory(), info.free_private_memory()) {
        Some("some of its memory for private objects is used")
    } else {
        None
    }
}

/// Why a token is known to be in use: by its properties or its objects.
fn sign_of_use(pkcs11: &Pkcs11, token: &Token) -> Result<Option<&'static str>, HsmError> {
    if let Some(sign) = reported_use(token) {
        return Ok(Some(sign));
    }
    let session = match session::open(pkcs11, token, Mode::Read, Closing::OnDrop) {
        Ok(opened) => opened.session,
        // Not initialised, so there are no sessions.
        Err(error) if error.code() == Some(RvError::TokenNotRecognized) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = session.iter_objects(&[])?.next().transpose()?;
    Ok(found.map(|_| "it holds objects"))
}

/// Checks that the token accepts a PIN of this length. Some modules report impossible limits.
fn check_form(token: &Token, pin: &Pin) -> Result<(), HsmError> {
    if pin.as_auth().is_none() {
        return Err(HsmError::NoPinPad(token.label()));
    }
    let (min, max) = (token.info.min_pin_length(), token.info.max_pin_length());
    if max > 0 && min <= max && !(min..=max).contains(&pin.len()) {
        return Err(pin_form(token));
    }
    Ok(())
}

fn set_user_pin(
    module: &Module,
    pkcs11: &Pkcs11,
    token: &Token,
    so_pin: &Pin,
    user_pin: &Pin,
) -> Result<(), HsmError> {
    // A security officer cannot use read-only sessions.
    let session = pkcs11.open_rw_session(token.slot)?;
    log_in(&session, token, UserType::So, so_pin)?;
    let set = match user_pin.as_auth() {
        Some(user_pin) if !token.has_pad() => session.init_pin(user_pin).map_err(HsmError::from),
        _ => module.raw().and_then(|raw| raw.init_pin_at_pad(&session)),
    };
    // A security officer who stays logged in locks the user out.
    let out = session.logout();
    set.map_err(|error| pin_problem(error, token))?;
    Ok(out?)
}

fn pin_problem(error: HsmError, token: &Token) -> HsmError {
    match error.code() {
        Some(RvError::PinLenRange | RvError::PinInvalid) => pin_form(token),
        _ => error,
    }
}
