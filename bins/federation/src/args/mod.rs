//! Arguments that several verbs have.

mod dialect;
mod duration;
mod log;
mod settings;
mod transport;

pub(crate) use self::{
    dialect::DialectArg,
    duration::duration,
    log::{KafkaClientArgs, LogFormat},
    settings::{OperatorArgs, SettingsArgs},
    transport::TransportArgs,
};
