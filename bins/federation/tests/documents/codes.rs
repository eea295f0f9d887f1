//! `docs/codes.md` is generated from the alarm codes.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use federation_block_signing::AlarmCode;

use crate::repository;

/// Set to write the document instead of comparing it.
const WRITE: &str = "FEDERATION_WRITE_DOCUMENTS";

/// The areas by their letters.
const AREAS: [(char, &str); 6] = [
    ('A', "Agreement"),
    ('D', "Duties of this operator"),
    ('K', "Keys"),
    ('N', "Node"),
    ('P', "Parts that answer late or not at all"),
    ('S', "Store"),
];

fn generate() -> String {
    let mut text = String::from(
        "# Alarm codes\n\n\
         Each alarm has a code: `F`, a letter for the area, and three digits. It is in the log (`code`), \
         and with each alarm and trouble in `status.json` and `federation status --json` (`code`). A code \
         keeps its meaning for ever, so monitoring can rely on it; codes of alarms that are removed are \
         not used again. This file is generated from the codes in `federation-block-signing`.\n",
    );
    let mut areas: BTreeMap<char, Vec<AlarmCode>> = BTreeMap::new();
    for code in AlarmCode::ALL {
        let letter = code.as_str().chars().nth(1).expect("a letter");
        areas.entry(letter).or_default().push(*code);
    }
    for (letter, codes) in areas {
        let known = AREAS.iter().find(|(of, _)| *of == letter);
        let (_, title) = known.unwrap_or_else(|| panic!("the area {letter} has no title"));
        write!(
            text,
            "\n## {title}\n\n| code | meaning | what to do |\n|---|---|---|\n"
        )
        .expect("text");
        for code in codes {
            let (meaning, help) = (code.meaning(), code.help());
            writeln!(text, "| {code} | {meaning} | {help} |").expect("text");
        }
    }
    text
}

#[test]
fn the_document_of_alarm_codes_lists_every_code() {
    let path = repository().join("docs/codes.md");
    let expected = generate();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &expected).expect("writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, expected,
        "write it again with {WRITE}=1 cargo test -p federation-daemon --test documents codes"
    );
}
