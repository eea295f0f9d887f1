//! A loaded module, one per process and library.
//!
//! PKCS#11 keeps its state per process: one initialisation, one log-in per token, and a
//! finalisation ends the sessions of everybody. So each library is loaded once, and everything that
//! uses it holds a *generation*: session handles of an earlier one are dead, and their numbers may
//! have been given out again.

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

/// The least time from one initialisation to the next, so that a broken module is not restarted
/// without end while other tokens of it work.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How long a restart waits for the calls of other threads to end, once it may begin.
const RESTART_WAIT: Duration = Duration::from_secs(2);

/// How often a restart looks whether it may begin.
const RESTART_POLL: Duration = Duration::from_millis(5);

/// A loaded and initialised module.
#[derive(Debug)]
pub(crate) struct Module {
    path: PathBuf,
    state: RwLock<State>,
    /// Held for each call of a module that takes one thread at a time.
    one: Option<Mutex<()>>,
    raw: OnceLock<Result<Raw, HsmError>>,
}

/// Where one module is, once it is initialised.
type Place = Arc<Mutex<Option<Arc<Module>>>>;

/// The module for one call or a few; while this lives, no restart comes between.
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

/// What a call needs.
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
        static LOADED: Mutex<BTreeMap<PathBuf, Place>> = Mutex::new(BTreeMap::new());

        let path = path
            .canonicalize()
            .map_err(|_| HsmError::NoSuchModule(path.to_owned()))?;
        let place = {
            let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.entry(path.clone()).or_default().clone()
        };
        // A module that hangs as it is initialised holds up itself alone.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = place.as_ref() {
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
                begun: Instant::now(),
            }),
        });
        *place = Some(module.clone());
        Ok(module)
    }

    /// The module for one call or a few.
    pub(crate) fn enter(&self) -> Entered<'_> {
        let one = self.one.as_ref();
        Entered {
            _one: one.map(|one| one.lock().unwrap_or_else(PoisonError::into_inner)),
            state: self.state.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The calls that have no safe wrapper.
    pub(crate) fn raw(&self) -> Result<Raw, HsmError> {
        self.raw.get_or_init(|| Raw::of_loaded(&self.path)).clone()
    }

    /// Finalises and initialises the module, unless that was done since this generation. Waits for
    /// the pause since the last time, and gives up when other calls do not end.
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
                Some(state) if state.begun.elapsed() >= RESTART_PAUSE => break state,
                None if Instant::now() > deadline => return Err(HsmError::Timeout(RESTART_WAIT)),
                _ => thread::sleep(RESTART_POLL),
            }
        };
        tracing::warn!("the PKCS#11 module is initialised again");
        state.generation += 1;
        state.begun = Instant::now();
        match state.pkcs11.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            // Initialising will tell.
            Err(error) => tracing::warn!(%error, "the PKCS#11 module does not finalise"),
        }
        initialize(&state.pkcs11).map(drop)
    }
}

/// Initialises a module; whether it takes calls of several threads at once.
fn initialize(pkcs11: &Pkcs11) -> Result<bool, HsmError> {
    let as_asked = |flags| match pkcs11.initialize(CInitializeArgs::new(flags)) {
        // Someone else in this process uses it, too.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(Error::Pkcs11(code, _)) => Err(HsmError::NotStarted(code)),
        Err(error) => Err(error.into()),
    };
    match as_asked(CInitializeFlags::OS_LOCKING_OK) {
        Err(HsmError::NotStarted(RvError::CantLock)) => {
            tracing::info!("the PKCS#11 module takes calls of one thread at a time");
            as_asked(CInitializeFlags::empty()).map(|()| false)
        }
        other => other.map(|()| true),
    }
}
