//! Keys in real tokens of SoftHSM 2; each test has its own process and folder.

mod admin;
mod concurrent;
mod errors;
mod faults;
mod quirks;
mod recovery;
mod signing;

use federation_signer_hsm::HsmError;

/// Runs a future on its own runtime.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// The error of opening a key.
fn refused(config: federation_signer_hsm::HsmConfig) -> HsmError {
    run(federation_signer_hsm::HsmKey::open(config)).expect_err("it is refused")
}
