//! A loaded module, one per process and library.
//!
//! PKCS#11 keeps state per process: one initialisation, one login per token, and a finalisation
//! ends the sessions of all users in the process. So each library is loaded once, and everything
//! that uses it holds a *generation*: session handles from an earlier one are invalid, and their
//! numbers may have been reused.

use core::ops::Deref;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, TryLockError},
    thread,
    time::{Duration, Instant},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};

use crate::{HsmError, raw::Raw};

/// The minimum time between initialisations, so that a broken module is not restarted endlessly
/// while other tokens of it work.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How long a restart waits for calls of other threads to end.
const RESTART_WAIT: Duration = Duration::from_secs(2);

/// The polling interval of a restart.
const RESTART_POLL: Duration = Duration::from_millis(5);

/// A loaded and initialised module.
#[derive(Debug)]
pub(crate) struct Module {
    path: PathBuf,
    state: RwLock<State>,
    /// Held for each call of a module that is not thread-safe.
    one: Option<Mutex<()>>,
    raw: OnceLock<Result<Raw, HsmError>>,
}

/// The slot of a module, filled once it is initialised.
type ModuleSlot = Arc<Mutex<Option<Arc<Module>>>>;

/// Access to the module for a few calls; prevents a restart while it exists.
pub(crate) struct Entered<'a> {
    state: RwLockReadGuard<'a, State>,
    _one: Option<MutexGuard<'a, ()>>,
}

impl Deref for Entered<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

/// The state that calls need.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pkcs11: Pkcs11,
    pub(crate) generation: u64,
    started: Instant,
}

impl Module {
    /// Loads a library, unless it is loaded already.
    pub(crate) fn load(path: &Path) -> Result<Arc<Self>, HsmError> {
        /// All modules loaded so far. They stay loaded: an unloaded library would leave threads
        /// behind.
        static LOADED: Mutex<BTreeMap<PathBuf, ModuleSlot>> = Mutex::new(BTreeMap::new());

        let path = path
            .canonicalize()
            .map_err(|_| HsmError::NoSuchModule(path.to_owned()))?;
        let slot = {
            let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.entry(path.clone()).or_default().clone()
        };
        // A module that hangs during initialisation delays only its own users.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = slot.as_ref() {
            return Ok(module.clone());
        }
        let pkcs11 = Pkcs11::new(&path).map_err(|error| HsmError::NotAModule {
            path: path.clone(),
            reason: match error {
                Error::MissingSymbol(name) => format!("it has no {name}"),
                Error::LibraryLoading(error) => error.to_string(),
                other => other.to_string(),
            },
        })?;
        let threads = initialize(&pkcs11)?;
        let module = Arc::new(Self {
            path,
            one: (!threads).then(Mutex::default),
            raw: OnceLock::new(),
            state: RwLock::new(State {
                pkcs11,
                generation: 0,
                started: Instant::now(),
            }),
        });
        *slot = Some(module.clone());
        Ok(module)
    }

    /// Gives access to the module for a few calls.
    pub(crate) fn enter(&self) -> Entered<'_> {
        let one = self.one.as_ref();
        Entered {
            _one: one.map(|one| one.lock().unwrap_or_else(PoisonError::into_inner)),
            state: self.state.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Returns the calls without a safe wrapper.
    pub(crate) fn raw(&self) -> Result<Raw, HsmError> {
        self.raw.get_or_init(|| Raw::of_loaded(&self.path)).clone()
    }

    /// Reinitialises the module, unless that was done since this generation. Waits for the pause
    /// since the last time, and gives up if other calls do not end.
    pub(crate) fn restart(&self, seen: u64) -> Result<(), HsmError> {
        let deadline = Instant::now() + RESTART_PAUSE + RESTART_WAIT;
        let mut state = loop {
            let free = match self.state.try_write() {
                Ok(state) => Some(state),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            match free {
                Some(state) if state.generation != seen => return Ok(()),
                Some(state) if state.started.elapsed() >= RESTART_PAUSE => break state,
                None if Instant::now() > deadline => return Err(HsmError::Timeout(RESTART_WAIT)),
                _ => thread::sleep(RESTART_POLL),
            }
        };
        tracing::warn!("reinitialising the PKCS#11 module");
        state.generation += 1;
        state.started = Instant::now();
        match state.pkcs11.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            // The initialisation will show whether this matters.
            Err(error) => tracing::warn!(%error, "PKCS#11 module not finalised"),
        }
        initialize(&state.pkcs11).map(drop)
    }
}

/// Initialises a module; returns whether it is thread-safe.
fn initialize(pkcs11: &Pkcs11) -> Result<bool, HsmError> {
    let with_flags = |flags| match pkcs11.initialize(CInitializeArgs::new(flags)) {
        // Something else in this process uses it too.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(Error::Pkcs11(code, _)) => Err(HsmError::NotStarted(code)),
        Err(error) => Err(error.into()),
    };
    match with_flags(CInitializeFlags::OS_LOCKING_OK) {
        Err(HsmError::NotStarted(RvError::CantLock)) => {
            tracing::info!("PKCS#11 module is not thread-safe: its calls are serialised");
            with_flags(CInitializeFlags::empty()).map(|()| false)
        }
        other => other.map(|()| true),
    }
}
