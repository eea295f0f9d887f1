//! The prefixes of a chain's addresses and keys.

use std::borrow::Cow;

/// Address and key prefixes of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network {
    /// First byte of a P2PKH address.
    pub p2pkh: u8,
    /// First byte of a P2SH address.
    pub p2sh: u8,
    /// First byte of a secret key in WIF.
    pub wif: u8,
    /// Human-readable part of segwit addresses; `None` if the chain has none.
    pub bech32: Option<Cow<'static, str>>,
}

impl Network {
    /// Ocean as DGLD ran it, chain `gold_main`.
    pub const OCEAN: Self = Self::base58(38, 97, 180);
    /// Ocean, chain `ocean_main`.
    pub const OCEAN_MAIN: Self = Self::base58(28, 87, 128);
    /// Ocean, chain `ocean_test` and custom ones.
    pub const OCEAN_TEST: Self = Self::base58(235, 75, 239);
    /// Liquid, chain `liquidv1`.
    pub const LIQUID: Self = Self::segwit(57, 39, 128, "ex");
    /// Liquid's test chain, `liquidtestnet`.
    pub const LIQUID_TESTNET: Self = Self::segwit(36, 19, 239, "tex");
    /// Elements' regression test chain, `elementsregtest`.
    pub const ELEMENTS_REGTEST: Self = Self::segwit(235, 75, 239, "ert");
    /// A custom Elements chain without prefixes of its own.
    pub const ELEMENTS_CUSTOM: Self = Self::ELEMENTS_REGTEST;

    /// Creates the prefixes of a chain that has only base58 addresses.
    #[must_use]
    pub const fn base58(p2pkh: u8, p2sh: u8, wif: u8) -> Self {
        Self {
            p2pkh,
            p2sh,
            wif,
            bech32: None,
        }
    }

    const fn segwit(p2pkh: u8, p2sh: u8, wif: u8, bech32: &'static str) -> Self {
        Self {
            p2pkh,
            p2sh,
            wif,
            bech32: Some(Cow::Borrowed(bech32)),
        }
    }

    /// Adds segwit addresses with this human-readable part.
    #[must_use]
    pub fn with_bech32(mut self, hrp: impl Into<Cow<'static, str>>) -> Self {
        self.bech32 = Some(hrp.into());
        self
    }

    /// Returns the prefixes of a known chain, by the name that its node reports.
    #[must_use]
    pub fn named(chain: &str) -> Option<Self> {
        Some(match chain {
            "gold_main" => Self::OCEAN,
            "ocean_main" => Self::OCEAN_MAIN,
            "ocean_test" => Self::OCEAN_TEST,
            "liquidv1" => Self::LIQUID,
            "liquidtestnet" => Self::LIQUID_TESTNET,
            "elementsregtest" => Self::ELEMENTS_REGTEST,
            _ => return None,
        })
    }
}
