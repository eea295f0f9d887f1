//! Results of RPC calls, parsed as each of the client's types. The surrounding bodies are parsed by
//! `jsonrpsee` and `serde_json`; see the crate's own tests.

use federation_ocean_rpc::{
    Amount, BlockchainInfo, HeaderInfo, Issuance, MempoolInfo, NetworkInfo, Reissuance,
    SidechainInfo, TransactionInfo,
};

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let _ = serde_json::from_str::<BlockchainInfo>(text);
    let _ = serde_json::from_str::<HeaderInfo>(text);
    let _ = serde_json::from_str::<Issuance>(text);
    let _ = serde_json::from_str::<MempoolInfo>(text);
    let _ = serde_json::from_str::<NetworkInfo>(text);
    let _ = serde_json::from_str::<Reissuance>(text);
    let _ = serde_json::from_str::<SidechainInfo>(text);
    let _ = serde_json::from_str::<TransactionInfo>(text);
    if let Ok(amount) = serde_json::from_str::<Amount>(text) {
        let written = serde_json::to_string(&amount).expect("an amount can be written");
        assert_eq!(serde_json::from_str::<Amount>(&written).ok(), Some(amount));
    }
}
