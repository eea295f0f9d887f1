//! One stream has the events of all operators, and their ends.

use std::{collections::BTreeSet, time::Duration};

use federation_local::{EventPump, LocalConfig, LocalEvent, LocalEventKind, LocalFederation};
use federation_operator::OperatorEvent;

/// How long anything may take before the test gives up.
const LIMIT: Duration = Duration::from_secs(60);

async fn next(pump: &mut EventPump) -> LocalEvent {
    let event = tokio::time::timeout(LIMIT, pump.recv()).await;
    event.expect("an event in time")
}

const fn is_tip(event: &LocalEvent) -> bool {
    matches!(
        event.kind,
        LocalEventKind::Operator(OperatorEvent::Tip { .. })
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pump_has_the_events_of_all_operators_and_the_end_of_one_that_is_not_started_again() {
    let config = LocalConfig::new(3, 2).with_interval(Duration::from_millis(250));
    let mut federation = LocalFederation::start(config).await.expect("a federation");
    let mut pump = EventPump::new(&federation);
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let event = next(&mut pump).await;
        if is_tip(&event) {
            seen.insert(event.operator);
        }
    }

    // Killed and started again before the end is received: only its new life counts.
    federation.kill_operator(2).await;
    assert!(!pump.attach(&federation, 2), "it is not running");
    federation.start_operator(2).await.expect("it starts");
    assert!(pump.attach(&federation, 2), "it is running");
    let mut tips = 0;
    while tips < 3 {
        let event = next(&mut pump).await;
        assert!(
            !matches!(event.kind, LocalEventKind::Ended),
            "operator {} is running",
            event.operator
        );
        tips += u32::from(event.operator == 2 && is_tip(&event));
    }

    federation.kill_operator(1).await;
    loop {
        let event = next(&mut pump).await;
        if matches!(event.kind, LocalEventKind::Ended) {
            assert_eq!(event.operator, 1);
            break;
        }
    }
    federation.stop().await;
}
