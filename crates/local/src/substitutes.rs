//! Parts in place of those that an operator would have: to have one fail.

use std::sync::Arc;

use federation_messenger::Messenger;
use federation_operator::BlockPolicy;
use federation_signer::{IdentitySigner, Signer, SpendSigner};

/// Puts something around a messenger.
pub type WrapMessenger = Arc<dyn Fn(Arc<dyn Messenger>) -> Arc<dyn Messenger> + Send + Sync>;

/// What an operator is given in place of its own. Keys must be those of the same operator.
#[derive(Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Substitutes {
    /// What signs messages.
    pub identity: Option<Arc<dyn IdentitySigner>>,
    /// What signs blocks, behind the guard.
    pub signer: Option<Arc<dyn Signer>>,
    /// What judges blocks.
    pub policy: Option<Arc<dyn BlockPolicy>>,
    /// What signs reissuances.
    pub spender: Option<Arc<dyn SpendSigner>>,
    /// What is put around its messenger, which is the federation's.
    pub messenger: Option<WrapMessenger>,
}

impl core::fmt::Debug for Substitutes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Substitutes").finish_non_exhaustive()
    }
}
