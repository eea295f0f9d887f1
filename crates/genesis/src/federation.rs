//! What a chain's settings have to do with its federation: the script that signs, and addresses.

use federation_chain::{Dialect, SigningRules};
use federation_multisig::{MultisigScript, Network};

use crate::{ConfError, NodeKind, Settings};

impl Settings {
    /// Creates the settings of a chain whose blocks are in this format and signed by this script, all
    /// others with the node's defaults. On Elements, blocks have room for the signatures; an Ocean
    /// chain has no terms.
    ///
    /// # Errors
    /// If the name is invalid, or is that of a chain built into the node.
    pub fn of_federation(
        dialect: Dialect,
        chain: &str,
        script: &MultisigScript,
    ) -> Result<Self, ConfError> {
        let node = NodeKind::from(dialect);
        let settings = Self::new(node, chain)?.with("signblockscript", &script.to_hex())?;
        if node == NodeKind::Ocean {
            return settings.with("embedcontract", "0");
        }
        let size = SigningRules::required_signature_size(dialect, script);
        let settings = settings.with("con_max_block_sig_size", &size.to_string())?;
        if dialect == Dialect::Elements {
            return settings.with("evbparams", "dynafed:-2:::");
        }
        Ok(settings)
    }

    /// Returns the prefixes of the chain's addresses and keys: on Elements those that are set, on
    /// Ocean, which has no settings for them, those of the chain's name.
    #[must_use]
    pub fn network(&self) -> Network {
        if self.node() == NodeKind::Ocean {
            return match self.chain() {
                "gold_main" => Network::OCEAN,
                "ocean_main" => Network::OCEAN_MAIN,
                _ => Network::OCEAN_TEST,
            };
        }
        let prefix = |name| u8::try_from(self.number(name)).unwrap_or_default();
        Network::base58(
            prefix("pubkeyprefix"),
            prefix("scriptprefix"),
            prefix("secretprefix"),
        )
        .with_bech32(self.text("bech32_hrp").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use federation_multisig::script_of;

    use super::*;
    use crate::{DynafedStart, Genesis, problems};

    const SCRIPT: &str = "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee52102f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9210379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f8179853ae";

    #[test]
    fn the_settings_of_a_federation_make_a_chain_that_works_in_each_dialect() {
        let script = MultisigScript::from_hex(SCRIPT).expect("a script");
        for dialect in Dialect::ALL {
            let settings = Settings::of_federation(dialect, "fedchain", &script).expect("settings");
            let genesis = Genesis::compute(&settings, None).expect("a genesis");
            assert_eq!(
                problems(&settings, &genesis, None, None),
                Ok(vec![]),
                "{dialect}"
            );
            if dialect != Dialect::Ocean {
                let start = DynafedStart::of(&settings);
                assert_eq!(
                    start == Ok(DynafedStart::Always),
                    dialect == Dialect::Dynafed
                );
            }
        }
    }

    #[test]
    fn addresses_are_read_with_the_prefixes_of_the_chain() {
        let elements = |lines: &str| {
            let text = format!("chain=home\n{lines}");
            Settings::parse(NodeKind::Elements, &text)
                .expect("a file")
                .network()
        };
        assert_eq!(elements(""), Network::ELEMENTS_CUSTOM);
        let custom = elements("pubkeyprefix=1\nscriptprefix=2\nsecretprefix=3\nbech32_hrp=home");
        assert_eq!(custom, Network::base58(1, 2, 3).with_bech32("home"));
        let ocean = |chain: &str| {
            Settings::new(NodeKind::Ocean, chain)
                .expect("a chain")
                .network()
        };
        assert_eq!(ocean("gold_main"), Network::OCEAN);
        assert_eq!(ocean("fedchain"), Network::OCEAN_TEST);
        let address = "ert1qw508d6qejxtdg4y5r3zarvary0c5xw7kuu73e0";
        assert!(script_of(address, &elements("")).is_ok());
        assert!(script_of(address, &custom).is_err());
    }
}
