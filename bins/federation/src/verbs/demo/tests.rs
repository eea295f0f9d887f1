//! A failure in a demo makes it end with an error.

use std::time::Duration;

use federation_local::{LocalConfig, LocalFederation};
use federation_operator::Store;
use tokio::sync::mpsc;

use super::{
    DemoOptions, OutputMode,
    session::{ClientEvent, Session, UserCommand},
    state::DemoState,
    summary,
};
use crate::runtime;

/// A demo of three in-memory operators, without output.
async fn session(blocks: u32) -> Session {
    let interval = Duration::from_millis(300);
    let config = LocalConfig::new(3, 2).with_interval(interval);
    let federation = LocalFederation::start(config).await.expect("a federation");
    let names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let state = DemoState::new("a demo".to_owned(), 2, interval, names);
    let options = DemoOptions {
        crash: false,
        inflation: None,
    };
    Session::new(federation, state, options, Some(blocks), interval)
}

/// Runs a demo to its end, and returns its error.
fn ended(prepare: impl AsyncFnOnce(&mut Session)) -> Result<(), String> {
    let runtime = runtime::multi_thread().expect("a runtime");
    let code = runtime.until_stopped(async |stop| {
        let mut session = session(4).await;
        prepare(&mut session).await;
        let (_, commands) = mpsc::channel(1);
        let end = session.run(commands, |_| Ok(())).await?;
        summary::print(session.close(end), OutputMode::Plain, false, &stop).await
    });
    code.map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_demo_without_failures_ends_with_success() {
    assert_eq!(ended(async |_| ()), Ok(()));
}

#[test]
fn a_demo_whose_operator_does_not_start_ends_with_an_error() {
    let held = std::cell::OnceCell::new();
    let ended = ended(async |session| {
        session.kill(2).await;
        let folder = session.federation.store_folder(2);
        let federation = session.federation.federation().id();
        let me = federation_roster::OperatorId::new(2);
        let store = Store::open(&folder, federation, me).expect("free");
        assert!(held.set(store).is_ok());
        session.execute(UserCommand::Restart(2)).await;
    });
    let error = ended.expect_err("an operator is missing");
    assert!(error.contains("the demo failed"), "{error}");
}

#[test]
fn a_demo_whose_clients_stop_ends_with_an_error() {
    let ended = ended(async |session| {
        session.on_client_event(ClientEvent::Stopped("no coins".to_owned()));
    });
    assert!(ended.is_err());
}
