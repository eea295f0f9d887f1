//! One worker's session: open, logged in, at its key; opened again when it is lost.

use core::cell::Cell;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use cryptoki::session::{Session, UserType};
use federation_signer::{KeySelector, TokenSelector};
use secp256k1::PublicKey;

use crate::{
    HsmError, Pin,
    find::{self, FoundKey, Token},
    module::{Module, State},
    session::{self, Closing, KeyAt, Mode, close},
};

/// The pause before the last try. SoftHSM, for one, fails for a moment when another process writes
/// to the token.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a person may take to type a PIN on a pad, at least.
const AT_PAD: Duration = Duration::from_secs(120);

/// What all sessions of a key share.
pub(crate) struct Shared {
    pub(crate) module: Arc<Module>,
    pub(crate) token: TokenSelector,
    pub(crate) key: KeySelector,
    pub(crate) pin: Pin,
    /// Which key it must be, if that is known.
    pub(crate) expected: Option<PublicKey>,
    pub(crate) patience: Arc<Patience>,
    /// Set once the PIN was refused: it is not tried again.
    pin_refused: AtomicBool,
    /// One at a time, so that a wrong PIN costs one try and not one for each session.
    log_in: Mutex<()>,
}

/// How long calls are waited for.
#[derive(Debug)]
pub(crate) struct Patience {
    timeout: Duration,
    /// Whether a person types the PIN on the token's pad.
    at_pad: AtomicBool,
    /// The call that was begun last, to be named should it not come back.
    call: Mutex<&'static str>,
}

impl Patience {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            at_pad: AtomicBool::new(false),
            call: Mutex::new("C_Initialize"),
        }
    }

    /// Notes which call begins. Those of several threads are not told apart: it is asked for while a
    /// key is opened, by one.
    pub(crate) fn begins(&self, call: &'static str) {
        *self.call.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }

    /// What is wrong when a key is not open in time.
    pub(crate) fn opening(&self) -> HsmError {
        HsmError::Opening {
            call: *self.call.lock().unwrap_or_else(PoisonError::into_inner),
            limit: self.limit(),
        }
    }

    pub(crate) fn limit(&self) -> Duration {
        if self.at_pad.load(Ordering::Relaxed) {
            self.timeout.max(AT_PAD)
        } else {
            self.timeout
        }
    }
}

impl Shared {
    pub(crate) const fn new(
        module: Arc<Module>,
        token: TokenSelector,
        key: KeySelector,
        pin: Pin,
        expected: Option<PublicKey>,
        patience: Arc<Patience>,
    ) -> Self {
        Self {
            module,
            token,
            key,
            pin,
            expected,
            patience,
            pin_refused: AtomicBool::new(false),
            log_in: Mutex::new(()),
        }
    }

    /// Logs the whole process into the token, if it is not.
    fn log_in(&self, session: &Session, token: &Token) -> Result<(), HsmError> {
        let _one = self.log_in.lock().unwrap_or_else(PoisonError::into_inner);
        self.may_give_pin(token)?;
        self.noting_refusal(session::log_in(session, token, UserType::User, &self.pin))
    }

    fn may_give_pin(&self, token: &Token) -> Result<(), HsmError> {
        if self.pin_refused.load(Ordering::Relaxed) {
            return Err(HsmError::PinIncorrect {
                token: token.label(),
                warning: " (it was not tried again)",
            });
        }
        Ok(())
    }

    fn noting_refusal<T>(&self, result: Result<T, HsmError>) -> Result<T, HsmError> {
        result.inspect_err(|error| {
            if matches!(
                error,
                HsmError::PinIncorrect { .. } | HsmError::PinLocked(_)
            ) {
                self.pin_refused.store(true, Ordering::Relaxed);
            }
        })
    }
}

