//! Stored ledgers of reissuances.

use core::time::Duration;

use elements::{AssetId, Script};
use federation_chain::{BlockHash, BlockHeight};
use federation_multisig::MultisigScript;
use federation_reissuance::{
    AssetSettings, Chain, Ledger, Rate, Schedule, ScriptKind, TokenForm, TokenScript,
};

/// The settings of the seeds.
pub fn settings() -> (Chain, Vec<AssetSettings>) {
    let chain = Chain {
        genesis: BlockHash::from_bytes([7; 32]),
        tokens: TokenForm::Blinded,
    };
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let script = MultisigScript::from_hex(&format!("5121{key}51ae")).expect("a script");
    let tokens = TokenScript::new(script, ScriptKind::P2wsh).expect("it fits");
    let schedule = Schedule::new(
        "0.05".parse().expect("a rate"),
        10,
        Duration::from_secs(60),
        BlockHeight::GENESIS,
    )
    .expect("a schedule");
    let asset = AssetId::from_byte_array([3; 32]);
    let settings = AssetSettings::new(asset, schedule, Script::from(vec![0x51]), tokens);
    (chain, vec![settings.expect("settings")])
}

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let (chain, settings) = settings();
    if let Ok(mut ledger) = Ledger::from_bytes(bytes, chain, settings.clone()) {
        let again = Ledger::from_bytes(&ledger.to_bytes(), chain, settings);
        assert_eq!(again.as_ref(), Ok(&ledger));
        let _ = ledger.plan(0);
        let _ = ledger.circulation(0);
        // It can be continued.
        let (height, previous) = (ledger.next_height(), ledger.tip());
        let previous = previous.map_or(chain.genesis, |(_, hash)| hash);
        let _ = ledger.apply(height, chain.genesis, previous, &[]);
        let _ = ledger.circulation(0);
    }
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(rate) = text.parse::<Rate>()
    {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
}
