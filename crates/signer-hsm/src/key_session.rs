//! A worker's session: open, logged in, with its key; reopened when it is lost.

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
    session::{self, Closing, Mode, SessionKey, close},
};

/// The pause before the last attempt. SoftHSM, for example, fails briefly while another process
/// writes to the token.
const PAUSE: Duration = Duration::from_millis(100);

/// The minimum time for a person to enter a PIN on a pad.
const AT_PAD: Duration = Duration::from_secs(120);

/// The state shared by all sessions of a key.
pub(crate) struct Shared {
    pub(crate) module: Arc<Module>,
    pub(crate) token: TokenSelector,
    pub(crate) key: KeySelector,
    pub(crate) pin: Pin,
    /// The expected public key, if known.
    pub(crate) expected: Option<PublicKey>,
    pub(crate) call_limit: Arc<CallLimit>,
    /// Set once the PIN was refused: it is not tried again.
    pin_refused: AtomicBool,
    /// Held during a login, so that a wrong PIN costs one attempt and not one per session.
    log_in: Mutex<()>,
}

/// The timeout of calls.
#[derive(Debug)]
pub(crate) struct CallLimit {
    timeout: Duration,
    /// Whether a person enters the PIN on the token's pad.
    at_pad: AtomicBool,
    /// The last call started, which is named in an error if it does not return.
    call: Mutex<&'static str>,
}

impl CallLimit {
    pub(crate) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            at_pad: AtomicBool::new(false),
            call: Mutex::new("C_Initialize"),
        }
    }

    /// Records the start of a call. Calls of several threads are not distinguished: the record is
    /// used only while a key is opened, by one thread.
    pub(crate) fn begin(&self, call: &'static str) {
        *self.call.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }

    /// Returns the error for a key that is not open in time.
    pub(crate) fn opening_error(&self) -> HsmError {
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
        call_limit: Arc<CallLimit>,
    ) -> Self {
        Self {
            module,
            token,
            key,
            pin,
            expected,
            call_limit,
            pin_refused: AtomicBool::new(false),
            log_in: Mutex::new(()),
        }
    }

    /// Logs in the whole process at the token, if it is not logged in.
    fn log_in(&self, session: &Session, token: &Token) -> Result<(), HsmError> {
        let _one = self.log_in.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_pin_allowed(token)?;
        self.recording_refusal(session::log_in(session, token, UserType::User, &self.pin))
    }

    fn check_pin_allowed(&self, token: &Token) -> Result<(), HsmError> {
        if self.pin_refused.load(Ordering::Relaxed) {
            return Err(HsmError::PinIncorrect {
                token: token.label(),
                warning: " (it was not tried again)",
            });
        }
        Ok(())
    }

    fn recording_refusal<T>(&self, result: Result<T, HsmError>) -> Result<T, HsmError> {
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

/// An open session with its key.
struct Open {
    session: Session,
    token: Token,
    key: FoundKey,
    public_key: PublicKey,
    each_use: Cell<bool>,
    generation: u64,
}

/// A session that is opened on demand.
pub(crate) struct KeySession {
    shared: Arc<Shared>,
    open: Option<Open>,
    /// The key found the first time.
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

    /// Opens it if necessary; returns the public key.
    pub(crate) fn public_key(&mut self) -> Result<PublicKey, HsmError> {
        self.retried(&|| true, |_, open| Ok(open.public_key))
    }

    /// Signs 32 bytes, unless the signature is no longer wanted; returns the module's raw result.
    pub(crate) fn sign(
        &mut self,
        digest: &[u8; 32],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, HsmError> {
        self.retried(wanted, |shared, open| {
            // It may have taken long to get here.
            if !wanted() {
                return Err(HsmError::Timeout(shared.call_limit.limit()));
            }
            if open.each_use.get() {
                shared.check_pin_allowed(&open.token)?;
            }
            let key = key_at(
                shared,
                &open.session,
                &open.token,
                &open.key,
                &open.each_use,
            );
            shared.recording_refusal(key.sign(digest))
        })
    }

    /// Performs an operation in the open session. If the session turns out to be lost, it is
    /// reopened and the operation repeated; the last attempt is made with the module reinitialised.
    fn retried<T>(
        &mut self,
        wanted: &dyn Fn() -> bool,
        act: impl Fn(&Shared, &Open) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let (first, _) = match self.once(&act) {
            Err((error, generation)) if error.is_loss() && wanted() => (error, generation),
            other => return other.map_err(|(error, _)| error),
        };
        tracing::warn!(error = %first, "PKCS#11 session lost: reopening");
        let (second, generation) = match self.once(&act) {
            Err((error, generation)) if error.is_loss() && wanted() => (error, generation),
            other => return other.map_err(|(error, _)| error),
        };
        tracing::debug!(error = %second, "PKCS#11 session lost again");
        thread::sleep(PAUSE);
        self.shared.call_limit.begin("C_Initialize");
        self.shared.module.clone().restart(generation)?;
        self.once(&act).map_err(|(error, _)| error)
    }

    /// One attempt; on error also returns the generation of the module.
    fn once<T>(
        &mut self,
        act: impl Fn(&Shared, &Open) -> Result<T, HsmError>,
    ) -> Result<T, (HsmError, u64)> {
        let shared = self.shared.clone();
        let state = shared.module.enter();
        let generation = state.generation;
        let open = match self.open.take() {
            Some(open) if open.generation == generation => open,
            // From an earlier generation: its handle may belong to another session by now.
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
        shared.call_limit.begin("C_GetTokenInfo");
        let token = find::token(&state.pkcs11, &shared.token)?;
        shared
            .call_limit
            .at_pad
            .store(token.has_pad(), Ordering::Relaxed);
        shared.call_limit.begin("C_OpenSession");
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

    /// Returns the key and its public key: the one reported by the token, otherwise the expected
    /// one, which the first signature confirms, otherwise the one determined by two signatures.
    fn find(&self, session: &Session, token: &Token) -> Result<(FoundKey, PublicKey), HsmError> {
        let shared = &self.shared;
        shared.call_limit.begin("C_Login");
        shared.log_in(session, token)?;
        shared.call_limit.begin("C_FindObjects");
        let key = find::key(session, &token.label(), &shared.key)?;
        let told = key.certain();
        let public_key = match told.or(self.known).or(shared.expected) {
            Some(public_key) => public_key,
            None => {
                shared.call_limit.begin("C_Sign");
                let each_use = Cell::new(key.each_use);
                let at = key_at(shared, session, token, &key, &each_use);
                shared.recording_refusal(find::by_signatures(&at, &key, &shared.key))?
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
) -> SessionKey<'a> {
    SessionKey {
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
            // It may be gone already, which is fine.
            let _ = open.session.close();
        }
    }
}
