//! A call that never returns costs its thread, but not the key.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use federation_chain::BlockHash;
use federation_signer::{SecretSource, Signer, SignerError};
use federation_signer_hsm::{
    HsmConfig, HsmError, HsmKey, HsmSigner, Pin, PinError,
    admin::generate_key,
    testing::{USER_PIN, config, isolated, make_token, pin, softhsm},
};

use super::Quirky;
use crate::run;

const HASH: BlockHash = BlockHash::from_bytes([1; 32]);

/// How long a test waits for an event that should come promptly.
const LIMIT: Duration = Duration::from_secs(60);

/// The error of an unreachable module.
fn unavailable<T: core::fmt::Debug>(result: Result<T, SignerError>) -> HsmError {
    let Err(SignerError::Unavailable(source)) = result else {
        panic!("{result:?}");
    };
    source
        .downcast_ref::<HsmError>()
        .expect("an error of this crate")
        .clone()
}

async fn signer(quirky: &Quirky, timeout: Duration, queue: usize) -> HsmSigner {
    let config = quirky.config("block").with_queue(queue);
    let key = HsmKey::open(config.with_timeout(timeout)).await;
    HsmSigner::new(key.expect("the key"))
}

/// Waits until the module has been called for this many signatures.
async fn signing_calls(quirky: &Quirky, count: usize) {
    let deadline = Instant::now() + LIMIT;
    while quirky.calls("C_Sign") < count {
        assert!(Instant::now() < deadline, "too few calls");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_thread_that_hangs_is_replaced() {
    isolated("quirks::hanging::a_thread_that_hangs_is_replaced", || {
        let (quirky, _) = Quirky::new();
        run(async {
            let signer = signer(&quirky, Duration::from_secs(3), 4).await;
            // Key generation and the proof at opening signed once each: the third call never
            // returns.
            quirky.set("hang=3");
            // On one thread: if the call blocked it, the tick would not come.
            let tick = tokio::time::sleep(Duration::from_millis(1));
            let signing = signer.sign_block(HASH);
            tokio::pin!(tick, signing);
            tokio::select! {
                biased;
                _ = &mut signing => panic!("the call should hang"),
                () = &mut tick => {}
            }
            let hung = unavailable(signing.await);
            assert!(matches!(hung, HsmError::Timeout(_)), "{hung:?}");
            for _ in 0..3 {
                signer.sign_block(HASH).await.expect("by another thread");
            }
        });
    });
}

#[test]
fn nothing_is_signed_for_callers_that_have_gone() {
    isolated(
        "quirks::hanging::nothing_is_signed_for_callers_that_have_gone",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let signer = signer(&quirky, LIMIT, 3).await;
                quirky.clear_calls();
                quirky.set("hang");
                let mut first = Box::pin(signer.sign_block(HASH));
                assert!(futures::poll!(&mut first).is_pending());
                signing_calls(&quirky, 1).await;
                // They wait in the queue while the only thread is busy with the first.
                let mut waiting: Vec<_> =
                    (0..3).map(|_| Box::pin(signer.sign_block(HASH))).collect();
                for signing in &mut waiting {
                    assert!(futures::poll!(signing).is_pending());
                }
                let refused = unavailable(signer.sign_block(HASH).await);
                assert_eq!(refused, HsmError::Busy(3));
                // Now they no longer wait, so there is room for others.
                drop(waiting);
                let mut last = Box::pin(signer.sign_block(HASH));
                assert!(futures::poll!(&mut last).is_pending());
                quirky.set("");
                first.await.expect("returned in time");
                last.await.expect("after the first");
                assert_eq!(quirky.calls("C_Sign"), 2, "none for callers that have gone");
            });
        },
    );
}

#[test]
fn a_key_with_too_many_hanging_calls_becomes_unusable() {
    isolated(
        "quirks::hanging::a_key_with_too_many_hanging_calls_becomes_unusable",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                // Long enough for the key to prove itself.
                let signer = signer(&quirky, Duration::from_secs(1), 4).await;
                quirky.clear_calls();
                quirky.set("hang");
                let mut attempts = 0;
                let ended = loop {
                    attempts += 1;
                    assert!(
                        attempts <= 4 * HsmConfig::MAX_HANGING,
                        "the key never becomes unusable"
                    );
                    match signer.sign_block(HASH).await {
                        Err(SignerError::Ended(source)) => break source,
                        other => {
                            let error = unavailable(other);
                            assert!(matches!(error, HsmError::Timeout(_)), "{error:?}");
                        }
                    }
                };
                let error = ended
                    .downcast_ref::<HsmError>()
                    .expect("an error of this crate");
                assert_eq!(*error, HsmError::Hangs(HsmConfig::MAX_HANGING));
                assert!(error.is_final() && !error.is_transient());
                // No further call is made.
                let calls = quirky.calls("C_Sign");
                for _ in 0..3 {
                    let still = signer.sign_block(HASH).await;
                    assert!(matches!(still, Err(SignerError::Ended(_))), "{still:?}");
                }
                assert_eq!(quirky.calls("C_Sign"), calls);
                assert!(calls <= HsmConfig::MAX_HANGING);
                // If the calls return after all, it signs again.
                quirky.set("");
                let deadline = Instant::now() + LIMIT;
                while let Err(error) = signer.sign_block(HASH).await {
                    assert!(Instant::now() < deadline, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        },
    );
}

#[test]
fn a_caller_that_gives_up_early_does_not_hide_a_hanging_call() {
    isolated(
        "quirks::hanging::a_caller_that_gives_up_early_does_not_hide_a_hanging_call",
        || {
            let (quirky, _) = Quirky::new();
            run(async {
                let signer = signer(&quirky, Duration::from_secs(1), 4).await;
                quirky.set("hang=3");
                quirky.clear_calls();
                let mut signing = Box::pin(signer.sign_block(HASH));
                assert!(futures::poll!(&mut signing).is_pending());
                signing_calls(&quirky, 1).await;
                drop(signing);
                let deadline = Instant::now() + LIMIT;
                while let Err(error) = signer.sign_block(HASH).await {
                    assert!(Instant::now() < deadline, "{error:?}");
                }
            });
        },
    );
}

/// Does something that must end although the module hangs.
fn ends<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || done.send(act()));
    waiting.recv_timeout(LIMIT).expect("it must end")
}

