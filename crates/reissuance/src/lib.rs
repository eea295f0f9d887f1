//! Scheduled reissuance of a sidechain's assets: verifiable inflation, signed by the federation.
//!
//! Whoever spends an asset's reissuance tokens on Elements or Ocean can issue more of it. Here an
//! M-of-N script holds them, and at each *point* of a [`Schedule`] exactly one transaction is made,
//! whose amount follows from the circulation in exact arithmetic ([`scheduled_amount`]). There is
//! no leader: every operator feeds the chain's blocks to a [`Ledger`], arrives at the same [`Plan`]
//! and the same transaction ([`Plan::unsigned`]), signs it, and combines the signatures
//! ([`Collection`]). Its lock time is the point's height, so the chain itself records which
//! transaction paid which point, and anyone can verify it with their own ledger.
//!
//! The crate is pure: no I/O, no clock, no randomness. `federation-operator` drives it. It neither
//! holds keys nor remembers what was signed; the caller must.
//!
//! ```
//! use std::time::Duration;
//! use federation_chain::BlockHeight;
//! use federation_reissuance::{Schedule, scheduled_amount};
//!
//! // 5 % per year, issued daily on a chain with one block a minute.
//! let minute = Duration::from_secs(60);
//! let daily = Schedule::new("0.05".parse()?, 1440, minute, BlockHeight::GENESIS)?;
//! assert_eq!(scheduled_amount(&daily, 2_100_000_000_000_000)?, 280_729_295_938);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amount;
mod asset;
mod audit;
mod event;
mod ledger;
mod opening;
mod plan;
mod rate;
mod reader;
mod schedule;
mod script;
mod settings;
mod signatures;
mod tracked;
mod transaction;

pub use amount::{AmountError, Frozen, amount_for_unfrozen, scheduled_amount};
pub use asset::{Due, Uncountable};
pub use event::{LedgerEvent, OutputKind};
pub use ledger::{DecodeLedgerError, Ledger, LedgerError};
pub use opening::Opening;
pub use plan::{Difference, Plan, PlanError, PlannedFee};
pub use rate::{ParseRateError, Rate};
pub use schedule::{Point, Schedule, ScheduleError};
pub use script::{ScriptKind, ScriptTooLong, TokenScript};
pub use settings::{AssetSettings, Chain, Fee, SettingsError, TokenForm};
pub use signatures::{Collection, PartialSignatures, SignatureError};
pub use transaction::{BuildError, Unsigned};
