//! Putting an operator together part by part, with its store and guard opened in one folder.

use std::{path::Path, sync::Arc};

use federation_messenger::Messenger;
use federation_ocean_rpc::Node;
use federation_roster::{Federation, OperatorId};
use federation_signer::{GuardError, GuardedSigner, IdentitySigner, Signer};

use super::{Operator, Options};
use crate::{BlockPolicy, Clock, RedbGuardStore, Reissuance, Store, StoreError};

/// Why an operator cannot be put together.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A part without which no operator can run was not given.
    #[error("the operator has no {}: call `OperatorBuilder::{}` first", .0.name(), .0.method())]
    Missing(RequiredPart),
    /// The store or the guard's database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The guard refuses the block key.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// A part without which no operator can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequiredPart {
    /// The node of the home chain.
    Node,
    /// The key that signs blocks.
    BlockKey,
    /// The key that signs messages to the other operators.
    IdentityKey,
    /// The link to the other operators.
    Messenger,
}

impl RequiredPart {
    const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::BlockKey => "block key",
            Self::IdentityKey => "identity key",
            Self::Messenger => "messenger",
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::BlockKey => "block_key",
            Self::IdentityKey => "identity_key",
            Self::Messenger => "messenger",
        }
    }
}

/// The parts of an operator, before its store is opened. Made by [`Operator::builder`].
///
/// Node, both keys and the messenger are required; everything else has a default.
#[must_use = "nothing is opened before `open`"]
pub struct OperatorBuilder {
    federation: Arc<Federation>,
    me: OperatorId,
    node: Option<Arc<dyn Node>>,
    block_key: Option<Box<dyn Signer>>,
    identity_key: Option<Box<dyn IdentitySigner>>,
    messenger: Option<Arc<dyn Messenger>>,
    policy: Option<Arc<dyn BlockPolicy>>,
    clock: Option<Arc<dyn Clock>>,
    reissuance: Option<Reissuance>,
    options: Options,
}

impl Operator {
    /// Begins to put together the operator `me` of this federation.
    pub fn builder(federation: Arc<Federation>, me: OperatorId) -> OperatorBuilder {
        OperatorBuilder {
            federation,
            me,
            node: None,
            block_key: None,
            identity_key: None,
            messenger: None,
            policy: None,
            clock: None,
            reissuance: None,
            options: Options::default(),
        }
    }
}

impl OperatorBuilder {
    /// Sets the node of the home chain. Required.
    pub fn node(mut self, node: Arc<dyn Node>) -> Self {
        self.node = Some(node);
        self
    }

    /// Sets the key that signs blocks, which [`open`](Self::open) puts behind its guard. Required.
    pub fn block_key(mut self, key: Box<dyn Signer>) -> Self {
        self.block_key = Some(key);
        self
    }

    /// Sets the key that signs messages to the other operators. Required.
    pub fn identity_key(mut self, key: Box<dyn IdentitySigner>) -> Self {
        self.identity_key = Some(key);
        self
    }

    /// Sets the link to the other operators. Required.
    pub fn messenger(mut self, messenger: Arc<dyn Messenger>) -> Self {
        self.messenger = Some(messenger);
        self
    }

    /// Sets a rule on blocks besides those of the node; all blocks are accepted if it is not set.
    pub fn policy(mut self, policy: Arc<dyn BlockPolicy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets the clock; the computer's if it is not set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Takes part in reissuing assets.
    pub fn reissuance(mut self, reissuance: Reissuance) -> Self {
        self.reissuance = Some(reissuance);
        self
    }

    /// Sets timeouts and the other options.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Opens the operator's store and the block key's guard in `folder`, creating both if they do not
    /// exist, and returns an operator that is ready to [start](Operator::start).
    ///
    /// The folder must be on a local disk, belong to this operator alone, and never be restored from a
    /// copy: what it holds is what keeps the operator from signing twice. On a chain that has blocks,
    /// an operator whose folder was empty begins as an observer, unless [`Options::new_key_until`] says
    /// that its key is new.
    ///
    /// # Errors
    /// A required part is missing, the store or guard is in use, damaged, or of another federation,
    /// operator or key, or the guard refuses the key.
    pub fn open(self, folder: &Path) -> Result<Operator, BuildError> {
        let missing = BuildError::Missing;
        let node = self.node.ok_or(missing(RequiredPart::Node))?;
        let block_key = self.block_key.ok_or(missing(RequiredPart::BlockKey))?;
        let identity = self
            .identity_key
            .ok_or(missing(RequiredPart::IdentityKey))?;
        let messenger = self.messenger.ok_or(missing(RequiredPart::Messenger))?;

        let store = Store::open(folder, self.federation.id(), self.me)?;
        let genesis = self.federation.genesis();
        let guard = RedbGuardStore::open(folder, &block_key.public_key(), genesis)?;
        let guard_is_new = guard.is_new();
        let signer = GuardedSigner::new(block_key, guard)?;
        let mut operator = Operator::new(
            self.federation,
            self.me,
            node,
            signer,
            identity,
            messenger,
            store,
        )
        .with_new_guard(guard_is_new)
        .with_options(self.options);
        operator.reissuance = self.reissuance;
        if let Some(policy) = self.policy {
            operator = operator.with_policy(policy);
        }
        if let Some(clock) = self.clock {
            operator = operator.with_clock(clock);
        }
        Ok(operator)
    }
}

impl core::fmt::Debug for OperatorBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OperatorBuilder")
            .field("me", &self.me)
            .field("federation", &self.federation.id())
            .finish_non_exhaustive()
    }
}
