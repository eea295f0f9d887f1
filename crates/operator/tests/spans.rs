//! Every log line of an operator is in a span with the operator's name, so that several operators in
//! one process can be told apart.

mod world;

use std::{
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use federation_block_signing::Part;
use federation_messenger::{Messenger, MessengerError, MessengerStats};
use federation_operator::{Concern, OperatorHandle};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use world::{LIMIT, ME, World};

/// The log of the process, as lines of JSON.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Captured {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }
}

/// The operator in whose span a line is.
fn operator(line: &Value) -> Option<&str> {
    let spans = line["spans"].as_array()?;
    spans.iter().find_map(|span| span["operator"].as_str())
}

/// A messenger that logs a line in each call, and hangs.
struct Stuck;

#[async_trait::async_trait]
impl Messenger for Stuck {
    async fn broadcast(&self, _: Bytes) -> Result<(), MessengerError> {
        tracing::info!("stuck");
        core::future::pending().await
    }

    async fn recv(&self) -> Result<Bytes, MessengerError> {
        core::future::pending().await
    }

    fn stats(&self) -> MessengerStats {
        MessengerStats::default()
    }

    async fn close(&self) {
        tracing::info!("closing");
        core::future::pending().await
    }
}

async fn start(world: &World, messenger: Arc<dyn Messenger>) -> OperatorHandle {
    let guard = world.guard();
    let is_new = guard.is_new();
    let started = world.operator(messenger, guard, is_new).start().await;
    started.expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_in_one_process_are_told_apart_in_every_line() {
    let log = Captured::default();
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(log.clone())
        .init();
    let (alices, bobs) = (
        World::new("alice", None).await,
        World::new("bob", None).await,
    );
    let alice = start(&alices, Arc::new(alices.hub.join(ME))).await;
    let bob = start(&bobs, Arc::new(Stuck)).await;
    alices.reaches(3).await;
    bobs.reaches(3).await;
    let mut status = bob.status();
    let reported = status.wait_for(|status| {
        let part = Concern::Part(Part::Messenger);
        status.troubles.contains_key(&part)
    });
    let reported = tokio::time::timeout(LIMIT, reported).await;
    drop(reported.expect("in time").expect("it runs"));
    for handle in [alice, bob] {
        handle.shutdown().await.expect("it ran until then");
    }

    let lines = log.lines();
    let of_operators = lines.iter().filter(|line| {
        let target = line["target"].as_str().unwrap_or_default();
        target.starts_with("federation_operator") || target.starts_with("spans")
    });
    let mut seen = Vec::new();
    for line in of_operators {
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        let operator = operator(line).unwrap_or_else(|| panic!("no operator: {line}"));
        seen.push((operator, message));
    }
    for operator in ["alice", "bob"] {
        for message in ["operator starts", "round", "block", "operator stopped"] {
            let found = seen.contains(&(operator, message));
            assert!(found, "`{message}` of {operator} in {seen:?}");
        }
    }
    for message in [
        "stuck",
        "closing",
        "alarm",
        "messenger does not close: abandoned",
    ] {
        assert!(seen.contains(&("bob", message)), "`{message}` in {seen:?}");
        assert!(!seen.contains(&("alice", message)), "`{message}`");
    }
}
