//! P2SH, P2WSH and P2SH-P2WSH addresses of multisig scripts, and P2PKH addresses of keys.

use bitcoin::{
    base58,
    bech32::{self, Fe32, Hrp},
    hashes::{Hash, hash160, sha256},
};
use secp256k1::PublicKey;

use crate::{MultisigScript, Network};

/// The most bytes that a P2SH redeem script may have (`MAX_SCRIPT_ELEMENT_SIZE`), enough for 15
/// keys.
const MAX_REDEEM_SCRIPT: usize = 520;

/// The script of a P2SH address, revealed in the input's scriptSig.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedeemScript(MultisigScript);

/// The script of a witness program, revealed in the witness.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WitnessScript(MultisigScript);

/// The error for an address that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A script too long for P2SH.
    #[error(
        "the script of {keys} keys has {size} bytes, P2SH allows at most {MAX_REDEEM_SCRIPT}: use at most 15 keys, or P2WSH"
    )]
    RedeemScriptTooLong {
        /// The number of its keys.
        keys: usize,
        /// Its length in bytes.
        size: usize,
    },
    /// A chain without segwit addresses.
    #[error("the chain has no segwit addresses: use P2SH, or set the chain's bech32 prefix")]
    NoSegwit,
    /// A human-readable part that bech32 does not allow.
    #[error("invalid bech32 prefix `{0}`")]
    Prefix(String),
}

impl RedeemScript {
    /// Creates the redeem script of a P2SH address.
    ///
    /// # Errors
    /// If the script is longer than 520 bytes, as with 16 keys or more.
    pub fn new(script: MultisigScript) -> Result<Self, AddressError> {
        let size = script.as_bytes().len();
        if size > MAX_REDEEM_SCRIPT {
            return Err(AddressError::RedeemScriptTooLong {
                keys: script.keys().len(),
                size,
            });
        }
        Ok(Self(script))
    }

    /// Returns the multisig script.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        &self.0
    }

    /// Returns the output script, `OP_HASH160 <20 bytes> OP_EQUAL`.
    #[must_use]
    pub fn script_pubkey(&self) -> Vec<u8> {
        p2sh_script(self.0.as_bytes())
    }

    /// Returns the P2SH address.
    #[must_use]
    pub fn p2sh(&self, network: &Network) -> String {
        p2sh_address(self.0.as_bytes(), network)
    }
}

impl From<MultisigScript> for WitnessScript {
    fn from(script: MultisigScript) -> Self {
        // 20 keys take 686 bytes, far below the 3600 of policy and the 10000 of consensus.
        Self(script)
    }
}

impl WitnessScript {
    /// Returns the multisig script.
    #[must_use]
    pub const fn script(&self) -> &MultisigScript {
        &self.0
    }

    /// Returns the witness program as an output script, `OP_0 <SHA256 of the script>`.
    ///
    /// A dynafed header contains the same bytes as its signblock script.
    #[must_use]
    pub fn script_pubkey(&self) -> Vec<u8> {
        let mut script = vec![0, 32];
        script.extend_from_slice(sha256::Hash::hash(self.0.as_bytes()).as_byte_array());
        script
    }

    /// Returns the P2WSH address.
    ///
    /// # Errors
    /// If the chain has no segwit addresses, or an invalid prefix.
    pub fn p2wsh(&self, network: &Network) -> Result<String, AddressError> {
        let hrp = network.bech32.as_deref().ok_or(AddressError::NoSegwit)?;
        let prefix = Hrp::parse(hrp).map_err(|_| AddressError::Prefix(hrp.to_owned()))?;
        bech32::segwit::encode(prefix, Fe32::Q, &self.script_pubkey()[2..])
            .map_err(|_| AddressError::Prefix(hrp.to_owned()))
    }

    /// Returns the P2SH address of the witness program.
    #[must_use]
    pub fn p2sh_p2wsh(&self, network: &Network) -> String {
        p2sh_address(&self.script_pubkey(), network)
    }
}

/// Returns the P2PKH address of a key.
#[must_use]
pub fn p2pkh(key: &PublicKey, network: &Network) -> String {
    base58_address(network.p2pkh, hash160::Hash::hash(&key.serialize()))
}

/// Returns the output script of a key's P2PKH address.
#[must_use]
pub fn p2pkh_script(key: &PublicKey) -> Vec<u8> {
    let mut output = vec![0x76, 0xa9, 20];
    output.extend_from_slice(hash160::Hash::hash(&key.serialize()).as_byte_array());
    output.extend_from_slice(&[0x88, 0xac]);
    output
}

fn p2sh_script(script: &[u8]) -> Vec<u8> {
    let mut output = vec![0xa9, 20];
    output.extend_from_slice(hash160::Hash::hash(script).as_byte_array());
    output.push(0x87);
    output
}

