//! Faults of real modules, produced by a module that fails on command: it hangs, loses sessions,
//! refuses and locks PINs, and returns wrong signatures.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use federation_chain::{BlockHash, BlockHeight};
use federation_signer::{
    GuardError, GuardedSigner, MemoryGuardStore, Signer, SignerError, TokenSelector,
};
use federation_signer_hsm::{
    HsmConfig, HsmError, HsmKey, HsmSigner,
    admin::generate_key,
    testing::{USER_PIN, config, isolated, make_token, pin, softhsm, tokens_here},
};

use crate::{refused, run};

const HASH: BlockHash = BlockHash::from_bytes([1; 32]);

/// The faulty module, with a token that has a key.
struct Faulty {
    module: PathBuf,
    folder: PathBuf,
}

impl Faulty {
    fn new() -> Self {
        let folder = tokens_here().parent().expect("its folder").to_owned();
        let module = folder.join("faulty.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faulty.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&module)
            .arg(format!("-DREAL=\"{}\"", softhsm().display()))
            .arg(format!("-DFOLDER=\"{}\"", folder.display()))
            .args([source, "-ldl", "-lpthread"])
            .status()
            .expect("a C compiler");
        assert!(built.success());
        make_token(&module, "operator");
        let token = TokenSelector::Label("operator".to_owned());
        generate_key(&module, &token, &pin(USER_PIN), "block").expect("a key");
        let faulty = Self { module, folder };
        fs::write(faulty.folder.join("logins"), "").expect("writable");
        faulty
    }

    /// Makes the next `count` calls of a function return a code.
    fn fails(&self, function: &str, code: u64, count: u32) {
        self.control(&format!("{function} {code:#x} {count}"));
    }

    fn hangs(&self, function: &str) {
        self.control(&format!("{function} hang 0"));
    }

    fn works(&self) {
        self.control("");
    }

    fn control(&self, line: &str) {
        /// The module restarts its count when the line changes.
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let line = format!("{line} {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        // Atomically, so that no half-written line is read.
        let next = self.folder.join("next");
        fs::write(&next, line).expect("writable");
        fs::rename(next, self.folder.join("control")).expect("writable");
    }

    fn logins(&self) -> usize {
        let text = fs::read_to_string(self.folder.join("logins")).expect("readable");
        text.lines().count()
    }

    fn config(&self) -> HsmConfig {
        config(&self.module, "operator", "block").with_sessions(1)
    }

    async fn signer(&self, config: HsmConfig) -> HsmSigner {
        HsmSigner::new(HsmKey::open(config).await.expect("the key"))
    }
}

#[test]
fn a_module_that_hangs_at_the_start_times_out() {
    isolated("faults::a_module_that_hangs_at_the_start_times_out", || {
        let faulty = Faulty::new();
        faulty.hangs("OpenSession");
        let limit = Duration::from_millis(100);
        assert_eq!(
            refused(faulty.config().with_timeout(limit)),
            HsmError::Opening {
                call: "C_OpenSession",
                limit
            }
        );
    });
}

#[test]
fn a_lost_session_is_reopened_transparently() {
    isolated("faults::a_lost_session_is_reopened_transparently", || {
        let faulty = Faulty::new();
        run(async {
            let signer = faulty.signer(faulty.config()).await;
            // General, function and device error, device removed, key handle, session closed and
            // handle, token not present, not logged in, not initialised.
            for code in [0x05, 0x06, 0x30, 0x32, 0x60, 0xb0, 0xb3, 0xe0, 0x101, 0x190] {
                faulty.fails("Sign", code, 1);
                signer
                    .sign_block(HASH)
                    .await
                    .unwrap_or_else(|error| panic!("{code:#x}: {error:?}"));
            }
        });
    });
}

#[test]
fn a_removed_token_is_unavailable_until_it_returns() {
    isolated(
        "faults::a_removed_token_is_unavailable_until_it_returns",
        || {
            let faulty = Faulty::new();
            run(async {
                let signer = faulty.signer(faulty.config()).await;
                for (function, code) in
                    [("Sign", 0x32), ("OpenSession", 0xe0), ("GetSlotList", 0x05)]
                {
                    // A working session needs no slot list.
                    faulty.fails("Sign", 0x32, 1);
                    signer.sign_block(HASH).await.expect("opened again");
                    faulty.fails(function, code, u32::MAX >> 1);
                    if function == "Sign" {
                        for _ in 0..3 {
                            let away = signer.sign_block(HASH).await;
                            assert!(matches!(away, Err(SignerError::Unavailable(_))), "{away:?}");
                        }
                    }
                    faulty.works();
                    signer.sign_block(HASH).await.expect("back");
                }
            });
        },
    );
}

#[test]
fn an_error_that_is_not_a_loss_keeps_the_session() {
    isolated(
        "faults::an_error_that_is_not_a_loss_keeps_the_session",
        || {
            let faulty = Faulty::new();
            run(async {
                let signer = faulty.signer(faulty.config()).await;
                let before = faulty.logins();
                // The module reports that it is out of memory.
                faulty.fails("Sign", 0x02, 1);
                let failed = signer.sign_block(HASH).await;
                assert!(
                    matches!(failed, Err(SignerError::Unavailable(_))),
                    "{failed:?}"
                );
                signer.sign_block(HASH).await.expect("the next");
                assert!(faulty.logins() <= before + 1);
            });
        },
    );
}

#[test]
fn locked_and_missing_pins_are_reported() {
    isolated("faults::locked_and_missing_pins_are_reported", || {
        let faulty = Faulty::new();
        let label = "operator".to_owned();
        faulty.fails("Login", 0xa4, 1);
        assert_eq!(refused(faulty.config()), HsmError::PinLocked(label.clone()));
        faulty.fails("Login", 0x102, 1);
        assert_eq!(refused(faulty.config()), HsmError::PinNotSet(label));
        faulty.fails("Login", 0xa2, 1);
        assert!(matches!(refused(faulty.config()), HsmError::PinForm { .. }));
    });
}

#[test]
fn a_token_that_allows_too_few_sessions_is_reported() {
    isolated(
        "faults::a_token_that_allows_too_few_sessions_is_reported",
        || {
            let faulty = Faulty::new();
            faulty.fails("OpenSession", 0xb1, 1);
            assert_eq!(
                refused(faulty.config().with_sessions(3)),
                HsmError::NoMoreSessions("operator".to_owned())
            );
            run(HsmKey::open(faulty.config().with_sessions(3))).expect("now it allows them");
        },
    );
}

#[test]
fn a_pin_that_was_refused_is_not_tried_again() {
    isolated("faults::a_pin_that_was_refused_is_not_tried_again", || {
        let faulty = Faulty::new();
        run(async {
            let signer = faulty.signer(faulty.config().with_sessions(3)).await;
            // The session is lost, and someone has changed the PIN meanwhile.
            faulty.fails("Login", 0xa0, 1);
            let before = faulty.logins();
            let other = cryptoki::context::Pkcs11::new(&faulty.module).expect("the library");
            other.finalize().expect("all sessions end");
            let mut refusals = 0;
            let deadline = Instant::now() + Duration::from_secs(20);
            while refusals < 5 {
                assert!(Instant::now() < deadline);
                match signer.sign_block(HASH).await {
                    Err(SignerError::Refused { reason }) => {
                        assert!(reason.contains("refuses the PIN"), "{reason}");
                        refusals += 1;
                    }
                    // Until the module is reinitialised.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Ok(_) => panic!("nobody is logged in"),
                }
            }
            assert_eq!(faulty.logins(), before + 1, "one attempt for all sessions");
        });
    });
}

#[test]
fn a_wrong_signature_is_never_returned() {
    isolated("faults::a_wrong_signature_is_never_returned", || {
        let faulty = Faulty::new();
        faulty.fails("Sign", 0xbad, 1);
        assert_eq!(refused(faulty.config()), HsmError::BadSignature);
        run(async {
            let signer = faulty.signer(faulty.config()).await;
            faulty.fails("Sign", 0xbad, 1);
            let wrong = signer.sign_block(HASH).await;
            assert!(
                matches!(wrong, Err(SignerError::Refused { .. })),
                "{wrong:?}"
            );
            signer.sign_block(HASH).await.expect("the next is right");
        });
    });
}

#[test]
fn a_height_whose_signature_hung_accepts_only_the_same_block() {
    isolated(
        "faults::a_height_whose_signature_hung_accepts_only_the_same_block",
        || {
            let faulty = Faulty::new();
            run(async {
                let config = faulty.config().with_timeout(Duration::from_secs(1));
                let signer = faulty.signer(config).await;
                let guarded = GuardedSigner::new(signer, MemoryGuardStore::new()).expect("new");
                let height = BlockHeight::new(5);
                faulty.hangs("Sign");
                let hung = guarded
                    .sign_block(height, HASH)
                    .await
                    .expect_err("a timeout");
                assert!(hung.is_transient(), "{hung:?}");
                let other = BlockHash::from_bytes([2; 32]);
                assert!(matches!(
                    guarded.sign_block(height, other).await,
                    Err(GuardError::Conflict { .. })
                ));
                faulty.works();
                let deadline = Instant::now() + Duration::from_secs(20);
                while let Err(error) = guarded.sign_block(height, HASH).await {
                    assert!(
                        error.is_transient() && Instant::now() < deadline,
                        "{error:?}"
                    );
                }
            });
        },
    );
}
