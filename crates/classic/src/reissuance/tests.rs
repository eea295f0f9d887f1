//! Tests of reissuances with a fake node.

use std::sync::Mutex;

use async_trait::async_trait;
use elements::{
    AssetId, AssetIssuance, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxOut,
    confidential::{Asset, Value},
    encode::{deserialize, serialize_hex},
    issuance::{AssetBlindingNonce, AssetEntropy},
};
use federation_multisig::{KeyOrder, Threshold};
use federation_signer::{Secret, SoftwareSpender};
use hex_conservative::FromHex;
use serde_json::json;

use super::*;

const TOKEN_ADDRESS: &str = "the script's";
const PERIOD: u32 = 10;

fn secret(index: u8) -> Secret {
    Secret::from_bytes(&[index + 1; 32]).expect("a key")
}

fn script() -> MultisigScript {
    let keys = (0..3).map(|i| secret(i).public_key()).collect();
    MultisigScript::new(Threshold::new(2).expect("two"), keys, KeyOrder::AsGiven).expect("a script")
}

/// A node whose wallet sees one token, and which records the transactions sent to it.
#[derive(Default)]
struct FakeNode {
    confirmations: u32,
    spendable: Mutex<String>,
    sent: Mutex<Vec<String>>,
    without_record: bool,
}

impl FakeNode {
    fn new(confirmations: u32) -> Self {
        Self {
            confirmations,
            spendable: Mutex::new("1000.00000000".to_owned()),
            ..Self::default()
        }
    }
}

fn asset() -> String {
    AssetId::from_entropy(AssetEntropy::from_byte_array([5; 32])).to_string()
}

#[async_trait]
impl ReissuanceNode for FakeNode {
    async fn p2sh_address(&self, hex: &str) -> Result<String, NodeError> {
        assert_eq!(hex, script().to_hex());
        Ok(TOKEN_ADDRESS.to_owned())
    }

    async fn watch(&self, address: &str) -> Result<(), NodeError> {
        assert_eq!(address, TOKEN_ADDRESS);
        Ok(())
    }

    async fn utxo_assets(&self) -> Result<Vec<UtxoAsset>, NodeError> {
        if self.without_record {
            return Err(NodeError::NoRecord);
        }
        let spendable = self.spendable.lock().expect("unpoisoned").clone();
        let text = format!(
            r#"[{{"asset":"{}","token":"bb","entropy":"cc","amountspendable":{spendable}}}]"#,
            asset()
        );
        Ok(serde_json::from_str(&text).expect("an asset"))
    }

    async fn unspent(&self) -> Result<Vec<Unspent>, NodeError> {
        let output = |address: &str, amount: &str| {
            format!(
                r#"{{"txid":"{}","vout":1,"address":"{address}","asset":"bb","confirmations":{},"amount":{amount}}}"#,
                "ab".repeat(32),
                self.confirmations
            )
        };
        let list = [
            output("another's", "10000.00000000"),
            output(TOKEN_ADDRESS, "5.00000000"),
            output(TOKEN_ADDRESS, "9999.99540000"),
        ];
        Ok(serde_json::from_str(&format!("[{}]", list.join(","))).expect("outputs"))
    }

    async fn freeze_history(&self) -> Result<Vec<FreezeEntry>, NodeError> {
        Ok(serde_json::from_value(json!([])).expect("none"))
    }

    async fn create_raw(
        &self,
        address: &str,
        amount: &str,
        token_address: &str,
        tokens: &Unspent,
        entropy: &str,
    ) -> Result<Created, NodeError> {
        assert_eq!(
            (address, token_address, entropy),
            ("to", TOKEN_ADDRESS, "cc")
        );
        assert_eq!(tokens.amount_text(), "9999.99540000");
        let satoshi: u64 = amount.replace('.', "").parse().expect("eight decimals");
        let output = |value| TxOut {
            asset: Asset::Explicit(AssetId::from_byte_array([1; 32])),
            value: Value::Explicit(value),
            script_pubkey: Script::from(vec![0x51]),
            ..TxOut::default()
        };
        let transaction = Transaction {
            version: 2,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::new(tokens.txid.parse().expect("an id"), tokens.vout),
                sequence: Sequence::MAX,
                asset_issuance: AssetIssuance {
                    asset_blinding_nonce: AssetBlindingNonce::from_byte_array([0xff; 32]),
                    asset_entropy: AssetEntropy::from_byte_array([5; 32]),
                    amount: Value::Explicit(satoshi),
                    inflation_keys: Value::Null,
                },
                ..TxIn::default()
            }],
            output: vec![output(satoshi), output(7)],
        };
        let created = json!({ "hex": serialize_hex(&transaction), "asset": asset() });
        Ok(serde_json::from_value(created).expect("created"))
    }

    async fn send(&self, hex: &str) -> Result<String, NodeError> {
        self.sent.lock().expect("unpoisoned").push(hex.to_owned());
        Ok("id".to_owned())
    }
}

fn config() -> ReissuanceConfig {
    let minute = core::time::Duration::from_secs(60);
    ReissuanceConfig::new(0.05, PERIOD, minute, "to", script()).expect("a config")
}

async fn reissuer(index: u8, node: &Arc<FakeNode>) -> Reissuer {
    let spender = Arc::new(SoftwareSpender::new(secret(index)));
    Reissuer::prepare(config(), node.clone(), spender)
        .await
        .expect("prepared")
}

