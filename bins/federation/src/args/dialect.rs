//! The block format of a chain.

use clap::ValueEnum;
use federation_chain::Dialect;

/// Block formats on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectArg {
    /// Elements with signed headers, without dynamic federations.
    Elements,
    /// Elements with dynamic federations, the default of custom chains.
    Dynafed,
    /// Ocean.
    Ocean,
}

impl From<DialectArg> for Dialect {
    fn from(arg: DialectArg) -> Self {
        match arg {
            DialectArg::Elements => Self::Elements,
            DialectArg::Dynafed => Self::Dynafed,
            DialectArg::Ocean => Self::Ocean,
        }
    }
}
