//! Public types keep the traits that users of the crate rely on.

use std::{error::Error, fmt::Debug};

use federation_signer::{Signer, SpendSigner};
use federation_signer_hsm::{
    HsmConfig, HsmError, HsmKey, HsmSigner, HsmSpender, Pin,
    admin::{KeyEntry, TokenEntry},
};

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn value<T: Debug + Clone + PartialEq + Eq + Send + Sync + 'static>() {}
const fn error<T: Error + Clone + PartialEq + Send + Sync + 'static>() {}
const fn signer<T: Signer>() {}
const fn spender<T: SpendSigner>() {}

#[test]
fn public_types_keep_their_traits() {
    shared::<HsmConfig>();
    shared::<HsmKey>();
    shared::<HsmSigner>();
    shared::<HsmSpender>();
    shared::<Pin>();
    value::<KeyEntry>();
    value::<TokenEntry>();
    error::<HsmError>();
    signer::<HsmSigner>();
    spender::<HsmSpender>();
}
