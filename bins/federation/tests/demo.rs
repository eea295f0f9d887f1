//! The demo of reissuance: on a terminal, and without one.

use std::process::{Command, Output, Stdio};

const REISSUING: &str = "--inflation-rate 0.1 --inflation-period 4 --blocks 14 --interval 500ms";

fn text(output: &Output) -> String {
    let shown = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&shown).into_owned()
}

/// The points that an audit found paid, if it found nothing else.
fn paid(text: &str) -> Option<u32> {
    let (_, audit) = text.split_once("audit: ")?;
    let (paid, rest) = audit.split_once(" points paid as scheduled, ")?;
    assert!(rest.contains(" owed, 0 differences"), "{rest}");
    paid.parse().ok()
}

#[test]
fn the_live_view_pays_at_the_points_of_its_schedule() {
    let program = env!("CARGO_BIN_EXE_federation");
    // `script` (of Debian's bsdutils, which is always there) gives it a terminal.
    let command = format!("stty cols 100 rows 40; exec '{program}' demo {REISSUING}");
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_remove("RUST_LOG")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("script runs");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("\u{1b}["), "no live view: {text}");
    assert!(paid(&text).expect("an audit") >= 2, "{text}");
}

#[test]
fn a_plain_demo_pays_at_the_points_of_its_schedule() {
    let output = Command::new(env!("CARGO_BIN_EXE_federation"))
        .args(["demo", "--plain"])
        .args(REISSUING.split(' '))
        .env_remove("RUST_LOG")
        .output()
        .expect("the program runs");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(paid(&text).expect("an audit") >= 2, "{text}");
    for part in ["epsilon is back", "reissued", "was killed"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
