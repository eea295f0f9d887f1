//! A logged-in user, for the duration of one operation.

use core::cell::Cell;

use cryptoki::{
    error::RvError,
    session::{Session, UserType},
};
use federation_signer::TokenSelector;

use crate::{
    HsmError, Pin,
    find::{self, FoundKey, Token},
    module::{Module, State},
    session::{self, Closing, Mode, Opened, SessionKey, log_in},
};

/// A logged-in user.
pub(super) struct User<'a> {
    pub(super) session: Session,
    pub(super) token: Token,
    module: &'a Module,
    pin: &'a Pin,
    /// Why the session cannot modify the token, if so.
    read_only: Option<HsmError>,
}

impl<'a> User<'a> {
    pub(super) fn log_in(
        module: &'a Module,
        state: &State,
        token: &TokenSelector,
        pin: &'a Pin,
        mode: Mode,
    ) -> Result<Self, HsmError> {
        let token = find::token(&state.pkcs11, token)?;
        let Opened { session, refused } =
            session::open(&state.pkcs11, &token, mode, Closing::OnDrop)?;
        log_in(&session, &token, UserType::User, pin)?;
        Ok(Self {
            session,
            token,
            module,
            pin,
            read_only: refused.filter(|_| mode == Mode::Write),
        })
    }

    /// Uses a key.
    pub(super) fn with_key<T>(
        &self,
        key: &FoundKey,
        act: impl FnOnce(&SessionKey<'_>) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        act(&SessionKey {
            module: self.module,
            session: &self.session,
            handle: key.handle,
            token: &self.token,
            pin: self.pin,
            pin_refused: false,
            each_use: &Cell::new(key.each_use),
        })
    }

    /// Returns the reason for a failed write: that the session is read-only, if so; otherwise the
    /// error named for the code, or the error itself.
    pub(super) fn not_written(
        &self,
        error: HsmError,
        named: impl FnOnce(RvError) -> Option<HsmError>,
    ) -> HsmError {
        let read_only = self.read_only.clone();
        read_only
            .or_else(|| error.code().and_then(named))
            .unwrap_or(error)
    }
}
