//! The remaining operators notice that the chain stands still, name the missing ones, and report when it
//! continues.

use std::{collections::BTreeSet, time::Duration};

use federation_chain::UnixTime;
use federation_local::{LocalConfig, LocalFederation, Transport};
use federation_operator::{OperatorEvent, OperatorStatus, Options, Standstill, StandstillCause};
use federation_roster::OperatorId;
use tokio::sync::broadcast;

const LIMIT: Duration = Duration::from_secs(120);

fn ids(indices: &[u8]) -> BTreeSet<OperatorId> {
    indices
        .iter()
        .map(|index| OperatorId::new(*index))
        .collect()
}

async fn three(transport: Transport) -> LocalFederation {
    let config = LocalConfig::new(3, 2)
        .with_interval(Duration::from_millis(300))
        .with_transport(transport);
    let federation = LocalFederation::start(config).await.expect("it starts");
    federation.wait_for_height(2, LIMIT).await.expect("blocks");
    federation
}

/// Waits for an event.
async fn wait_for_event<T>(
    events: &mut broadcast::Receiver<OperatorEvent>,
    mut want: impl FnMut(OperatorEvent) -> Option<T>,
) -> T {
    let found = async {
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some(found) = want(event) {
                        return found;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(LIMIT, found).await.expect("in time")
}

fn standstill(event: OperatorEvent) -> Option<Standstill> {
    match event {
        OperatorEvent::StandsStill(standstill) => Some(standstill),
        _ => None,
    }
}

async fn status_where(
    federation: &LocalFederation,
    index: usize,
    is: impl FnMut(&OperatorStatus) -> bool,
) -> OperatorStatus {
    let mut status = federation.operator(index).expect("it runs").status();
    let found = tokio::time::timeout(LIMIT, status.wait_for(is)).await;
    found.expect("in time").expect("it runs").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_two_of_three_stop_the_third_names_them_until_they_return() {
    let mut federation = three(Transport::Zmq).await;
    let mut events = federation.operator(0).expect("it runs").events();
    let roster = federation.federation().clone();
    for index in [1, 2] {
        federation.stop_operator(index).await.expect("it stops");
    }
    // It may be noticed while the others' last messages are still recent.
    let named = wait_for_event(&mut events, |event| {
        standstill(event).filter(|standstill| standstill.absent == ids(&[1, 2]))
    })
    .await;
    assert_eq!(named.heard, ids(&[0]));
    assert_eq!(named.needed, 2);
    assert_eq!(named.cause, StandstillCause::TooFew);
    let text = named.describe(
        &roster,
        UnixTime::from_millis(named.since.as_millis() + 120_000),
    );
    assert!(
        text.starts_with("the chain stands still for 2 min at height "),
        "{text}"
    );
    assert!(
        text.ends_with("heard 1 of the 2 that must sign; absent: beta, gamma"),
        "{text}"
    );
    let status = status_where(&federation, 0, |status| status.standstill.is_some()).await;
    // It starts at the last block's header time; with fast blocks, header times run ahead.
    assert!(status.standstill.map(|standstill| standstill.since) <= status.tip_time);
    for index in [1, 2] {
        federation.start_operator(index).await.expect("it starts");
    }
    let height = named.height.expect("known");
    let moved = wait_for_event(&mut events, |event| match event {
        OperatorEvent::MovesAgain { height, .. } => Some(height),
        _ => None,
    })
    .await;
    assert_eq!(moved, height);
    let status = status_where(&federation, 0, |status| status.standstill.is_none()).await;
    assert!(status.tip.is_some_and(|tip| tip.0 >= height));
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_names_the_signers_of_the_tip() {
    let federation = three(Transport::Memory).await;
    let rules = federation.federation().rules().clone();
    let mut status = federation.operator(0).expect("it runs").status();
    for _ in 0..5 {
        status.changed().await.expect("it runs");
        let seen = status
            .wait_for(|status| status.tip.is_some_and(|tip| tip.0.to_u32() > 0))
            .await
            .expect("it runs")
            .clone();
        let (_, hash) = seen.tip.expect("known");
        let client = federation.node(0).client();
        let header = federation_ocean_rpc::Node::header(client, hash).await;
        let header = federation_chain::Header::decode(rules.dialect(), &header.expect("there"));
        let header = header.expect("a header");
        let signers: BTreeSet<_> = rules
            .signers(&header)
            .expect("signed")
            .into_iter()
            .filter_map(|position| federation.federation().at_script_position(position))
            .collect();
        assert_eq!(signers.len(), 2, "as many as must sign, though three do");
        assert_eq!(
            seen.tip_signers.into_iter().collect::<BTreeSet<_>>(),
            signers
        );
        assert_eq!(
            seen.tip_time,
            Some(UnixTime::from_secs(header.time().into())),
            "the time of its header"
        );
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_operators_observe_the_standstill_names_the_cause_and_the_remedy() {
    let mut federation = three(Transport::Zmq).await;
    let roster = federation.federation().clone();
    for index in 0..3 {
        federation.stop_operator(index).await.expect("it stops");
    }
    let mut options = Options::default();
    options.observe = true;
    federation.set_options(options);
    for index in 0..3 {
        federation.start_operator(index).await.expect("it starts");
    }
    let nobody = |status: &OperatorStatus| {
        status.standstill.as_ref().is_some_and(|standstill| {
            standstill.cause
                == StandstillCause::Observing {
                    nobody_decides: true,
                }
        })
    };
    let status = status_where(&federation, 0, nobody).await;
    let standstill = status.standstill.expect("just seen");
    assert_eq!(standstill.heard, ids(&[]));
    assert_eq!(standstill.silent, ids(&[1, 2]));
    let reason = standstill.reason(&roster);
    assert!(reason.contains("nobody is left to decide"), "{reason}");
    assert!(reason.contains("guard repair --new-roster"), "{reason}");
    federation.stop().await;
}