#[tokio::test]
async fn at_each_period_one_transaction_is_created_for_each_token_of_the_script() {
    let node = Arc::new(FakeNode::new(100));
    let reissuer = reissuer(0, &node).await;
    let proposed = reissuer.proposed(20).await.expect("created");
    assert_eq!(proposed.len(), 1);
    assert_eq!((proposed[0].vout, &*proposed[0].token), (1, "bb"));
    for height in [0, 1, 7, 19] {
        assert_eq!(reissuer.proposed(height).await.expect("nothing"), []);
    }
}

#[tokio::test]
async fn in_the_first_half_of_a_period_only_tokens_that_have_not_moved_are_retried() {
    let unmoved = Arc::new(FakeNode::new(100));
    let moved = Arc::new(FakeNode::new(2));
    for height in [23, 24] {
        assert_eq!(
            reissuer(0, &unmoved)
                .await
                .proposed(height)
                .await
                .expect("created")
                .len(),
            1
        );
        assert_eq!(
            reissuer(0, &moved)
                .await
                .proposed(height)
                .await
                .expect("created"),
            []
        );
    }
    assert_eq!(
        reissuer(0, &unmoved)
            .await
            .proposed(25)
            .await
            .expect("created"),
        []
    );
}

#[tokio::test]
async fn two_of_three_complete_a_transaction() {
    let node = Arc::new(FakeNode::new(100));
    let (first, third) = (reissuer(0, &node).await, reissuer(2, &node).await);
    let proposed = first.proposed(20).await.expect("created");
    let signed = third.sign(20, &proposed).await.expect("the same");
    // Garbage and repeated signatures are ignored, and the keys are in the script's order.
    let others = vec![vec!["zz".to_owned()], signed.clone(), signed, vec![]];
    assert_eq!(first.send(&proposed, &others).await.expect("sent"), ["id"]);
    let sent = node.sent.lock().expect("unpoisoned").clone();
    let bytes = Vec::from_hex(&sent[0]).expect("hex");
    let complete: Transaction = deserialize(&bytes).expect("a transaction");
    let script_sig = complete.input[0].script_sig.to_bytes();
    let redeem = script();
    let tail = [&[0x4c, 105][..], redeem.as_bytes()].concat();
    assert!(script_sig.starts_with(&[0]) && script_sig.ends_with(&tail));
    let pushes: Vec<_> = complete.input[0].script_sig.instructions().collect();
    assert_eq!(
        pushes.len(),
        4,
        "an empty push, two signatures and the script"
    );
}

#[tokio::test]
async fn one_of_three_does_not_complete_a_transaction() {
    let node = Arc::new(FakeNode::new(100));
    let first = reissuer(0, &node).await;
    let proposed = first.proposed(20).await.expect("created");
    let error = first.send(&proposed, &[]).await.expect_err("too few");
    let ReissueError::TooFew { have, need, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((have, need), (1, 2));
    assert!(node.sent.lock().expect("unpoisoned").is_empty());
}

#[tokio::test]
async fn transactions_that_our_node_would_not_create_are_not_signed_and_the_field_is_named() {
    let node = Arc::new(FakeNode::new(100));
    let leader = reissuer(0, &node).await;
    let follower = reissuer(1, &node).await;
    let proposed = leader.proposed(20).await.expect("created");
    let refusal = async |change: &dyn Fn(&mut RawReissuance)| {
        let mut changed = proposed.clone();
        change(&mut changed[0]);
        let error = follower.sign(20, &changed).await.expect_err("not the same");
        error.to_string()
    };
    assert!(refusal(&|raw| raw.vout = 2).await.contains("`vout`"));
    assert!(
        refusal(&|raw| raw.asset.push('0'))
            .await
            .contains("`asset`")
    );
    assert!(
        refusal(&|raw| raw.hex.push_str("00"))
            .await
            .contains("`hex`")
    );
    let twice = [proposed.clone(), proposed.clone()].concat();
    let error = follower.sign(20, &twice).await.expect_err("twice");
    assert!(error.to_string().contains("1 here, 2 from the leader"));
    // Another amount of the same asset changes the transaction.
    *node.spendable.lock().expect("unpoisoned") = "2000.00000000".to_owned();
    let error = follower
        .sign(20, &proposed)
        .await
        .expect_err("another amount");
    assert!(error.to_string().contains("`hex`"));
    // At another height, nothing is signed.
    assert!(follower.sign(21, &proposed).await.is_err());
}

#[tokio::test]
async fn a_node_without_recorded_issuances_and_a_foreign_key_are_refused() {
    let mut node = FakeNode::new(1);
    node.without_record = true;
    let spender = Arc::new(SoftwareSpender::new(secret(0)));
    let error = Reissuer::prepare(config(), Arc::new(node), spender).await;
    assert!(
        error
            .expect_err("no record")
            .to_string()
            .contains("recordinflation")
    );
    let foreign = Arc::new(SoftwareSpender::new(secret(9)));
    let node = Arc::new(FakeNode::new(1));
    let error = Reissuer::prepare(config(), node, foreign).await;
    assert!(matches!(error, Err(ReissueError::ForeignKey)));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let minute = core::time::Duration::from_secs(60);
    let make = |rate, period, interval| {
        ReissuanceConfig::new(rate, period, interval, "to", script()).map(drop)
    };
    assert_eq!(make(0.05, 10, minute), Ok(()));
    assert!(matches!(
        make(f64::NAN, 10, minute),
        Err(ReissuanceConfigError::Rate(_))
    ));
    assert!(matches!(
        make(-0.1, 10, minute),
        Err(ReissuanceConfigError::Rate(_))
    ));
    assert_eq!(make(0.05, 0, minute), Err(ReissuanceConfigError::Period));
    let half = core::time::Duration::from_millis(500);
    assert_eq!(make(0.05, 10, half), Err(ReissuanceConfigError::Interval));
}