/// A timeout short enough for a test.
const SHORT: Duration = Duration::from_millis(300);

fn not_open(quirky: &Quirky) -> HsmError {
    let config = quirky.config("block").with_timeout(SHORT);
    ends(|| run(HsmKey::open(config)).expect_err("a timeout"))
}

/// The key, once the hanging calls have returned.
fn open_at_last(quirky: &Quirky) -> HsmKey {
    let deadline = Instant::now() + LIMIT;
    loop {
        match quirky.open("block") {
            Ok(key) => return key,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
    }
}

#[test]
fn a_module_that_hangs_during_initialisation_is_reported_and_does_not_delay_others() {
    isolated(
        "quirks::hanging::a_module_that_hangs_during_initialisation_is_reported_and_does_not_delay_others",
        || {
            let quirky = Quirky::bare();
            // Created through the module behind it, so that this one is not initialised yet.
            make_token(&softhsm(), "operator");
            let made = generate_key(&softhsm(), &Quirky::token(), &pin(USER_PIN), "block");
            made.expect("a key");
            quirky.set("inithang");
            let call = "C_Initialize";
            let expected = HsmError::Opening { call, limit: SHORT };
            assert_eq!(not_open(&quirky), expected);
            assert!(expected.is_transient() && !expected.is_final());
            assert!(expected.to_string().contains(call), "{expected}");
            // The key of the other module is still available.
            let other = config(&softhsm(), "operator", "block");
            ends(|| run(HsmKey::open(other))).expect("the key");
            // Nor does it delay the prompt for a PIN.
            let module = quirky.module.clone();
            let read = ends(move || {
                Pin::read(&SecretSource::Prompt, "the PIN", &module, &Quirky::token())
            });
            let limit = HsmConfig::TIMEOUT;
            assert!(
                matches!(&read, Err(PinError::Module(error)) if *error == HsmError::Opening { call, limit }),
                "{read:?}"
            );
            assert_eq!(quirky.calls(call), 1, "a single call");
            quirky.set("");
            drop(open_at_last(&quirky));
        },
    );
}

#[test]
fn a_hanging_login_is_reported_and_its_key_can_be_dropped() {
    isolated(
        "quirks::hanging::a_hanging_login_is_reported_and_its_key_can_be_dropped",
        || {
            let (quirky, _) = Quirky::new();
            quirky.set("loginhang");
            let call = "C_Login";
            let expected = HsmError::Opening { call, limit: SHORT };
            assert_eq!(not_open(&quirky), expected);
            assert!(expected.to_string().contains(call), "{expected}");
            quirky.set("");
            let key = open_at_last(&quirky);
            drop(key);
            // A lost session is reopened, which then hangs.
            let config = quirky.config("block").with_timeout(Duration::from_secs(1));
            let signer = HsmSigner::new(run(HsmKey::open(config)).expect("the key"));
            quirky.set("every=1,code=b3,loginhang");
            let (signer, hung) = ends(move || {
                let hung = run(signer.sign_block(HASH));
                (signer, hung)
            });
            let hung = unavailable(hung);
            assert!(matches!(hung, HsmError::Timeout(_)), "{hung:?}");
            ends(move || drop(signer));
            quirky.set("");
            drop(open_at_last(&quirky));
        },
    );
}

#[test]
fn a_failed_login_is_reported_and_retried_at_the_next_start() {
    isolated(
        "quirks::hanging::a_failed_login_is_reported_and_retried_at_the_next_start",
        || {
            let (quirky, _) = Quirky::new();
            quirky.set("loginfails");
            let failed = quirky.open("block").expect_err("a failure");
            assert_eq!(failed.to_string(), "C_Login failed: FunctionFailed");
            assert!(failed.is_transient());
            quirky.set("");
            quirky.open("block").expect("no PIN was refused");
        },
    );
}
