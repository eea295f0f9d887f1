//! Scheduled reissuance of a sidechain's assets: verifiable inflation, signed by the federation.
//!
//! An asset of Elements or Ocean can be made more of by whoever spends its reissuance tokens. Here
//! an M-of-N script holds them, and at each *point* of a [`Schedule`] exactly one transaction is
//! made, whose amount follows from what is in circulation, in exact arithmetic
//! ([`scheduled_amount`]). Nobody leads: everybody feeds the chain's blocks to a [`Ledger`] and
//! comes to the same [`Plan`] and the same transaction ([`Plan::unsigned`]), signs it, and puts the
//! signatures together ([`Collection`]). Its lock time is the point's height, so the chain itself
//! says which point was paid by what, and anyone can check it afterwards by a ledger of their own.
//!
//! Pure: no I/O, no clock, no random source. `federation-operator` drives it. It does not hold keys,
//! and does not remember what was signed: who signs must.
//!
//! ```
//! use std::time::Duration;
//! use federation_chain::BlockHeight;
//! use federation_reissuance::{Schedule, scheduled_amount};
//!
//! // Five in a hundred a year, made each day of a chain with a block a minute.
//! let minute = Duration::from_secs(60);
//! let daily = Schedule::new("0.05".parse()?, 1440, minute, BlockHeight::GENESIS)?;
//! assert_eq!(scheduled_amount(&daily, 2_100_000_000_000_000)?, 280_729_295_938);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amount;
mod asset;
mod event;
mod kept;
mod ledger;
mod opening;
mod plan;
mod rate;
mod reader;
mod schedule;
mod script;
mod settings;
mod signatures;
mod transaction;

pub use amount::{AmountError, Frozen, amount_for_unfrozen, scheduled_amount};
pub use asset::{Due, Uncountable};
pub use event::{LedgerEvent, Listed};
pub use ledger::{DecodeLedgerError, Ledger, LedgerError};
pub use opening::Opening;
pub use plan::{Difference, Plan, PlanError, PlannedFee};
pub use rate::{ParseRateError, Rate};
pub use schedule::{Point, Schedule, ScheduleError};
pub use script::{ScriptKind, ScriptTooLong, TokenScript};
pub use settings::{AssetSettings, Chain, Fee, SettingsError, TokenForm};
pub use signatures::{Collection, PartialSignatures, SignatureError};
pub use transaction::{BuildError, Unsigned};
