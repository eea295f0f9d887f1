//! Errors of a module, its tokens and its keys.

use std::{path::PathBuf, time::Duration};

use cryptoki::{
    context::Function,
    error::{Error, RvError},
};
use federation_signer::{KeySelector, SignerError, TokenSelector};

/// An error of a module, its tokens or its keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HsmError {
    /// The file does not exist.
    #[error("there is no PKCS#11 module at `{}`: give the path of the vendor's library", .0.display())]
    NoSuchModule(PathBuf),
    /// The file is not a PKCS#11 module, or one of its dependencies is missing.
    #[error("`{}` is not a PKCS#11 module: {reason}: give the path of the vendor's library", path.display())]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// The error reported by the system.
        reason: String,
    },
    /// No token matches the selector.
    #[error(
        "no token matches {selector}; found: {found}: check `multisig hsm list`, and that the token is plugged in"
    )]
    TokenMissing {
        /// The selector.
        selector: TokenSelector,
        /// The tokens found.
        found: String,
    },
    /// Several tokens match the selector.
    #[error("{count} tokens match {selector}: choose one by its serial number, serial:..")]
    TokenAmbiguous {
        /// The selector.
        selector: TokenSelector,
        /// The number of matches.
        count: usize,
    },
    /// The PIN is wrong. It is not tried again, since tokens lock after a few attempts.
    #[error("token `{token}` refuses the PIN{warning}: correct it and start again")]
    PinIncorrect {
        /// The token's label.
        token: String,
        /// The token's information about remaining attempts.
        warning: &'static str,
    },
    /// The PIN is locked after too many wrong attempts.
    #[error("the user PIN of token `{0}` is locked: its security officer must set a new one")]
    PinLocked(String),
    /// The token has no user PIN yet.
    #[error(
        "token `{0}` has no user PIN: its security officer must set one with the vendor's tool"
    )]
    PinNotSet(String),
    /// The token does not accept a PIN of this length or form.
    #[error("token `{token}` only accepts PINs of {min} to {max} characters: choose another")]
    PinForm {
        /// The token's label.
        token: String,
        /// The minimum length.
        min: usize,
        /// The maximum length.
        max: usize,
    },
    /// The token has no PIN pad, and no PIN was given.
    #[error("token `{0}` has no PIN pad: give a source for the PIN")]
    NoPinPad(String),
    /// The token allows no more sessions.
    #[error(
        "token `{0}` allows no more sessions: reduce `sessions`, or stop other programs that use it"
    )]
    NoMoreSessions(String),
    /// No private key matches the selector.
    #[error("token `{token}` has no private key {selector}; found: {found}: choose one of them")]
    KeyMissing {
        /// The token's label.
        token: String,
        /// The selector.
        selector: KeySelector,
        /// The labels of the keys found.
        found: String,
    },
    /// The token has no private keys.
    #[error(
        "token `{token}` has no private key {selector}, nor any other: create one with `multisig hsm keygen`"
    )]
    NoKeys {
        /// The token's label.
        token: String,
        /// The selector.
        selector: KeySelector,
    },
    /// Several private keys match the selector.
    #[error(
        "token `{token}` has {count} private keys {selector}: choose one by its id, id:.., or remove the others"
    )]
    KeyAmbiguous {
        /// The token's label.
        token: String,
        /// The selector.
        selector: KeySelector,
        /// The number of matches.
        count: usize,
    },
    /// The key is of another type or on another curve.
    #[error(
        "key {selector} is {found}, not a key on secp256k1: choose another; `multisig hsm list --token ..` shows them"
    )]
    WrongCurve {
        /// The selector of the key.
        selector: KeySelector,
        /// Its type or curve.
        found: String,
    },
    /// The key may not sign.
    #[error(
        "key {0} may not sign (CKA_SIGN is false): choose another; `multisig hsm list --token ..` shows them"
    )]
    NotForSigning(KeySelector),
    /// The token has no public key for the private key, and its signatures do not determine one.
    #[error(
        "the token has no public key for {0}, and its signatures do not determine one on secp256k1: import the public key"
    )]
    NoPublicKey(KeySelector),
    /// The public key has changed since the token was last present.
    #[error("key {0} has changed since the start: restart with the key that the federation knows")]
    KeyChanged(KeySelector),
    /// The label is already used.
    #[error(
        "token `{token}` has a key `{label}` already: choose another label; keys are never replaced"
    )]
    LabelTaken {
        /// The token's label.
        token: String,
        /// The label.
        label: String,
    },
    /// Initialising the token would erase it.
    #[error(
        "slot {slot} holds token `{label}` already ({sign}), which would be erased with all its keys: choose another slot, or make sure that it is empty and use the vendor's tool"
    )]
    TokenInUse {
        /// The slot's number.
        slot: u64,
        /// The token's label.
        label: String,
        /// The sign that it is in use.
        sign: &'static str,
    },
    /// The token was initialised, but incompletely.
    #[error(
        "the token in slot {slot} is initialised, but the user PIN is not set: {reason}: its security officer must set one with the vendor's tool"
    )]
    HalfInitialised {
        /// The slot's number.
        slot: u64,
        /// What went wrong.
        reason: String,
    },
    /// No slot accepts a new token.
    #[error(
        "no slot of the module accepts a new token: choose one with --slot, or use the vendor's tool"
    )]
    NoFreeSlot,
    /// The label is too long for a token.
    #[error("the label has {0} bytes, but at most 32 are allowed: choose a shorter one")]
    LongLabel(usize),
    /// The signature returned is not by this key.
    #[error(
        "the module's signature does not verify with the public key: the private key is a different one"
    )]
    BadSignature,
    /// A key was generated or imported, and is in the token, but something failed afterwards.
    #[error(
        "key `{label}` is in the token and was left there, but {reason}: try it with `multisig hsm test`"
    )]
    LeftThere {
        /// The key's label.
        label: String,
        /// What went wrong.
        reason: String,
    },
    /// The module does not support importing keys.
    #[error("the module does not support importing keys ({0:?}): generate one in it")]
    NoImport(RvError),
    /// The module refused every template for a key.
    #[error(
        "the module cannot generate the key, even with fewer attributes ({0:?}): use the vendor's tool"
    )]
    NoKeygen(RvError),
    /// The module does not start.
    #[error(
        "the PKCS#11 module does not start: C_Initialize failed: {0:?}: see its manual for the configuration, variables and devices it needs"
    )]
    NotStarted(RvError),
    /// The module did not answer in time.
    #[error("the module did not answer within {0:?}")]
    Timeout(Duration),
    /// The module did not return in time when the key was opened.
    #[error(
        "the PKCS#11 module has not returned from {call} within {limit:?}: check the module, its device and its network, or increase the timeout"
    )]
    Opening {
        /// The pending call.
        call: &'static str,
        /// The time waited.
        limit: Duration,
    },
    /// Too many calls hang, so that no more are made.
    #[error(
        "{0} calls of the PKCS#11 module have not returned: check the module, its device and its network, then restart"
    )]
    Hangs(usize),
    /// Too many signatures are waiting.
    #[error("{0} signatures are already waiting for the module: it hangs or is too slow")]
    Busy(usize),
    /// The threads of this key are gone.
    #[error("the threads that call the module have ended: restart")]
    Stopped,
    /// A thread could not be started.
    #[error("no thread could be started: {0}")]
    Thread(String),
    /// A call failed.
    #[error("{function} failed: {code:?}")]
    Call {
        /// The function.
        function: String,
        /// The module's code.
        code: RvError,
    },
    /// The module's response violates PKCS#11.
    #[error("the module's response cannot be used: {0}")]
    Answer(String),
}

