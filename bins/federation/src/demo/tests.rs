//! What fails in a demo is told at its end.

use std::time::Duration;

use federation_local::{LocalConfig, LocalFederation};
use federation_operator::Store;
use tokio::sync::mpsc;

use super::{
    Acts, Show,
    session::{News, Session, Wish},
    state::DemoState,
    summary,
};
use crate::runtime;

/// A demo of three operators in memory, of which nobody sees anything.
async fn session(blocks: u32) -> Session {
    let interval = Duration::from_millis(300);
    let config = LocalConfig::new(3, 2).with_interval(interval);
    let federation = LocalFederation::start(config).await.expect("a federation");
    let names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let state = DemoState::new("a demo".to_owned(), 2, interval, names);
    let acts = Acts {
        crash: false,
        inflation: None,
    };
    Session::new(federation, state, acts, Some(blocks), interval)
}

/// How a demo ends once its blocks are made; the error, if it is one.
fn ended(prepare: impl AsyncFnOnce(&mut Session)) -> Result<(), String> {
    let runtime = runtime::multi_thread().expect("a runtime");
    let code = runtime.until_stopped(async |stop| {
        let mut session = session(4).await;
        prepare(&mut session).await;
        let (_, wishes) = mpsc::channel(1);
        let end = session.run(wishes, |_| Ok(())).await?;
        summary::tell(session.close(end), Show::Plain, false, &stop).await
    });
    code.map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_demo_in_which_nothing_fails_ends_well() {
    assert_eq!(ended(async |_| ()), Ok(()));
}

#[test]
fn a_demo_in_which_an_operator_does_not_start_ends_with_an_error() {
    let held = std::cell::OnceCell::new();
    let ended = ended(async |session| {
        session.kill(2).await;
        let folder = session.federation.store_folder(2);
        let federation = session.federation.federation().id();
        let me = federation_roster::OperatorId::new(2);
        let store = Store::open(&folder, federation, me).expect("free");
        assert!(held.set(store).is_ok());
        session.grant(Wish::Restart(2)).await;
    });
    let error = ended.expect_err("an operator is missing");
    assert!(error.contains("did not go as it should"), "{error}");
}

#[test]
fn clients_that_cannot_go_on_are_told_of_at_the_end() {
    let ended = ended(async |session| {
        let stopped = News::ClientsStopped("no coins".to_owned());
        session.take(stopped).await;
    });
    assert!(ended.is_err());
}
