//! A loaded module, one per process and library.
//!
//! PKCS#11 keeps its state per process: one initialisation, one log-in per token, and a
//! finalisation ends the sessions of everybody. So each library is loaded once, and everything that
//! uses it holds a *generation*: session handles of an earlier one are dead, and their numbers may
//! have been given out again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError},
    thread,
    time::{Duration, Instant},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};

use crate::HsmError;

/// The least time from one initialisation to the next, so that a broken module is not restarted
/// without end while other tokens of it work.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How long a restart waits for the calls of other threads to end.
const RESTART_WAIT: Duration = Duration::from_secs(2);

/// A loaded and initialised module.
#[derive(Debug)]
pub(crate) struct Module {
    state: RwLock<State>,
}

/// What a call needs; held while the call runs, so that no restart comes between.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) pkcs11: Pkcs11,
    pub(crate) generation: u64,
    begun: Instant,
}

impl Module {
    /// Loads a library, or finds it loaded.
    pub(crate) fn load(path: &Path) -> Result<Arc<Self>, HsmError> {
        /// All that were loaded. They stay: a library that was unloaded leaves threads behind.
        static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

        let path = path
            .canonicalize()
            .map_err(|_| HsmError::NoSuchModule(path.to_owned()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&path) {
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
        initialize(&pkcs11)?;
        let module = Arc::new(Self {
            state: RwLock::new(State {
                pkcs11,
                generation: 0,
                begun: Instant::now(),
            }),
        });
        loaded.insert(path, module.clone());
        Ok(module)
    }

    /// The module for one call or a few.
    pub(crate) fn enter(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finalises and initialises the module, unless that was done since this generation, or just
    /// now. Gives up when other calls do not end.
    pub(crate) fn restart(&self, seen: u64) -> Result<(), HsmError> {
        let deadline = Instant::now() + RESTART_WAIT;
        let mut state = loop {
            match self.state.try_write() {
                Ok(state) => break state,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(HsmError::Timeout(RESTART_WAIT));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        };
        if state.generation != seen || state.begun.elapsed() < RESTART_PAUSE {
            return Ok(());
        }
        tracing::warn!("the PKCS#11 module is initialised again");
        state.generation += 1;
        state.begun = Instant::now();
        match state.pkcs11.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            // Initialising will tell.
            Err(error) => tracing::warn!(%error, "the PKCS#11 module does not finalise"),
        }
        initialize(&state.pkcs11)
    }
}

fn initialize(pkcs11: &Pkcs11) -> Result<(), HsmError> {
    let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    match pkcs11.initialize(args) {
        // Someone else in this process uses it, too.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
