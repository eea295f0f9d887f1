//! `multisig script`: the settings that a script is for.

use serde_json::Value;

use super::{KEYS, command, json, multisig, stderr};

/// The output of `script` for people, for the same keys.
fn printed(more: &[&str]) -> String {
    let output = multisig(&[&["script", "-m", "2"], more, &KEYS[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The names of the settings that a node or an operator would read if the output were pasted.
fn settings_in(text: &str) -> Vec<&str> {
    let below = text.split_once("\n\n").expect("a paragraph").1;
    let lines = below.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split('=').next().expect("a name").trim())
        .collect()
}

#[test]
fn a_script_is_printed_as_the_setting_that_its_keys_are_for() {
    for (role, network, settings) in [
        (
            "block",
            "elements",
            &[
                "signblockscript",
                "con_mandatorycoinbase",
                "con_max_block_sig_size",
            ][..],
        ),
        (
            "block",
            "ocean",
            &["signblockscript", "con_mandatorycoinbase"],
        ),
        ("peg", "elements", &["fedpegscript"]),
        ("reissuance", "elements", &["script"]),
        ("reissuance", "ocean", &["issuecontrolscript", "script"]),
    ] {
        let text = printed(&["--role", role, "--network", network]);
        assert_eq!(settings_in(&text), settings, "{role} on {network}");
    }
    let unknown = printed(&[]);
    assert_eq!(settings_in(&unknown), [""; 0], "all of them commented out");
    for word in ["signblockscript=", "fedpegscript=", "script = ", "--role"] {
        assert!(unknown.contains(word), "{unknown}");
    }
    let answer = json(&multisig(
        &[&["script", "-m", "2", "--json"], &KEYS[..]].concat(),
    ));
    assert_eq!(answer["settings"], Value::Null);
    assert_eq!(
        answer["settings_by_role"]["peg"]["fedpegscript"],
        answer["script"]
    );
}

#[test]
fn the_role_of_a_script_is_taken_from_key_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, role: &str| {
        let path = folder.path().join(name).display().to_string();
        let made = command(&[
            "key",
            "new",
            &path,
            "--role",
            role,
            "--passphrase",
            "env:PHRASE",
        ])
        .env("PHRASE", "four good words here")
        .output()
        .expect("it runs");
        assert!(made.status.success(), "{}", stderr(&made));
        path
    };
    let (one, other) = (
        file("one.key", "reissuance"),
        file("other.key", "reissuance"),
    );
    let answer = json(&multisig(&["script", "-m", "2", "--json", &one, &other]));
    assert_eq!(answer["role"], "reissuance");
    assert_eq!(answer["settings"]["signblockscript"], Value::Null);
    let identity = file("identity.key", "identity");
    for (args, part) in [
        (
            &["--role", "block", &one, &other][..],
            "is a reissuance key",
        ),
        (&[&one, &identity], "cannot be part of a script"),
    ] {
        let refused = multisig(&[&["script", "-m", "2"], args].concat());
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains(part), "{}", stderr(&refused));
    }
}
