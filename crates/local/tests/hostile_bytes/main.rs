//! Bytes that anyone may have made: no decoder panics, and none allocates out of proportion.
//!
//! The decoders and the seeds are those of the fuzz targets in `fuzz/`, so that neither rots.

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

/// One test at a time, or one would be charged for the other's memory.
static ALONE: Mutex<()> = Mutex::new(());

/// What may be allocated at once for so many bytes: 256 for each, since a parsed transaction is much
/// larger than its bytes, and half a megabyte for what a decoder needs anyway: tables, a stack of
/// files, the texts of errors.
const FOR_EACH_BYTE: usize = 256;
const ANYWAY: usize = 512 * 1024;

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

/// Decodes, and fails if that took too much memory at once.
fn check_bounded(name: &str, check: decoders::Check, bytes: &[u8]) -> Result<(), TestCaseError> {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    check(bytes);
    let used = ALLOCATOR.peak_usage().saturating_sub(before);
    let allowed = ANYWAY + FOR_EACH_BYTE * bytes.len();
    prop_assert!(
        used <= allowed,
        "{name} allocated {used} bytes at once for {} bytes, at most {allowed} are in proportion",
        bytes.len()
    );
    Ok(())
}

/// Runs so many random cases, and first those that failed before: a case that fails is kept in
/// `proptest-regressions`, which is found by the test's source file.
fn runner(cases: u32, source: &'static str) -> TestRunner {
    TestRunner::new(Config {
        cases,
        ..Config::with_source_file(source)
    })
}

#[test]
fn a_case_that_fails_is_kept_and_tried_first_the_next_time() {
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
fn what_is_out_of_proportion_is_seen() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let believes: decoders::Check = |bytes| {
        let claimed = usize::from(*bytes.first().unwrap_or(&0)) << 20;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(claimed)));
    };
    assert!(check_bounded("believer", believes, &[0]).is_ok());
    assert!(check_bounded("believer", believes, &[9]).is_err());
}

#[test]
fn every_seed_is_read_in_proportion_and_so_is_every_beginning_of_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, check, files) in seeds() {
        for file in files {
            let bytes = std::fs::read(&file).expect("readable");
            // Decoders that keep something for the next time do so the first time.
            check(&bytes);
            let step = (bytes.len() / 40).max(1);
            for end in (0..=bytes.len()).step_by(step) {
                let result = check_bounded(name, check, &bytes[..end]);
                assert!(result.is_ok(), "{}: {result:?}", file.display());
            }
        }
    }
}

/// Lengths are where a few bytes can ask for much: so runs of bytes that mean "many" in one encoding or
/// another are put at random places of the seeds.
#[test]
fn no_length_that_is_claimed_is_believed() {
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
            // A large block takes long in a debug build, and lengths are the same in a small one.
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

/// Cases that random bytes once found.
#[test]
fn claims_that_were_believed_once_are_not_any_more() {
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
fn bytes_of_no_meaning_are_read_in_proportion() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, check) in decoders::ALL {
        let mut runner = runner(100, file!());
        let bytes = prop::collection::vec(any::<u8>(), 0..400);
        let result = runner.run(&bytes, |bytes| check_bounded(name, *check, &bytes));
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}
