//! A running operator of a federation, to embed in any tokio service.
//!
//! [`Operator`] drives the state machine of `federation-block-signing` with a node, a guarded
//! signer, a messenger, a [`Store`] and a [`Clock`]. It is started with [`Operator::start`], which
//! checks that node, store and keys belong together, and stopped with
//! [`OperatorHandle::shutdown`]. [`config`] reads and writes the files `federation.toml` and
//! `operator.toml`.
//!
//! ```text
//!                    ┌─ ingress: check frames ─┐
//!  messenger ──────> │                         │──> inputs ──> Machine ──> outputs ──┐
//!  node watcher ───> │                         │      ^                              │
//!                    └─────────────────────────┘      │      1. store, synced        │
//!                                                     │      2. line: sign, send     │
//!                        answers ─────────────────────┴───── 3. node, signer: jobs <─┘
//! ```
//!
//! The operator's parts, that is its keys, policy, node and messenger, are never called in the loop
//! that drives the machine. Each call has a timeout ([`Options::calls`]). A part that hangs, fails
//! or panics costs this operator's contribution and nothing more: it is called again, alarms say
//! which part does not answer and which duties the operator has not fulfilled for some blocks
//! ([`OperatorStatus::troubles`]), and [`OperatorEvent::Recovered`] says when that is over. The parts'
//! methods are asynchronous and must not block their threads; a call that does is abandoned when
//! the operator stops.
//!
//! The node may go away and come back, restart, or lose its wallet: the operator waits for it. A
//! store that fails stops the operator, because going on without memory is how chains fork.
//!
//! See `examples/operator_with_remote_key.rs` in the repository for a complete program.

mod calls;
mod chain_form;
mod clock;
pub mod config;
mod engine;
mod error;
mod handle;
mod history;
mod log;
mod money;
mod operator;
mod policy;
mod reissuance;
mod start;
pub mod status;
mod store;
mod throttle;

pub use calls::CallLimits;
pub use chain_form::check_chain_form;
pub use clock::{Clock, SystemClock};
pub use error::{MIN_EPOCH_LENGTH, OperatorError, StartError};
pub use handle::{
    Concern, Counters, NodeState, OperatorEvent, OperatorHandle, OperatorStatus, PeerStatus,
    Trouble,
};
pub use money::{log_money_warnings, money_warnings};
pub use operator::{BuildError, Operator, OperatorBuilder, Options, RequiredPart};
pub use policy::{AcceptAll, BlockPolicy, RequireSweep};
pub use reissuance::{
    AssetStatus, DueStatus, FollowError, IssueError, IssuedAsset, Reading, Reissuance,
    ReissuanceDifferences, ReissuanceError, ReissuanceNode, TokenAddresses, follow, issue,
    token_addresses,
};
pub use status::{Standstill, StandstillCause};
pub use store::{
    ClearedHalt, EvidenceError, EvidenceStore, GuardDatabase, Halt, HaltReason, RedbGuardStore,
    ReissuanceStore, Store, StoreError, StoredEvidence,
};
