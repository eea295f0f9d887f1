//! Networks on the command line.

use clap::ValueEnum;
use federation_multisig::Network;

/// Networks with known address prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkArg {
    /// A custom Elements chain that sets no prefixes, and elementsregtest.
    #[value(alias = "elementsregtest")]
    Elements,
    /// Liquid.
    #[value(alias = "liquidv1")]
    Liquid,
    /// Liquid's test chain.
    #[value(alias = "liquidtestnet")]
    LiquidTestnet,
    /// A custom Ocean chain, and ocean_test.
    #[value(alias = "ocean_test")]
    Ocean,
    /// Ocean's chain ocean_main.
    #[value(alias = "ocean_main")]
    OceanMain,
    /// Ocean as DGLD ran it.
    #[value(alias = "gold_main")]
    Gold,
}

impl NetworkArg {
    /// Returns the prefixes.
    pub(crate) const fn network(self) -> Network {
        match self {
            // The defaults of CCustomParams are those of elementsregtest.
            Self::Elements => Network::ELEMENTS_REGTEST,
            Self::Liquid => Network::LIQUID,
            Self::LiquidTestnet => Network::LIQUID_TESTNET,
            Self::Ocean => Network::OCEAN_TEST,
            Self::OceanMain => Network::OCEAN_MAIN,
            Self::Gold => Network::OCEAN,
        }
    }

    /// Whether it is an Ocean chain, whose settings differ.
    pub(crate) const fn is_ocean(self) -> bool {
        matches!(self, Self::Ocean | Self::OceanMain | Self::Gold)
    }
}
