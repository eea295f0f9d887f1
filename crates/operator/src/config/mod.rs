//! The files of an operator: the public `federation.toml`, the same for all, and the private
//! `operator.toml`.
//!
//! [`Config::load`] reads both and reports everything that is wrong with either at once, by line; what
//! is no TOML is reported alone. What is found to be wrong only when it is used has its line by
//! [`Config::problem`].
//! [`init::write`] makes a runnable set for N operators on one machine.

mod certificate;
mod federation_file;
pub mod init;
mod key_source;
mod limits;
mod messenger;
mod operator_file;
mod overrides;
mod places;
mod reader;
mod reissuance;
mod report;
mod text;

pub use key_source::Keys;
pub use messenger::{KafkaAccess, MessengerAccess};
pub use operator_file::{Config, NodeAccess, load_federation};
pub use overrides::Overrides;
pub use places::Setting;
pub use reissuance::script_of_address;
pub use report::{ConfigReport, Problem};
