//! Checks that every public type keeps the traits that users of the crate rely on.

use std::{error::Error, fmt::Debug};

use federation_messenger::{
    BoundedQueue, Inbox, Lane, Messenger, MessengerError, MessengerStats, Peer, PeerStats,
    QueueLimits,
    hub::{Hub, HubMessenger, LinkFaults},
};

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn value<T: Debug + Clone + PartialEq + Send + Sync + 'static>() {}
const fn error<T: Error + Clone + Send + Sync + 'static>() {}
const fn messenger<T: Messenger + ?Sized>() {}

#[test]
fn public_types_keep_their_traits() {
    shared::<Hub>();
    shared::<HubMessenger>();
    shared::<BoundedQueue<Vec<u8>>>();
    shared::<Inbox>();
    shared::<Lane>();
    value::<LinkFaults>();
    value::<MessengerStats>();
    value::<Peer>();
    value::<PeerStats>();
    value::<QueueLimits>();
    error::<MessengerError>();
    messenger::<HubMessenger>();
    messenger::<std::sync::Arc<dyn Messenger>>();
    messenger::<Box<dyn Messenger>>();
}