fn p2sh_address(script: &[u8], network: &Network) -> String {
    base58_address(network.p2sh, hash160::Hash::hash(script))
}

fn base58_address(prefix: u8, hash: hash160::Hash) -> String {
    let mut payload = [prefix; 21];
    payload[1..].copy_from_slice(hash.as_byte_array());
    base58::encode_check(&payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyOrder, Threshold};

    fn script(m: u8, n: u8) -> MultisigScript {
        let keys = (1..=n)
            .map(|i| {
                let mut secret = [0; 32];
                secret[31] = i;
                secp256k1::SecretKey::from_slice(&secret)
                    .expect("a secret key")
                    .public_key(secp256k1::SECP256K1)
            })
            .collect();
        MultisigScript::new(
            Threshold::new(m).expect("in range"),
            keys,
            KeyOrder::AsGiven,
        )
        .expect("a script")
    }

    #[test]
    fn a_key_is_paid_by_the_hash_of_its_compressed_form() {
        let generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let key = generator.parse().expect("a key");
        let script = p2pkh_script(&key);
        let hex: String = script.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac");
    }

    #[test]
    fn addresses_match_those_of_oceand() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ocean.json");
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors"))
                .expect("json");
        let script = MultisigScript::from_hex(json["signblockscript"].as_str().expect("hex"))
            .expect("a script");
        let answer = json["transcript"]
            .as_array()
            .expect("calls")
            .iter()
            .find(|call| call["method"] == "decodescript")
            .expect("the call");
        let body: serde_json::Value =
            serde_json::from_str(answer["body"].as_str().expect("text")).expect("json");
        let addresses: Vec<_> = script
            .keys()
            .iter()
            .map(|key| p2pkh(key, &Network::OCEAN_TEST))
            .collect();
        assert_eq!(serde_json::json!(addresses), body["result"]["addresses"]);
        let p2sh = RedeemScript::new(script)
            .expect("short")
            .p2sh(&Network::OCEAN_TEST);
        assert_eq!(serde_json::json!(p2sh), body["result"]["p2sh"]);
    }

    #[test]
    fn fifteen_keys_fit_p2sh_and_sixteen_do_not() {
        assert!(RedeemScript::new(script(11, 15)).is_ok());
        assert_eq!(
            RedeemScript::new(script(11, 16)),
            Err(AddressError::RedeemScriptTooLong {
                keys: 16,
                size: 547
            })
        );
    }

    #[test]
    fn every_network_uses_its_prefixes() {
        let redeem = RedeemScript::new(script(2, 3)).expect("short");
        assert!(
            redeem
                .p2sh(&Network::LIQUID_TESTNET)
                .starts_with(['8', '9'])
        );
        assert!(redeem.p2sh(&Network::OCEAN).starts_with('g'));
        assert!(redeem.p2sh(&Network::ELEMENTS_CUSTOM).starts_with('X'));
        let witness = WitnessScript::from(script(2, 3));
        for (network, prefix) in [
            (Network::LIQUID, "ex1q"),
            (Network::LIQUID_TESTNET, "tex1q"),
            (Network::ELEMENTS_REGTEST, "ert1q"),
        ] {
            assert!(witness.p2wsh(&network).expect("segwit").starts_with(prefix));
        }
        assert_eq!(witness.p2wsh(&Network::OCEAN), Err(AddressError::NoSegwit));
        let custom = Network::OCEAN.with_bech32("gold");
        assert!(
            witness
                .p2wsh(&custom)
                .expect("segwit")
                .starts_with("gold1q")
        );
        let bad = Network::OCEAN.with_bech32("Mixed");
        assert_eq!(
            witness.p2wsh(&bad),
            Err(AddressError::Prefix("Mixed".to_owned()))
        );
        assert_ne!(
            witness.p2sh_p2wsh(&Network::LIQUID),
            redeem.p2sh(&Network::LIQUID)
        );
    }

    #[test]
    fn the_witness_program_matches_the_recorded_dynafed_chain() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/elements-dynafed.json"
        );
        let text = std::fs::read_to_string(path).expect("the vectors");
        let json: serde_json::Value = serde_json::from_str(&text).expect("json");
        let script = MultisigScript::from_hex(json["signblockscript"].as_str().expect("hex"))
            .expect("a script");
        use hex_conservative::DisplayHex;
        let program = WitnessScript::from(script)
            .script_pubkey()
            .to_lower_hex_string();
        assert_eq!(
            program,
            "0020a0edaa0fbae572dbe2b7217c20cde6f0a9e5221ff81c05c5f1740b557a470197"
        );
    }
}
