//! Untrusted bytes: no decoder panics, and none allocates out of proportion.
//!
//! The decoders and the seeds are those of the fuzz targets in `fuzz/`, which keeps both up to date.

#[expect(unreachable_pub, reason = "a library of its own for the fuzzer")]
#[path = "../../../../fuzz/src/lib.rs"]
mod decoders;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use peak_alloc::PeakAlloc;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Only one test runs at a time, so that its memory is not measured with another's.
static ALONE: Mutex<()> = Mutex::new(());

/// The peak allocation allowed per input byte: a parsed transaction is much larger than its bytes.
const PER_BYTE: usize = 256;
/// The peak allocation allowed for any input: tables, file buffers, error texts.
const BASE: usize = 512 * 1024;

fn seeds() -> Vec<(&'static str, decoders::Check, Vec<PathBuf>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    decoders::ALL
        .iter()
        .map(|(name, check)| {
            let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join(name))
                .expect("every target has seeds")
                .map(|entry| entry.expect("readable").path())
                .collect();
            files.sort();
            assert!(!files.is_empty(), "{name} has seeds");
            (*name, *check, files)
        })
        .collect()
}

/// Decodes, and fails if the peak memory is out of proportion.
fn check_bounded(name: &str, check: decoders::Check, bytes: &[u8]) -> Result<(), TestCaseError> {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    check(bytes);
    let used = ALLOCATOR.peak_usage().saturating_sub(before);
    let allowed = BASE + PER_BYTE * bytes.len();
    prop_assert!(
        used <= allowed,
        "{name} allocated {used} bytes at once for {} bytes of input, the limit is {allowed}",
        bytes.len()
    );
    Ok(())
}

/// Runs this number of random cases after those that failed before: failing cases are stored in
/// `proptest-regressions`, which is located by the test's source file.
fn runner(cases: u32, source: &'static str) -> TestRunner {
    TestRunner::new(Config {
        cases,
        ..Config::with_source_file(source)
    })
}

#[test]
fn a_failing_case_is_stored_and_tried_first_the_next_time() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("tests/main.rs");
    std::fs::create_dir(folder.path().join("tests")).expect("created");
    std::fs::write(&source, "").expect("written");
    let source: &'static str = String::leak(source.to_str().expect("text").to_owned());
    let rare = |number: &u32| number.is_multiple_of(1000);
    let run = |cases: u32| {
        let tried = Mutex::new(Vec::new());
        let result = runner(cases, source).run(&any::<u32>(), |number| {
            tried.lock().expect("whole").push(number);
            prop_assert!(!rare(&number));
            Ok(())
        });
        assert!(result.is_err(), "it fails");
        tried.into_inner().expect("whole")
    };
    run(100_000);
    let kept = folder.path().join("proptest-regressions/main.txt");
    let kept = std::fs::read_to_string(kept).expect("kept");
    assert!(kept.lines().any(|line| line.starts_with("cc ")), "{kept}");
    let tried = run(1);
    assert!(rare(&tried[0]), "{tried:?}");
}

#[test]
fn an_allocation_out_of_proportion_is_detected() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let believes: decoders::Check = |bytes| {
        let claimed = usize::from(*bytes.first().unwrap_or(&0)) << 20;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(claimed)));
    };
    assert!(check_bounded("believer", believes, &[0]).is_ok());
    assert!(check_bounded("believer", believes, &[9]).is_err());
}

#[test]
fn every_seed_and_every_prefix_of_it_is_decoded_in_proportion() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, check, files) in seeds() {
        for file in files {
            let bytes = std::fs::read(&file).expect("readable");
            // Decoders that cache something do so the first time.
            check(&bytes);
            let step = (bytes.len() / 40).max(1);
            for end in (0..=bytes.len()).step_by(step) {
                let result = check_bounded(name, check, &bytes[..end]);
                assert!(result.is_ok(), "{}: {result:?}", file.display());
            }
        }
    }
}

/// With a length, a few bytes can ask for much memory, so bytes that encode large lengths are put at
/// random positions of the seeds.
#[test]
fn claimed_lengths_are_not_trusted() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let claims: &[&[u8]] = &[
        &[0xff; 9],
        &[0xfe, 0xff, 0xff, 0xff, 0x7f],
        &[0xfd, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        &[0x4e, 0xff, 0xff, 0xff, 0x7f],
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    ];
    for (name, check, files) in seeds() {
        let all: Vec<Vec<u8>> = files
            .iter()
            .map(|file| std::fs::read(file).expect("readable"))
            // Large blocks take long in a debug build, and small ones have the same lengths.
            .filter(|bytes| bytes.len() < 20_000)
            .collect();
        let mut runner = runner(120, file!());
        let strategy = (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            any::<bool>(),
        );
        let result = runner.run(&strategy, |(seed, at, claim, inserted)| {
            let mut bytes = seed.get(&all).clone();
            let claim = claim.get(claims);
            let start = at.index(bytes.len() + 1);
            let end = if inserted {
                start
            } else {
                (start + claim.len()).min(bytes.len())
            };
            bytes.splice(start..end, claim.iter().copied());
            check_bounded(name, check, &bytes)
        });
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

/// Cases that random bytes found.
#[test]
fn lengths_that_were_once_trusted_no_longer_are() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A transaction of 1280 outputs in eight bytes; block parameters with as many extensions.
    let mut header = vec![0, 0, 0, 0x80];
    header.extend([0; 72]);
    header.extend([2, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0x02, 0x00]);
    let cases: [(&str, &[u8]); 2] = [
        ("genesis", &[0, 0, 0, 0, 0, 253, 0, 5]),
        ("header", &header),
    ];
    for (name, bytes) in cases {
        let mut checks = decoders::ALL.iter().filter(|(known, _)| *known == name);
        let (_, check) = checks.next().expect("a decoder of this name");
        let result = check_bounded(name, *check, bytes);
        assert!(result.is_ok(), "{result:?}");
    }
}

#[test]
fn random_bytes_are_decoded_in_proportion() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, check) in decoders::ALL {
        let mut runner = runner(100, file!());
        let bytes = prop::collection::vec(any::<u8>(), 0..400);
        let result = runner.run(&bytes, |bytes| check_bounded(name, *check, &bytes));
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}
