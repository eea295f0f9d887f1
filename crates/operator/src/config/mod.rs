//! The files of an operator: the public `federation.toml`, the same for all, and the private
//! `operator.toml`.
//!
//! [`Config::load`] reads both and reports all their errors at once, by line; if one is not valid TOML,
//! only that is reported. [`Config::problem`] gives the line of a setting that turns out to be wrong
//! when it is used.
//! [`init::write`] creates a runnable set for N operators on one machine.

mod certificate;
mod federation_file;
pub mod init;
mod key_source;
mod limits;
mod locations;
mod messenger;
mod operator_file;
mod overrides;
mod reader;
mod reissuance;
mod report;
mod text;

pub use key_source::Keys;
pub use locations::Setting;
pub use messenger::{KafkaAccess, MessengerAccess};
pub use operator_file::{Config, NodeAccess, load_federation};
pub use overrides::Overrides;
pub use reissuance::script_of_address;
pub use report::{ConfigProblem, ConfigReport};
