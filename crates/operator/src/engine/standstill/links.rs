//! Who is connected, as the messenger tells: asked beside the loop, noted for the next look.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use federation_block_signing::Part;
use federation_messenger::{Messenger, Peer, PeerStats};
use federation_roster::{Federation, OperatorId};
use tokio_util::task::AbortOnDropHandle;

use crate::{calls::Calls, engine::Speaker, log::Log};

/// Asks the messenger who is at the other end of its links, one question at a time.
pub(in crate::engine) struct Links {
    federation: Arc<Federation>,
    messenger: Arc<dyn Messenger>,
    calls: Arc<Calls>,
    log: Arc<Log>,
    found: Arc<Mutex<BTreeSet<OperatorId>>>,
    asking: Option<AbortOnDropHandle<()>>,
}

impl Links {
    pub(in crate::engine) fn new(speaker: &Speaker, log: Arc<Log>) -> Self {
        Self {
            federation: speaker.federation.clone(),
            messenger: speaker.messenger.clone(),
            calls: speaker.calls.clone(),
            log,
            found: Arc::default(),
            asking: None,
        }
    }

    /// Who was connected when the messenger last told; nobody if it has not, or does not know whom it
    /// has at the other end of its links. Asks it again, for the next look.
    pub(super) fn look(&mut self) -> BTreeSet<OperatorId> {
        if self.asking.as_ref().is_none_or(|task| task.is_finished()) {
            self.ask();
        }
        lock(&self.found).clone()
    }

    /// Forgets what was told, which is of no use later.
    pub(super) fn rest(&mut self) {
        // A late answer goes nowhere.
        (self.asking, self.found) = (None, Arc::default());
    }

    fn ask(&mut self) {
        let (calls, log) = (self.calls.clone(), self.log.clone());
        let (federation, messenger) = (self.federation.clone(), self.messenger.clone());
        let found = self.found.clone();
        let task = self.calls.tasks().spawn(async move {
            let call = async move { messenger.has_unicast().then(|| messenger.stats().peers) };
            let connected = match calls.run(Part::Messenger, call).await {
                Ok(links) => connected(&federation, links.unwrap_or_default()),
                Err(error) => {
                    let what = "the messenger does not tell who is connected";
                    log.complaint(what, &error.to_string());
                    BTreeSet::new()
                }
            };
            *lock(&found) = connected;
        });
        self.asking = Some(AbortOnDropHandle::new(task));
    }
}

fn lock(found: &Mutex<BTreeSet<OperatorId>>) -> MutexGuard<'_, BTreeSet<OperatorId>> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connected(federation: &Federation, links: Vec<PeerStats>) -> BTreeSet<OperatorId> {
    let places: BTreeMap<&str, OperatorId> = federation
        .ids()
        .filter_map(|id| Some((federation.operator(id)?.endpoint.as_str(), id)))
        .collect();
    links
        .into_iter()
        .filter(|link| link.connected)
        .filter_map(|link| match &link.peer {
            Peer::Operator(id) => Some(*id),
            Peer::Address(address) => places.get(&**address).copied(),
            _ => None,
        })
        .collect()
}
