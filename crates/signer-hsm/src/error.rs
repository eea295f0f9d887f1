//! What goes wrong with a module, its tokens and its keys.

use std::{path::PathBuf, time::Duration};

use cryptoki::{
    context::Function,
    error::{Error, RvError},
};
use federation_signer::{KeySelector, SignerError, TokenSelector};

/// What goes wrong with a module, its tokens and its keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HsmError {
    /// There is no such file.
    #[error("there is no PKCS#11 module at `{}`: give the path of the vendor's library", .0.display())]
    NoSuchModule(PathBuf),
    /// The file is no PKCS#11 module, or needs something that is missing.
    #[error("`{}` is no PKCS#11 module: {reason}: give the path of the vendor's library", path.display())]
    NotAModule {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// No token is as chosen.
    #[error(
        "no token is {selector}; there are: {found}: check `multisig hsm list`, and that the token is plugged in"
    )]
    TokenMissing {
        /// Which was asked for.
        selector: TokenSelector,
        /// The tokens that are there.
        found: String,
    },
    /// Several tokens are as chosen.
    #[error("{count} tokens are {selector}: choose one by its serial number, serial:..")]
    TokenAmbiguous {
        /// Which was asked for.
        selector: TokenSelector,
        /// How many are so.
        count: usize,
    },
    /// The PIN is wrong. It is not tried again, since tokens lock after a few tries.
    #[error("token `{token}` refuses the PIN{warning}: correct it and start again")]
    PinIncorrect {
        /// The token's label.
        token: String,
        /// What the token says of the tries that are left.
        warning: &'static str,
    },
    /// The PIN is locked after too many wrong ones.
    #[error("the user PIN of token `{0}` is locked: its security officer must set a new one")]
    PinLocked(String),
    /// The token has no user PIN yet.
    #[error(
        "token `{0}` has no user PIN: its security officer must set one with the vendor's tool"
    )]
    PinNotSet(String),
    /// The token does not take a PIN of this length or form.
    #[error("token `{token}` takes PINs of {min} to {max} characters only: choose another")]
    PinForm {
        /// The token's label.
        token: String,
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
    },
    /// The token has no PIN pad, and no PIN was given.
    #[error("token `{0}` has no PIN pad of its own: say where the PIN comes from")]
    NoPinPad(String),
    /// The token allows no more sessions.
    #[error("token `{0}` allows no more sessions: lower `sessions`, or stop what else uses it")]
    NoMoreSessions(String),
    /// No private key is as chosen.
    #[error("token `{token}` has no private key {selector}; it has: {found}: choose one of them")]
    KeyMissing {
        /// The token's label.
        token: String,
        /// Which was asked for.
        selector: KeySelector,
        /// The labels of the keys that are there.
        found: String,
    },
    /// There is no private key at all.
    #[error(
        "token `{token}` has no private key {selector}, nor any other: make one with `multisig hsm keygen`"
    )]
    NoKeys {
        /// The token's label.
        token: String,
        /// Which was asked for.
        selector: KeySelector,
    },
    /// Several private keys are as chosen.
    #[error(
        "token `{token}` has {count} private keys {selector}: choose one by its id, id:.., or remove the others"
    )]
    KeyAmbiguous {
        /// The token's label.
        token: String,
        /// Which was asked for.
        selector: KeySelector,
        /// How many are so.
        count: usize,
    },
    /// The key is of another kind or on another curve.
    #[error(
        "key {selector} is {found}, not a key on secp256k1: choose another; `multisig hsm list --token ..` shows them"
    )]
    WrongCurve {
        /// Which key.
        selector: KeySelector,
        /// What it is.
        found: String,
    },
    /// The key may not sign.
    #[error(
        "key {0} may not sign (CKA_SIGN is false): choose another; `multisig hsm list --token ..` shows them"
    )]
    NotForSigning(KeySelector),
    /// The token holds no public half for the key, and the key's signatures are of no one key.
    #[error(
        "the token has no public half of key {0}, and its signatures are of no one key on secp256k1: import its public half"
    )]
    NoPublicKey(KeySelector),
    /// There is another public key than before, after the token was gone.
    #[error(
        "key {0} is another one than at the start: restart with the key that the federation knows"
    )]
    KeyChanged(KeySelector),
    /// Something has this label already.
    #[error(
        "token `{token}` has a key `{label}` already: choose another label; keys are never replaced"
    )]
    LabelTaken {
        /// The token's label.
        token: String,
        /// The label.
        label: String,
    },
    /// A token would be erased.
    #[error(
        "slot {slot} holds token `{label}` already ({sign}), which would be erased with all its keys: choose another slot, or make sure that it is empty and use the vendor's tool"
    )]
    TokenInUse {
        /// The slot's number.
        slot: u64,
        /// The token's label.
        label: String,
        /// What shows that it is in use.
        sign: &'static str,
    },
    /// The token was initialised, but not to the end.
    #[error(
        "the token in slot {slot} is initialised, but the user PIN is not set: {reason}: its security officer must set one with the vendor's tool"
    )]
    HalfInitialised {
        /// The slot's number.
        slot: u64,
        /// What went wrong.
        reason: String,
    },
    /// No slot takes a new token.
    #[error(
        "no slot of the module takes a new token: give the slot with --slot, or the vendor's own tool"
    )]
    NoFreeSlot,
    /// A label or PIN that PKCS#11 cannot hold.
    #[error("the label has {0} bytes, a token's may have 32: choose a shorter one")]
    LongLabel(usize),
    /// The signature that came is not one of this key.
    #[error(
        "the signature that the module returned does not verify with the public half of the key: its private half is another"
    )]
    BadSignature,
    /// A key was made or imported, and is there, but something went wrong afterwards.
    #[error(
        "key `{label}` is in the token and was left there, but {reason}: try it with `multisig hsm test`"
    )]
    LeftThere {
        /// The key's label.
        label: String,
        /// What went wrong.
        reason: String,
    },
    /// The module takes no key from outside.
    #[error("the module takes no key from outside ({0:?}): make one in it")]
    NoImport(RvError),
    /// The module made no key, whatever it was asked for.
    #[error("the module made no key, nor with fewer attributes ({0:?}): use the vendor's tool")]
    NoKeygen(RvError),
    /// The module does not start.
    #[error(
        "the PKCS#11 module does not start: C_Initialize failed: {0:?}: see its manual for the configuration, variables and devices it needs"
    )]
    NotStarted(RvError),
    /// The module did not answer in time.
    #[error("the module did not answer within {0:?}")]
    Timeout(Duration),
    /// The module did not come back in time when the key was opened.
    #[error(
        "the PKCS#11 module has not come back from {call} within {limit:?}: see to the module, its device and its network, or raise the time-out"
    )]
    Opening {
        /// In which call it is.
        call: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// So many calls hang that no more are made.
    #[error(
        "{0} calls of the PKCS#11 module have not come back: see to the module, its device and its network, then start again"
    )]
    Hangs(usize),
    /// Too many signatures are being waited for.
    #[error("{0} signatures wait for the module already: it hangs or is too slow")]
    Busy(usize),
    /// The threads of this key are gone.
    #[error("the threads that talk to the module have ended: start again")]
    Stopped,
    /// A thread could not be made.
    #[error("no thread could be started: {0}")]
    Thread(String),
    /// A call failed.
    #[error("{function} failed: {code:?}")]
    Call {
        /// Which call.
        function: String,
        /// The module's code.
        code: RvError,
    },
    /// The module answered what PKCS#11 does not allow.
    #[error("the module's answer cannot be used: {0}")]
    Answer(String),
}

impl HsmError {
    /// Whether the session, token or module is gone, so that opening it again may help.
    pub(crate) const fn is_loss(&self) -> bool {
        match self {
            Self::Call { code, .. } => is_loss(*code),
            Self::TokenMissing { .. } | Self::NotStarted(_) => true,
            _ => false,
        }
    }

    /// Whether asking again later may help, without a person.
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

    /// Whether the key will not sign again in this process, whatever comes.
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

/// The codes after which a session is worth nothing. What the standard does not know may mean
/// anything, a lost connection or a device that must be started again, so it is taken for a loss.
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
                Self::Answer("it lacks a function that is needed".to_owned())
            }
            other => Self::Answer(other.to_string()),
        }
    }
}

/// The name in the standard: `C_Sign`.
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
