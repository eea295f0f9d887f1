//! `tools/words` finds bad English where users read it, and nowhere else.

use std::{fs, path::Path, process::Command};

/// The findings in one file of this name and content, and whether the check passed.
fn words(name: &str, content: &str) -> (String, bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    fs::write(&file, content).expect("written");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(root.join("tools/words"))
        .arg(&file)
        .output()
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
    let found = String::from_utf8_lossy(&output.stdout);
    let folder = format!("{}/", folder.path().display());
    (found.replace(&folder, ""), output.status.success())
}

#[test]
fn a_bad_message_is_reported_with_its_line_and_better_words() {
    let source = "fn a() -> &'static str {\n    // the own comment\n    \"`{x}` is no text\"\n}\n";
    let (found, passed) = words("a.rs", source);
    assert!(!passed);
    assert!(found.starts_with("a.rs:3: \""), "{found}");
    assert!(found.contains("must be a string"), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn text_is_read_across_lines() {
    let comment = "/// The height of the\n/// own node.\nstruct A;\n";
    let (found, _) = words("a.rs", comment);
    assert!(found.starts_with("a.rs:1: "), "{found}");
    let literal = "const A: &str = \"one \\\n    is \\\n    none\";\n";
    let (found, _) = words("a.rs", literal);
    assert!(found.starts_with("a.rs:2: "), "{found}");
    let raw = "const A: &str = r#\"\n\"quoted\" is none\n\"#;\n";
    let (found, _) = words("a.rs", raw);
    assert!(found.starts_with("a.rs:2: "), "{found}");
}

#[test]
fn characters_lifetimes_comments_and_escapes_do_not_confuse_it() {
    let source = "fn a<'a>(b: &'a str) -> (char, char, &'a str) {\n    // it's the own \"comment\n    /* is no \" */\n    ('\"', '\\'', \"\\\" good\")\n}\nconst B: &str = \"is none\";\n";
    let (found, passed) = words("a.rs", source);
    assert!(!passed);
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.starts_with("a.rs:6: "), "{found}");
}

#[test]
fn good_english_with_the_same_words_passes() {
    let document = "There is no node. It is no longer there, and no more than 3 are.\n\
                    The owner of the key; if there is none, its own.\n\
                    It is none of these.\n";
    assert_eq!(words("a.md", document), (String::new(), true));
}

#[test]
fn a_document_is_checked_except_for_the_table_of_what_to_avoid() {
    let table = "| write | avoid |\n|---|---|\n| its key | the own key |\n\nThe own key.\n";
    let (found, passed) = words("a.md", table);
    assert!(!passed);
    assert!(found.starts_with("a.md:5: "), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn tests_in_a_source_are_left_out() {
    let source = "#[cfg(test)]\nmod tests {\n    const A: &str = \"is none\";\n}\n";
    assert_eq!(words("a.rs", source), (String::new(), true));
}