/// A session at its key.
struct Open {
    session: Session,
    token: Token,
    key: FoundKey,
    public_key: PublicKey,
    each_use: Cell<bool>,
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
        self.retried(&|| true, |_, open| Ok(open.public_key))
    }

    /// Signs 32 bytes as they are, unless nobody wants it any more: what the module returns.
    pub(crate) fn sign(
        &mut self,
        digest: &[u8; 32],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, HsmError> {
        self.retried(wanted, |shared, open| {
            // It may have taken long to get here.
            if !wanted() {
                return Err(HsmError::Timeout(shared.patience.limit()));
            }
            if open.each_use.get() {
                shared.may_give_pin(&open.token)?;
            }
            let key = key_at(
                shared,
                &open.session,
                &open.token,
                &open.key,
                &open.each_use,
            );
            shared.noting_refusal(key.sign(digest))
        })
    }

    /// Does something with the open session. If the session turns out to be lost, it is opened
    /// again and the thing done again, and at last with the module initialised again.
    fn retried<T>(
        &mut self,
        wanted: &dyn Fn() -> bool,
        act: impl Fn(&Shared, &Open) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let (first, _) = match self.once(&act) {
            Err((error, generation)) if error.is_loss() && wanted() => (error, generation),
            other => return other.map_err(|(error, _)| error),
        };
        tracing::warn!(error = %first, "a PKCS#11 session is lost and opened again");
        let (second, generation) = match self.once(&act) {
            Err((error, generation)) if error.is_loss() && wanted() => (error, generation),
            other => return other.map_err(|(error, _)| error),
        };
        tracing::debug!(error = %second, "opening the session again did not help");
        thread::sleep(PAUSE);
        self.shared.patience.begins("C_Initialize");
        self.shared.module.clone().restart(generation)?;
        self.once(&act).map_err(|(error, _)| error)
    }

    /// One try, and the module's generation at it.
    fn once<T>(
        &mut self,
        act: impl Fn(&Shared, &Open) -> Result<T, HsmError>,
    ) -> Result<T, (HsmError, u64)> {
        let shared = self.shared.clone();
        let state = shared.module.enter();
        let generation = state.generation;
        let open = match self.open.take() {
            Some(open) if open.generation == generation => open,
            // Of an earlier generation: its number may be another session's by now.
            _ => self.open_at(&state).map_err(|error| (error, generation))?,
        };
        match act(&shared, &open) {
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
        let shared = self.shared.clone();
        shared.patience.begins("C_GetTokenInfo");
        let token = find::token(&state.pkcs11, &shared.token)?;
        shared
            .patience
            .at_pad
            .store(token.has_pad(), Ordering::Relaxed);
        shared.patience.begins("C_OpenSession");
        let session = session::open(&state.pkcs11, &token, Mode::Read, Closing::ByHand)?.session;
        match self.find(&session, &token) {
            Ok((key, public_key)) => {
                self.known = Some(public_key);
                Ok(Open {
                    session,
                    token,
                    each_use: Cell::new(key.each_use),
                    key,
                    public_key,
                    generation: state.generation,
                })
            }
            Err(error) => {
                close(session, &error);
                Err(error)
            }
        }
    }

    /// The key, and its public half: what the token tells, else which it must be, which the first
    /// signature proves, else what two signatures tell.
    fn find(&self, session: &Session, token: &Token) -> Result<(FoundKey, PublicKey), HsmError> {
        let shared = &self.shared;
        shared.patience.begins("C_Login");
        shared.log_in(session, token)?;
        shared.patience.begins("C_FindObjects");
        let key = find::key(session, &token.label(), &shared.key)?;
        let told = key.certain();
        let public_key = match told.or(self.known).or(shared.expected) {
            Some(public_key) => public_key,
            None => {
                shared.patience.begins("C_Sign");
                let each_use = Cell::new(key.each_use);
                let at = key_at(shared, session, token, &key, &each_use);
                shared.noting_refusal(find::by_signatures(&at, &key, &shared.key))?
            }
        };
        match self.known {
            Some(known) if known != public_key => Err(HsmError::KeyChanged(shared.key.clone())),
            _ => Ok((key, public_key)),
        }
    }
}

fn key_at<'a>(
    shared: &'a Shared,
    session: &'a Session,
    token: &'a Token,
    key: &FoundKey,
    each_use: &'a Cell<bool>,
) -> KeyAt<'a> {
    KeyAt {
        module: &shared.module,
        session,
        handle: key.handle,
        token,
        pin: &shared.pin,
        pin_refused: shared.pin_refused.load(Ordering::Relaxed),
        each_use,
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
