//! One worker's session: open, logged in, at its key; opened again when it is lost.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use cryptoki::{
    error::{Error, RvError},
    mechanism::Mechanism,
    object::ObjectHandle,
    session::{Session, UserType},
};
use federation_signer::{KeySelector, TokenSelector};
use secp256k1::{PublicKey, ecdsa};

use crate::{
    HsmError, Pin, curve,
    find::{self, Token},
    module::{Module, State},
};

/// The pause before the last try. SoftHSM, for one, fails for a moment when another process writes
/// to the token.
const PAUSE: Duration = Duration::from_millis(100);

/// What all sessions of a key share.
pub(crate) struct Shared {
    pub(crate) module: Arc<Module>,
    pub(crate) token: TokenSelector,
    pub(crate) key: KeySelector,
    pub(crate) pin: Pin,
    /// Set once the PIN was refused: it is not tried again.
    pin_refused: AtomicBool,
    /// One at a time, so that a wrong PIN costs one try and not one for each session.
    log_in: Mutex<()>,
}

impl Shared {
    pub(crate) const fn new(
        module: Arc<Module>,
        token: TokenSelector,
        key: KeySelector,
        pin: Pin,
    ) -> Self {
        Self {
            module,
            token,
            key,
            pin,
            pin_refused: AtomicBool::new(false),
            log_in: Mutex::new(()),
        }
    }

    /// Logs the whole process into the token, if it is not.
    fn log_in(&self, session: &Session, token: &Token) -> Result<(), HsmError> {
        let _one = self.log_in.lock().unwrap_or_else(PoisonError::into_inner);
        if self.pin_refused.load(Ordering::Relaxed) {
            return Err(HsmError::PinIncorrect {
                token: token.label(),
                warning: " (it was not tried again)",
            });
        }
        log_in(session, token, UserType::User, &self.pin).inspect_err(|error| {
            if matches!(
                error,
                HsmError::PinIncorrect { .. } | HsmError::PinLocked(_)
            ) {
                self.pin_refused.store(true, Ordering::Relaxed);
            }
        })
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
    let is_user = matches!(user, UserType::User);
    if is_user && info.user_pin_locked() {
        return Err(HsmError::PinLocked(token.label()));
    }
    let error = match session.login(user, Some(pin.as_auth())) {
        // Of the process, by another session.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => return Ok(()),
        Err(error) => error,
    };
    let Error::Pkcs11(code, _) = error else {
        return Err(error.into());
    };
    Err(match code {
        RvError::PinIncorrect => HsmError::PinIncorrect {
            token: token.label(),
            warning: if is_user && info.user_pin_final_try() {
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

/// What PINs the token takes.
pub(crate) fn pin_form(token: &Token) -> HsmError {
    HsmError::PinForm {
        token: token.label(),
        min: token.info.min_pin_length(),
        max: token.info.max_pin_length(),
    }
}

/// A session at its key.
struct Open {
    session: Session,
    handle: ObjectHandle,
    public_key: PublicKey,
    generation: u64,
}

/// A session that opens when it is needed.
pub(crate) struct KeySession {
    shared: Arc<Shared>,
    open: Option<Open>,
    /// Which key it was the first time.
    known: Option<PublicKey>,
}

impl KeySession {
    pub(crate) const fn new(shared: Arc<Shared>, known: Option<PublicKey>) -> Self {
        Self {
            shared,
            open: None,
            known,
        }
    }

    /// Opens it if it is not; its public key.
    pub(crate) fn public_key(&mut self) -> Result<PublicKey, HsmError> {
        self.retried(|open| Ok(open.public_key))
    }

    /// Signs 32 bytes as they are. The signature has low S and is not verified yet.
    pub(crate) fn sign(&mut self, digest: &[u8; 32]) -> Result<ecdsa::Signature, HsmError> {
        self.retried(|open| {
            let bytes = open.session.sign(&Mechanism::Ecdsa, open.handle, digest)?;
            curve::signature(&bytes)
                .ok_or_else(|| HsmError::Answer("it is no ECDSA signature".to_owned()))
        })
    }

    /// Does something with the open session. If the session turns out to be lost, it is opened
    /// again and the thing done again, and at last with the module initialised again.
    fn retried<T>(&mut self, act: impl Fn(&Open) -> Result<T, HsmError>) -> Result<T, HsmError> {
        let (first, _) = match self.once(&act) {
            Err((error, generation)) if error.is_loss() => (error, generation),
            other => return other.map_err(|(error, _)| error),
        };
        tracing::warn!(error = %first, "a PKCS#11 session is lost and opened again");
        let (second, generation) = match self.once(&act) {
            Err((error, generation)) if error.is_loss() => (error, generation),
            other => return other.map_err(|(error, _)| error),
        };
        tracing::debug!(error = %second, "opening the session again did not help");
        thread::sleep(PAUSE);
        self.shared.module.clone().restart(generation)?;
        self.once(&act).map_err(|(error, _)| error)
    }

    /// One try, and the module's generation at it.
    fn once<T>(
        &mut self,
        act: impl Fn(&Open) -> Result<T, HsmError>,
    ) -> Result<T, (HsmError, u64)> {
        let module = self.shared.module.clone();
        let state = module.enter();
        let generation = state.generation;
        let open = match self.open.take() {
            Some(open) if open.generation == generation => open,
            // Of an earlier generation: its number may be another session's by now.
            _ => self.open_at(&state).map_err(|error| (error, generation))?,
        };
        match act(&open) {
            Ok(value) => {
                self.open = Some(open);
                Ok(value)
            }
            Err(error) => {
                close(open.session, &error);
                Err((error, generation))
            }
        }
    }

    fn open_at(&mut self, state: &State) -> Result<Open, HsmError> {
        let shared = &self.shared;
        let token = find::token(&state.pkcs11, &shared.token)?;
        let session = match state.pkcs11.open_ro_session_no_drop(token.slot) {
            Err(Error::Pkcs11(RvError::SessionCount, _)) => {
                return Err(HsmError::NoMoreSessions(token.label()));
            }
            other => other?,
        };
        let found = shared
            .log_in(&session, &token)
            .and_then(|()| find::key(&session, &token.label(), &shared.key))
            .and_then(|found| match self.known {
                Some(known) if known != found.public_key => {
                    Err(HsmError::KeyChanged(shared.key.clone()))
                }
                _ => Ok(found),
            });
        match found {
            Ok(found) => {
                self.known = Some(found.public_key);
                Ok(Open {
                    session,
                    handle: found.handle,
                    public_key: found.public_key,
                    generation: state.generation,
                })
            }
            Err(error) => {
                close(session, &error);
                Err(error)
            }
        }
    }
}

/// Closes a session after an error.
fn close(session: Session, after: &HsmError) {
    if after.code() == Some(RvError::CryptokiNotInitialized) {
        return;
    }
    if let Err(error) = session.close() {
        tracing::debug!(%error, "a PKCS#11 session was closed already");
    }
}

impl Drop for KeySession {
    fn drop(&mut self) {
        let module = self.shared.module.clone();
        let state = module.enter();
        if let Some(open) = self.open.take()
            && open.generation == state.generation
        {
            // It may be gone already, which is as well.
            let _ = open.session.close();
        }
    }
}
