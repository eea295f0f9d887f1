//! Checks that the public types implement the traits that users of the crate rely on.

use std::{error::Error, fmt::Debug};

use federation_keystore::{Head, KeystoreError, Passphrase, WeakPassphrase, WorkFactor};

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn value<T: Debug + Copy + PartialEq + Eq + Send + Sync + 'static>() {}
const fn error<T: Error + Clone + Send + Sync + 'static>() {}

#[test]
fn public_types_keep_their_traits() {
    shared::<Passphrase>();
    value::<Head>();
    value::<WorkFactor>();
    error::<KeystoreError>();
    error::<WeakPassphrase>();
}
