//! Replacements for an operator's parts, for testing their failure.

use std::sync::Arc;

use federation_messenger::Messenger;
use federation_operator::BlockPolicy;
use federation_signer::{IdentitySigner, Signer, SpendSigner};

/// Wraps a messenger.
pub type WrapMessenger = Arc<dyn Fn(Arc<dyn Messenger>) -> Arc<dyn Messenger> + Send + Sync>;

/// Parts that replace an operator's own. Keys must be those of the same operator.
#[derive(Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Substitutes {
    /// The signer of messages.
    pub identity: Option<Arc<dyn IdentitySigner>>,
    /// The signer of blocks, behind the guard.
    pub signer: Option<Arc<dyn Signer>>,
    /// The policy on blocks.
    pub policy: Option<Arc<dyn BlockPolicy>>,
    /// The signer of reissuances.
    pub spender: Option<Arc<dyn SpendSigner>>,
    /// A wrapper of the federation's messenger.
    pub messenger: Option<WrapMessenger>,
}

impl core::fmt::Debug for Substitutes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Substitutes").finish_non_exhaustive()
    }
}
