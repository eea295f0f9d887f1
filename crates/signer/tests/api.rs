//! Public types keep the traits that users of the crate rely on.

use std::{error::Error, fmt::Debug};

use federation_signer::{
    DecodeGuardRecordError, GuardContradiction, GuardError, GuardPin, GuardRecord,
    GuardRecordError, GuardSnapshot, GuardStanding, GuardState, GuardStore, GuardStoreError,
    GuardedSigner, HsmSource, IdentitySigner, ImportError, KeyRole, KeySelector, KeySource,
    KeystoreSource, MemoryGuardStore, ParseRoleError, ParseSecretSourceError, ParseSelectorError,
    Secret, SecretError, SecretSource, SecretSourceError, SignedGuardRecord, Signer, SignerError,
    SoftwareIdentity, SoftwareSigner, SoftwareSpender, SpendSigner, TokenSelector,
    key_file::KeyFileError,
};

const fn shared<T: Debug + Send + Sync + 'static>() {}
const fn value<T: Debug + Clone + PartialEq + Eq + Send + Sync + 'static>() {}
const fn error<T: Error + Clone + Send + Sync + 'static>() {}
const fn signer<T: Signer + ?Sized>() {}
const fn identity<T: IdentitySigner + ?Sized>() {}
const fn spender<T: SpendSigner + ?Sized>() {}
const fn store<T: GuardStore + ?Sized>() {}

#[test]
fn public_types_keep_their_traits() {
    shared::<Secret>();
    shared::<SoftwareSigner>();
    shared::<SoftwareIdentity>();
    shared::<GuardedSigner<SoftwareSigner>>();
    shared::<GuardedSigner<Box<dyn Signer>>>();
    shared::<MemoryGuardStore>();
    shared::<SoftwareSpender>();
    value::<GuardState>();
    value::<GuardPin>();
    value::<GuardRecord>();
    value::<SignedGuardRecord>();
    value::<GuardStanding>();
    value::<GuardSnapshot>();
    error::<DecodeGuardRecordError>();
    error::<GuardRecordError>();
    error::<GuardContradiction>();
    error::<ImportError>();
    value::<KeyRole>();
    value::<KeySource>();
    value::<KeystoreSource>();
    value::<HsmSource>();
    value::<TokenSelector>();
    value::<KeySelector>();
    value::<SecretSource>();
    error::<ParseRoleError>();
    error::<ParseSelectorError>();
    error::<ParseSecretSourceError>();
    error::<SecretSourceError>();
    value::<SecretError>();
    error::<SecretError>();
    error::<SignerError>();
    error::<GuardError>();
    error::<GuardStoreError>();
    error::<KeyFileError>();
    signer::<SoftwareSigner>();
    signer::<Box<dyn Signer>>();
    identity::<SoftwareIdentity>();
    identity::<Box<dyn IdentitySigner>>();
    spender::<SoftwareSpender>();
    spender::<Box<dyn SpendSigner>>();
    store::<MemoryGuardStore>();
    store::<Box<dyn GuardStore>>();
}
