//! Faults: operators that are down or restart at any step, tokens spent elsewhere, liars.

use std::time::Duration;

use elements::{
    Script, Transaction, TxIn, TxOut,
    confidential::{Asset, Value},
    encode::serialize,
};
use federation_chain::Dialect;
use federation_reissuance::Ledger;
use federation_roster::OperatorId;
use federation_signer::{SoftwareSpender, SpendSigner};

use crate::scene::{LIMIT, Scene, check_payments, destination};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reissuances_continue_with_one_operator_down_and_catch_up_after_two_were() {
    let mut scene = Scene::devnet(Dialect::Dynafed).await;
    scene.wait_for_payments(1).await;
    scene.federation.kill_operator(2).await;
    scene.wait_for_payments(2).await;
    // The chain stands still now; the next point is owed until it continues.
    scene.federation.kill_operator(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.federation.start_operator(1).await.expect("back");
    scene.federation.start_operator(2).await.expect("back");
    scene.wait_for_payments(4).await;
    scene.federation.stop().await;
}

/// Each operator is killed again and again, at arbitrary steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_at_any_step_neither_pay_twice_nor_miss_a_point() {
    let mut scene = Scene::devnet(Dialect::Elements).await;
    for step in 0..9 {
        let victim = step % 3;
        // Not a multiple of the interval, so that it happens at another step each time.
        tokio::time::sleep(Duration::from_millis(170)).await;
        scene.federation.kill_operator(victim).await;
        scene
            .federation
            .start_operator(victim)
            .await
            .expect("it starts again");
    }
    scene.wait_for_payments(4).await;
    scene.federation.stop().await;
}

/// An operator that has lost its store of reissuances reads the chain again and continues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_store_of_reissuances_stops_nothing() {
    let mut scene = Scene::devnet(Dialect::Ocean).await;
    scene.wait_for_payments(1).await;
    for index in 0..3 {
        scene.federation.stop_operator(index).await.expect("stops");
        let path = scene.federation.store_folder(index).join("reissuance.redb");
        std::fs::remove_file(path).expect("there");
        scene.federation.start_operator(index).await.expect("back");
    }
    scene.wait_for_payments(3).await;
    scene.federation.stop().await;
}

/// One of three operators tries to reissue twice the amount, or to itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_reissues_nothing_and_stops_nothing() {
    let mut scene = Scene::devnet(Dialect::Dynafed).await;
    let truth = scene.settings.clone();
    let lies = [
        scene.settings_at("0.2", destination()),
        scene.settings_at("0.1", Script::from(vec![0x51, 0x51])),
    ];
    for lie in lies {
        scene.federation.set_reissuance(vec![lie]);
        scene.restart(2).await;
        let (_, events) = scene.read(0).await;
        scene.wait_for_payments(check_payments(&events) + 2).await;
    }
    // With another operator down, the liar and the honest one do not agree.
    scene.federation.set_reissuance(vec![truth]);
    scene.federation.stop_operator(1).await.expect("it stops");
    scene.federation.stop_operator(0).await.expect("it stops");
    scene.federation.start_operator(0).await.expect("it starts");
    let (_, events) = scene.read(0).await;
    let before = check_payments(&events);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (ledger, events) = scene.read(0).await;
    assert!(
        check_payments(&events) <= before + 1,
        "only what was signed before"
    );
    assert!(ledger.plan(0).is_ok(), "owed, and not paid");
    // The honest ones catch up.
    scene.federation.start_operator(1).await.expect("it starts");
    scene.wait_for_payments(before + 2).await;
    scene.federation.stop().await;
}

/// The others report an operator with different settings until its settings match.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_whose_settings_differ_is_named_until_they_match() {
    let mut scene = Scene::devnet(Dialect::Ocean).await;
    scene.wait_for_payments(1).await;
    let truth = scene.settings.clone();
    let other = scene.settings_at("0.2", destination());
    let operator = scene.federation.operator(0).expect("it runs");
    let mut differences = operator.reissuance_differences();
    scene.federation.set_reissuance(vec![other]);
    scene.restart(2).await;
    let key = (OperatorId::new(2), truth.asset());
    let named = tokio::time::timeout(LIMIT, differences.wait_for(|all| all.contains_key(&key)));
    let how = named.await.expect("in time").expect("it runs")[&key].clone();
    assert!(how.contains("amount is "), "{how}");
    scene.federation.set_reissuance(vec![truth]);
    scene.restart(2).await;
    let agreed = tokio::time::timeout(LIMIT, differences.wait_for(|all| all.is_empty()));
    agreed.await.expect("in time").expect("it runs");
    scene.federation.stop().await;
}

/// Two dishonest operators move the tokens between reissuances: the others plan again with the tokens'
/// new outpoint, and no point is paid twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_were_moved_between_reissuances_are_used_from_their_new_outpoint() {
    let scene = Scene::devnet(Dialect::Ocean).await;
    scene.wait_for_payments(1).await;
    let node = scene.federation.node(0).client();
    // Retries until it falls between a payment and the next point.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let (ledger, _) = scene.read(0).await;
        let moved = move_tokens(&scene, &ledger).await;
        if node.send_raw_transaction(&serialize(&moved)).await.is_ok() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "the tokens move");
    }
    scene.wait_for_payments(3).await;
    scene.federation.stop().await;
}

/// Returns a transaction that moves the tokens to the same script, signed by two operators.
async fn move_tokens(scene: &Scene, ledger: &Ledger) -> Transaction {
    let (outpoint, value) = ledger.tokens_of(0).first().copied().expect("tokens");
    let script = scene.settings.tokens().script_pubkey();
    let token = ledger.token(0).expect("issued");
    let output = TxOut {
        asset: Asset::Explicit(token),
        value: Value::Explicit(value),
        script_pubkey: script,
        ..TxOut::default()
    };
    let mut transaction = Transaction {
        version: 2,
        lock_time: elements::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: outpoint,
            ..TxIn::default()
        }],
        output: vec![output],
    };
    let redeem = scene.settings.tokens().witness_script();
    let digest = federation_chain::legacy_sighash(&transaction, 0, &redeem);
    let mut script_sig = elements::script::Builder::new().push_int(0);
    for index in 0..2 {
        let spender = SoftwareSpender::new(scene.federation.reissuance_key(index));
        let signature = spender.sign_spend(digest).await.expect("it signs");
        let mut bytes = signature.serialize_der().to_vec();
        bytes.push(1);
        script_sig = script_sig.push_slice(&bytes);
    }
    transaction.input[0].script_sig = script_sig.push_slice(redeem.as_bytes()).into_script();
    transaction
}
