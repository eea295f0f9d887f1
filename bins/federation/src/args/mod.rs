//! Arguments that several verbs have.

mod dialect;
mod log;
mod settings;
mod transport;

pub(crate) use federation_cli::duration;

pub(crate) use self::{
    dialect::DialectArg,
    log::{KafkaClientArgs, LogFormat},
    settings::{OperatorArgs, SettingsArgs},
    transport::TransportArgs,
};
