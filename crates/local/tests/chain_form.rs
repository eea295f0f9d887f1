//! An operator refuses to start on unsuitable chains, and raises an alarm if its node's blocks are not of
//! the chain.
//!
//! With a real node: `ELEMENTSD=.. cargo test -p federation-local --test chain_form -- --ignored`.

use std::{sync::Arc, time::Duration};

use federation_block_signing::Alarm;
use federation_chain::Dialect;
use federation_harness::{Fault, Middleman, Proxy};
use federation_local::{LocalConfig, LocalError, LocalFederation, NodeKind};
use federation_ocean_rpc::Node;
use federation_operator::StartError;
use hex_conservative::DisplayHex;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);

fn alone(dialect: Dialect) -> LocalConfig {
    LocalConfig::new(1, 1)
        .with_dialect(dialect)
        .with_interval(Duration::from_millis(300))
        .with_absent(vec![0])
}

/// Puts a middleman between the operator and its node.
async fn insert_middleman(
    federation: &mut LocalFederation,
    middleman: impl Middleman,
) -> Result<Proxy, LocalError> {
    let client = federation.node(0).client().clone();
    let proxy = Proxy::spawn(&client.url(), Arc::new(middleman)).await;
    let proxy = proxy.expect("a port");
    federation.set_client(0, client.through(&proxy.url())?);
    Ok(proxy)
}

/// Makes the node report epochs of this length.
struct Epochs(u32);

impl Middleman for Epochs {
    fn alter(&self, method: &str, _: &Value, result: &Value) -> Option<Value> {
        (method == "getblockchaininfo").then(|| {
            let mut result = result.clone();
            result["epoch_length"] = json!(self.0);
            result
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_refuses_a_chain_with_short_epochs() -> Result<(), LocalError> {
    for length in 1..=4 {
        let mut federation = LocalFederation::start(alone(Dialect::Dynafed)).await?;
        let _proxy = insert_middleman(&mut federation, Epochs(length)).await?;
        let refused = federation.start_operator(0).await;
        assert!(
            matches!(refused, Err(LocalError::Start(StartError::ShortEpochs(found))) if found == length),
            "{refused:?}"
        );
        federation.stop().await;
    }
    let mut federation = LocalFederation::start(alone(Dialect::Dynafed)).await?;
    let _proxy = insert_middleman(&mut federation, Epochs(5)).await?;
    federation.start_operator(0).await?;
    federation.stop().await;
    Ok(())
}

/// Makes the node report this state of dynafed.
struct Deployment(Value);

impl Middleman for Deployment {
    fn answer(&self, method: &str, _: &Value) -> Option<Result<Value, Fault>> {
        (method == "getdeploymentinfo")
            .then(|| Ok(json!({ "deployments": { "dynafed": self.0.clone() } })))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_refuses_a_chain_whose_block_format_will_change() -> Result<(), LocalError> {
    for status in ["defined", "started", "locked_in"] {
        let mut federation = LocalFederation::start(alone(Dialect::Elements)).await?;
        let answer = json!({ "type": "bip9", "active": false, "bip9": { "status": status } });
        let _proxy = insert_middleman(&mut federation, Deployment(answer)).await?;
        let refused = federation.start_operator(0).await;
        assert!(
            matches!(
                refused,
                Err(LocalError::Start(StartError::FormatChanges(
                    Dialect::Elements
                )))
            ),
            "{refused:?}"
        );
        let text = refused.expect_err("refused").to_string();
        assert!(text.contains("evbparams=dynafed:-2:::"), "{text}");
        federation.stop().await;
    }
    // Nodes omit a deployment that never starts, and report one that can no longer start as failed.
    for answer in [
        Value::Null,
        json!({ "active": false, "bip9": { "status": "failed" } }),
    ] {
        let mut federation = LocalFederation::start(alone(Dialect::Elements)).await?;
        let _proxy = insert_middleman(&mut federation, Deployment(answer)).await?;
        federation.start_operator(0).await?;
        federation.stop().await;
    }
    Ok(())
}

/// Makes the node return the template of another chain.
struct Foreign(String);

impl Middleman for Foreign {
    fn alter(&self, method: &str, _: &Value, _: &Value) -> Option<Value> {
        (method == "getnewblockhex").then(|| json!(self.0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_in_another_format_raises_an_alarm_and_is_not_proposed() -> Result<(), LocalError>
{
    let other = LocalFederation::start(alone(Dialect::Dynafed)).await?;
    let dynafed = other.node(0).client().new_block().await?;
    let mut federation = LocalFederation::start(alone(Dialect::Elements)).await?;
    let _proxy = insert_middleman(&mut federation, Foreign(dynafed.to_lower_hex_string())).await?;
    federation.start_operator(0).await?;
    let mut status = federation.operator(0).expect("it runs").status();
    let alarm = status.wait_for(|status| {
        matches!(&status.last_alarm, Some(Alarm::ForeignTemplate { reason, .. })
            if reason.contains("not a elements block"))
    });
    let waited = tokio::time::timeout(LIMIT, alarm).await;
    waited.expect("in time").expect("it runs");
    assert_eq!(federation.check_one_chain().await?, 0);
    federation.stop().await;
    other.stop().await;
    Ok(())
}

/// `elementsd` reports whether dynafed can still start.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn elementsd_reports_whether_dynafed_can_begin() -> Result<(), LocalError> {
    let program = std::env::var("ELEMENTSD").expect("ELEMENTSD names a node");
    let nodes = || NodeKind::Process(program.clone().into());
    let never = LocalFederation::start(alone(Dialect::Elements).with_nodes(nodes())).await?;
    let can_begin = never.node(0).client().dynafed_can_begin().await?;
    assert!(!can_begin, "its configuration excludes it");
    never.stop().await;
    for (settings, expected) in [
        (vec![], false),
        (vec!["-evbparams=dynafed:0:::".to_owned()], true),
    ] {
        let config = alone(Dialect::Dynafed).with_nodes(nodes());
        let chain = LocalFederation::start(config.with_node_args(settings)).await?;
        let can_begin = chain.node(0).client().dynafed_can_begin().await?;
        assert_eq!(can_begin, expected);
        chain.stop().await;
    }
    Ok(())
}