impl HsmError {
    /// Returns whether the session, token or module is gone, so that opening it again may help.
    pub(crate) const fn is_loss(&self) -> bool {
        match self {
            Self::Call { code, .. } => is_loss(*code),
            Self::TokenMissing { .. } | Self::NotStarted(_) => true,
            _ => false,
        }
    }

    /// Returns whether a later retry may help, without intervention.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Timeout(_)
                | Self::Opening { .. }
                | Self::Busy(_)
                | Self::TokenMissing { .. }
                | Self::KeyMissing { .. }
                | Self::NoKeys { .. }
                | Self::NotStarted(_)
                | Self::NoMoreSessions(_)
                | Self::Call { .. }
        )
    }

    /// Returns whether the key cannot sign again in this process.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Hangs(_) | Self::Stopped)
    }

    pub(crate) const fn code(&self) -> Option<RvError> {
        match self {
            Self::Call { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Returns the error codes after which a session is unusable. Codes unknown to the standard may
/// mean anything, such as a lost connection or a device that must be restarted, so they count too.
const fn is_loss(code: RvError) -> bool {
    matches!(
        code,
        RvError::SessionClosed
            | RvError::SessionHandleInvalid
            | RvError::SlotIdInvalid
            | RvError::DeviceRemoved
            | RvError::DeviceError
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::UserNotLoggedIn
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::CryptokiNotInitialized
            | RvError::OperationActive
            | RvError::OperationNotInitialized
            | RvError::FunctionFailed
            | RvError::GeneralError
            | RvError::FunctionCanceled
            | RvError::VendorDefined(_)
            | RvError::UnknownErrorCode(_)
    )
}

impl From<Error> for HsmError {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::Call {
                function: call_name(function),
                code,
            },
            Error::NullFunctionPointer | Error::NotSupported => {
                Self::Answer("it lacks a required function".to_owned())
            }
            other => Self::Answer(other.to_string()),
        }
    }
}

/// Returns the name in the standard, such as `C_Sign`.
fn call_name(function: Function) -> String {
    format!("C_{function:?}")
}

impl From<HsmError> for SignerError {
    fn from(error: HsmError) -> Self {
        if error.is_final() {
            Self::ended(error)
        } else if error.is_transient() {
            Self::unavailable(error)
        } else {
            Self::Refused {
                reason: error.to_string(),
            }
        }
    }
}
