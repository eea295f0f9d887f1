//! Scripts, signatures and keys as text or bytes.

use federation_chain::{
    Dialect, script_sig_of_signatures, signature_of_signblock, signatures_of_script_sig,
};
use federation_multisig::{MultisigScript, Network, decode_wif, encode_wif};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(script) = MultisigScript::from_bytes(bytes) {
        assert_eq!(script.as_bytes(), bytes);
        assert_eq!(
            MultisigScript::from_hex(&script.to_hex()).as_ref(),
            Ok(&script)
        );
    }
    if let Ok(signatures) = signatures_of_script_sig(bytes) {
        assert_eq!(script_sig_of_signatures(&signatures), bytes);
    }
    for dialect in Dialect::ALL {
        let _ = signature_of_signblock(dialect, bytes);
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = MultisigScript::from_hex(text);
        let network = Network::ELEMENTS_CUSTOM;
        if let Ok(secret) = decode_wif(text, &network) {
            assert_eq!(encode_wif(&secret, &network).as_str(), text);
        }
    }
}
