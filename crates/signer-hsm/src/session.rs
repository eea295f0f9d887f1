//! Sessions: opened in the mode that the token supports, logged in, and signing.

use core::cell::Cell;

use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    mechanism::Mechanism,
    object::ObjectHandle,
    session::{Session, UserType},
};

use crate::{HsmError, Pin, find::Token, module::Module};

/// The mode of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To find and use objects.
    Read,
    /// To create or import objects.
    Write,
}

/// A session, and the reason if it is not in the requested mode.
pub(crate) struct Opened {
    pub(crate) session: Session,
    /// The error for the requested mode.
    pub(crate) refused: Option<HsmError>,
}

/// How a session is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// When it is dropped.
    OnDrop,
    /// By the caller, who knows whether its handle may belong to another session by then.
    ByHand,
}

/// Opens a session. Some modules have no read-only sessions, and a write-protected token has no
/// others: if one mode is refused, the other is tried.
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
            tracing::debug!(%refused, ?mode, "session opened in the other mode");
            Ok(Opened {
                session,
                refused: Some(refused),
            })
        }
        // The first error is the relevant one.
        Err(_) => Err(refused),
    }
}

/// Returns whether another mode cannot help.
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
        tracing::debug!(%error, "PKCS#11 session already closed");
    }
}

/// Logs in; errors about the PIN are specific.
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
    let error = match send_pin(session, token, user, pin) {
        // The process is logged in already, by another session.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => return Ok(()),
        // Tokens that require no login may not support it.
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

/// Passes the PIN, or has it entered on the token's pad. A token with a pad is not given a PIN; if
/// it requires one nevertheless, which it reports before it counts an attempt, it is given the one
/// available.
fn send_pin(session: &Session, token: &Token, user: UserType, pin: &Pin) -> Result<(), Error> {
    let text = pin.as_auth();
    if text.is_some() && !token.has_pad() {
        return session.login(user, text);
    }
    if token.has_pad() {
        tracing::info!(token = token.label(), "enter the PIN on the token's pad");
    }
    match session.login(user, None) {
        Err(Error::Pkcs11(
            RvError::ArgumentsBad | RvError::PinLenRange | RvError::PinInvalid,
            _,
        )) if text.is_some() => session.login(user, text),
        other => other,
    }
}

/// Returns the error about the form of PINs that the token accepts.
pub(crate) fn pin_form(token: &Token) -> HsmError {
    HsmError::PinForm {
        token: token.label(),
        min: token.info.min_pin_length(),
        max: token.info.max_pin_length(),
    }
}

/// A key in a session, ready to sign.
pub(crate) struct SessionKey<'a> {
    pub(crate) module: &'a Module,
    pub(crate) session: &'a Session,
    pub(crate) handle: ObjectHandle,
    pub(crate) token: &'a Token,
    pub(crate) pin: &'a Pin,
    /// Whether the PIN was refused before, so that it is not sent again.
    pub(crate) pin_refused: bool,
    /// Whether the key requires the PIN for each use. Set once that is known.
    pub(crate) each_use: &'a Cell<bool>,
}

impl SessionKey<'_> {
    /// Signs 32 bytes; returns the module's raw result.
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
        // The login is lost, or the key requires the PIN for each use and the module does not
        // report it.
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
