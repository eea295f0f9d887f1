//! Checks that every public type keeps the traits that users of the crate rely on.

use std::{error::Error, fmt::Debug};

use federation_messenger_kafka::KafkaError;

use super::*;

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn error<T: Error + Clone + Send + Sync + 'static>() {}

#[test]
fn public_types_keep_their_traits() {
    shared::<KafkaMessenger>();
    shared::<KafkaConfig>();
    shared::<MockBrokers>();
    error::<KafkaError>();
}
