//! Sessions: opened in the mode that the token allows, logged in, and signing.

use core::cell::Cell;

use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    mechanism::Mechanism,
    object::ObjectHandle,
    session::{Session, UserType},
};

use crate::{HsmError, Pin, find::Token, module::Module};

/// How a session is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To find and use what is there.
    Read,
    /// To make or import something.
    Write,
}

/// A session, and why it is in another mode than was asked for.
pub(crate) struct Opened {
    pub(crate) session: Session,
    /// The refusal of the mode that was asked for.
    pub(crate) refused: Option<HsmError>,
}

/// Who closes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// It is closed when it is dropped.
    OnDrop,
    /// The caller, who knows whether its number may be another session's by then.
    ByHand,
}

/// Opens a session. Some modules have no read-only sessions, and a token that is write-protected
/// has no others: what is refused in one mode is tried in the other.
pub(crate) fn open(
    pkcs11: &Pkcs11,
    token: &Token,
    mode: Mode,
    closing: Closing,
) -> Result<Opened, HsmError> {
    let in_mode = |mode| {
        match (mode, closing) {
            (Mode::Read, Closing::OnDrop) => pkcs11.open_ro_session(token.slot),
            (Mode::Read, Closing::ByHand) => pkcs11.open_ro_session_no_drop(token.slot),
            (Mode::Write, Closing::OnDrop) => pkcs11.open_rw_session(token.slot),
            (Mode::Write, Closing::ByHand) => pkcs11.open_rw_session_no_drop(token.slot),
        }
        .map_err(|error| match error {
            Error::Pkcs11(RvError::SessionCount, _) => HsmError::NoMoreSessions(token.label()),
            other => other.into(),
        })
    };
    let refused = match in_mode(mode) {
        Ok(session) => {
            return Ok(Opened {
                session,
                refused: None,
            });
        }
        Err(error @ HsmError::Call { .. }) if !is_gone(&error) => error,
        Err(error) => return Err(error),
    };
    let other = match mode {
        Mode::Read => Mode::Write,
        Mode::Write => Mode::Read,
    };
    match in_mode(other) {
        Ok(session) => {
            tracing::debug!(%refused, ?mode, "the token opens sessions of the other mode only");
            Ok(Opened {
                session,
                refused: Some(refused),
            })
        }
        // The first says what is wrong.
        Err(_) => Err(refused),
    }
}

/// Whether another mode cannot help.
const fn is_gone(error: &HsmError) -> bool {
    matches!(
        error.code(),
        Some(
            RvError::CryptokiNotInitialized
                | RvError::SlotIdInvalid
                | RvError::TokenNotPresent
                | RvError::DeviceRemoved
        )
    )
}

/// Closes a session after an error.
pub(crate) fn close(session: Session, after: &HsmError) {
    if after.code() == Some(RvError::CryptokiNotInitialized) {
        return;
    }
    if let Err(error) = session.close() {
        tracing::debug!(%error, "a PKCS#11 session was closed already");
    }
}

/// Logs in and names what is wrong with a PIN.
pub(crate) fn log_in(
    session: &Session,
    token: &Token,
    user: UserType,
    pin: &Pin,
) -> Result<(), HsmError> {
    let info = &token.info;
    let is_so = matches!(user, UserType::So);
    if !is_so && info.user_pin_locked() {
        return Err(HsmError::PinLocked(token.label()));
    }
    if pin.as_auth().is_none() && !token.has_pad() {
        return Err(HsmError::NoPinPad(token.label()));
    }
    let error = match give_pin(session, token, user, pin) {
        // Of the process, by another session.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => return Ok(()),
        // Who needs no log-in may have none.
        Err(Error::Pkcs11(RvError::FunctionNotSupported, _)) if !info.login_required() => {
            return Ok(());
        }
        Err(error) => error,
    };
    let Error::Pkcs11(code, _) = error else {
        return Err(error.into());
    };
    Err(match code {
        RvError::PinIncorrect => HsmError::PinIncorrect {
            token: token.label(),
            warning: if !is_so && info.user_pin_final_try() {
                "; that was the last try before it locks"
            } else {
                ""
            },
        },
        RvError::PinLocked => HsmError::PinLocked(token.label()),
        RvError::UserPinNotInitialized => HsmError::PinNotSet(token.label()),
        RvError::PinLenRange | RvError::PinInvalid => pin_form(token),
        _ => error.into(),
    })
}

/// Gives the PIN, or has it typed on the token's pad. A token that has a pad is given none; should
/// it want one nevertheless, which it says before it counts a try, it is given what is at hand.
fn give_pin(session: &Session, token: &Token, user: UserType, pin: &Pin) -> Result<(), Error> {
    let text = pin.as_auth();
    if text.is_some() && !token.has_pad() {
        return session.login(user, text);
    }
    if token.has_pad() {
        tracing::info!(
            token = token.label(),
            "the PIN is to be typed on the token's own pad"
        );
    }
    match session.login(user, None) {
        Err(Error::Pkcs11(
            RvError::ArgumentsBad | RvError::PinLenRange | RvError::PinInvalid,
            _,
        )) if text.is_some() => session.login(user, text),
        other => other,
    }
}

/// What PINs the token takes.
pub(crate) fn pin_form(token: &Token) -> HsmError {
    HsmError::PinForm {
        token: token.label(),
        min: token.info.min_pin_length(),
        max: token.info.max_pin_length(),
    }
}

/// A key in a session, ready to sign.
pub(crate) struct KeyAt<'a> {
    pub(crate) module: &'a Module,
    pub(crate) session: &'a Session,
    pub(crate) handle: ObjectHandle,
    pub(crate) token: &'a Token,
    pub(crate) pin: &'a Pin,
    /// Whether the PIN was refused before, so that it is not given again.
    pub(crate) pin_refused: bool,
    /// Whether the key wants the PIN for each use. Set when that turns out.
    pub(crate) each_use: &'a Cell<bool>,
}

impl KeyAt<'_> {
    /// Signs 32 bytes as they are: what the module returns.
    pub(crate) fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, HsmError> {
        if self.each_use.get() {
            return self.sign_with_pin(digest);
        }
        let error = match self.session.sign(&Mechanism::Ecdsa, self.handle, digest) {
            Err(error @ Error::Pkcs11(RvError::UserNotLoggedIn, _)) => error,
            other => return Ok(other?),
        };
        if self.pin_refused {
            return Err(error.into());
        }
        // The log-in is lost, or the key wants the PIN for each use and the module does not tell.
        match self.sign_with_pin(digest) {
            Ok(signature) => {
                self.each_use.set(true);
                Ok(signature)
            }
            Err(refused @ (HsmError::PinIncorrect { .. } | HsmError::PinLocked(_))) => Err(refused),
            Err(_) => Err(error.into()),
        }
    }

    fn sign_with_pin(&self, digest: &[u8; 32]) -> Result<Vec<u8>, HsmError> {
        self.session.sign_init(&Mechanism::Ecdsa, self.handle)?;
        log_in(
            self.session,
            self.token,
            UserType::ContextSpecific,
            self.pin,
        )?;
        self.module.raw()?.sign(self.session, digest)
    }
}
