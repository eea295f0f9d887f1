//! Which operators are connected, by the messenger's word. The messenger is asked outside the loop,
//! and its answer is used at the next check.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use federation_block_signing::Part;
use federation_messenger::{Messenger, Peer, PeerStats};
use federation_roster::{Federation, OperatorId};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::{calls::Calls, engine::Broadcaster, log::Log};

/// Asks the messenger which operators are at the other end of its links, one call at a time.
pub(in crate::engine) struct Links {
    federation: Arc<Federation>,
    messenger: Arc<dyn Messenger>,
    calls: Arc<Calls>,
    log: Arc<Log>,
    found: Arc<Mutex<BTreeSet<OperatorId>>>,
    request: Option<AbortOnDropHandle<()>>,
}

impl Links {
    pub(in crate::engine) fn new(broadcaster: &Broadcaster, log: Arc<Log>) -> Self {
        Self {
            federation: broadcaster.federation.clone(),
            messenger: broadcaster.messenger.clone(),
            calls: broadcaster.calls.clone(),
            log,
            found: Arc::default(),
            request: None,
        }
    }

    /// Returns the operators that were connected by the messenger's last answer: none if it has not
    /// answered, or does not know who is at the other end of its links. Asks it again, for the next
    /// check.
    pub(super) fn connected(&mut self) -> BTreeSet<OperatorId> {
        if self.request.as_ref().is_none_or(|task| task.is_finished()) {
            self.ask();
        }
        lock(&self.found).clone()
    }

    /// Forgets the last answer, which is of no use later.
    pub(super) fn forget(&mut self) {
        // An answer that is still pending is discarded.
        (self.request, self.found) = (None, Arc::default());
    }

    fn ask(&mut self) {
        let (calls, log) = (self.calls.clone(), self.log.clone());
        let (federation, messenger) = (self.federation.clone(), self.messenger.clone());
        let found = self.found.clone();
        let task = async move {
            let call = async move { messenger.has_unicast().then(|| messenger.stats().peers) };
            let connected = match calls.run(Part::Messenger, call).await {
                Ok(links) => connected_operators(&federation, links.unwrap_or_default()),
                Err(error) => {
                    let what = "no answer from the messenger about connected operators";
                    log.problem(what, &error.to_string());
                    BTreeSet::new()
                }
            };
            *lock(&found) = connected;
        };
        let task = self.calls.tasks().spawn(task.in_current_span());
        self.request = Some(AbortOnDropHandle::new(task));
    }
}

fn lock(found: &Mutex<BTreeSet<OperatorId>>) -> MutexGuard<'_, BTreeSet<OperatorId>> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connected_operators(federation: &Federation, links: Vec<PeerStats>) -> BTreeSet<OperatorId> {
    let endpoints: BTreeMap<&str, OperatorId> = federation
        .ids()
        .filter_map(|id| Some((federation.member(id)?.endpoint.as_str(), id)))
        .collect();
    links
        .into_iter()
        .filter(|link| link.connected)
        .filter_map(|link| match &link.peer {
            Peer::Operator(id) => Some(*id),
            Peer::Address(address) => endpoints.get(&**address).copied(),
            _ => None,
        })
        .collect()
}
