//! The C calls that `cryptoki` does not wrap; the only unsafe code of the workspace.
//!
//! * `C_Sign` by itself. A key that requires its PIN for each use requires it between `C_SignInit`
//!   and `C_Sign`, which `cryptoki` combines.
//! * `C_InitToken` and `C_InitPIN` without a PIN, for tokens with a PIN pad.

#![expect(
    unsafe_code,
    reason = "these C calls have no safe wrapper; each has a safety comment"
)]

use std::{path::Path, ptr};

use cryptoki::{context::Function, error::Error, error::Rv, session::Session, slot::Slot};
use cryptoki_sys::{CK_FUNCTION_LIST, CK_ULONG, CKR_OK};

use crate::HsmError;

/// The maximum size of a signature on a 256-bit curve, in bytes: DER has at most 72.
const MAX_SIGNATURE: usize = 256;

/// The size of a token's label, padded with spaces.
const LABEL: usize = 32;

/// A module's functions. The library stays loaded as long as this lives.
#[derive(Clone, Copy)]
pub(crate) struct Raw(CK_FUNCTION_LIST);

impl core::fmt::Debug for Raw {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Raw")
    }
}

impl Raw {
    /// Returns the functions of a library that `cryptoki` has loaded, so that both use the same
    /// instance.
    pub(crate) fn of_loaded(path: &Path) -> Result<Self, HsmError> {
        let lacks = || HsmError::Answer("it lacks a required function".to_owned());
        // SAFETY: the library is loaded already, so no code of it runs here.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }
            .map_err(|error| HsmError::Answer(error.to_string()))?;
        let Ok(get) = library.C_GetFunctionList else {
            return Err(lacks());
        };
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        // SAFETY: the function has this type by the standard and writes a pointer.
        let rv = unsafe { get(&mut list) };
        checked(rv, Function::GetFunctionList)?;
        if list.is_null() {
            return Err(lacks());
        }
        // SAFETY: the pointer is not null and, by the standard, to a list that stays. It may be
        // unaligned, the list being packed on some systems.
        let list = unsafe { ptr::read_unaligned(list) };
        // Another holder keeps the library loaded: modules of this process are never unloaded.
        Ok(Self(list))
    }

    /// Completes a signature that was started in the session.
    pub(crate) fn sign(&self, session: &Session, digest: &[u8; 32]) -> Result<Vec<u8>, HsmError> {
        let call = self.0.C_Sign.ok_or(Error::NullFunctionPointer)?;
        // A copy, since the standard's type allows the module to write to it.
        let mut data = *digest;
        let mut signature = vec![0; MAX_SIGNATURE];
        let mut len = MAX_SIGNATURE as CK_ULONG;
        // SAFETY: both buffers have the lengths given and live until the call returns.
        let rv = unsafe {
            call(
                session.handle(),
                data.as_mut_ptr(),
                data.len() as CK_ULONG,
                signature.as_mut_ptr(),
                &mut len,
            )
        };
        checked(rv, Function::Sign)?;
        signature.truncate(usize::try_from(len).unwrap_or(0));
        Ok(signature)
    }

    /// Initialises a token whose security officer enters a PIN on its pad.
    pub(crate) fn init_token_at_pad(&self, slot: Slot, label: &str) -> Result<(), HsmError> {
        let call = self.0.C_InitToken.ok_or(Error::NullFunctionPointer)?;
        let mut padded = [b' '; LABEL];
        padded
            .iter_mut()
            .zip(label.bytes())
            .for_each(|(to, from)| *to = from);
        // SAFETY: no PIN is a null pointer of length 0; the label has the 32 bytes of the standard.
        let rv = unsafe { call(slot.into(), ptr::null_mut(), 0, padded.as_mut_ptr()) };
        checked(rv, Function::InitToken)
    }

    /// Sets the PIN of the user, who enters it on the token's pad.
    pub(crate) fn init_pin_at_pad(&self, session: &Session) -> Result<(), HsmError> {
        let call = self.0.C_InitPIN.ok_or(Error::NullFunctionPointer)?;
        // SAFETY: no PIN is a null pointer of length 0.
        let rv = unsafe { call(session.handle(), ptr::null_mut(), 0) };
        checked(rv, Function::InitPIN)
    }
}

fn checked(rv: CK_ULONG, function: Function) -> Result<(), HsmError> {
    if rv == CKR_OK {
        return Ok(());
    }
    match Rv::from(rv) {
        Rv::Ok => Ok(()),
        Rv::Error(code) => Err(Error::Pkcs11(code, function).into()),
    }
}
