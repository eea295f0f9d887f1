//! Parties find where their views diverge, and prove who signed conflicting messages.

use std::fs;

use serde_json::Value;

use crate::common::{Parties, join_line, refused, text};

/// Party 2 joins with two addresses: party 0 sees one of them, party 1 the other.
fn equivocation() -> Parties {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    let first = parties.join(2);
    text(&parties.give(0, &first));
    fs::remove_file(&first).expect("removed");
    let second = parties.sent(2, &join_line(2, 7001));
    text(&parties.give(1, &second));
    parties
}

#[test]
fn the_words_of_each_step_show_where_two_views_diverge() {
    let parties = equivocation();
    let [zero, one] = [0, 1].map(|party| parties.json(party, "words --json"));
    assert_eq!(zero["proposal"], one["proposal"]);
    assert_eq!(zero["joins"][1], one["joins"][1]);
    assert_eq!(zero["joins"][1]["words"], Value::Null);
    assert_ne!(zero["joins"][2]["words"], one["joins"][2]["words"]);
    let shown = text(&parties.ceremony(0, "words"));
    let line = shown.lines().find(|line| line.starts_with("join party-2"));
    let words = zero["joins"][2]["words"].as_str().expect("words");
    assert!(line.is_some_and(|line| line.ends_with(words)), "{shown}");
    assert!(shown.contains("(has not joined)"), "{shown}");
}

#[test]
fn a_contradiction_is_shown_and_becomes_evidence_that_anybody_can_verify() {
    let parties = equivocation();
    let other = parties.folder(1).join("ceremony");
    let diff = parties.ceremony(0, &format!("diff {}", other.display()));
    refused(&diff, "contradict each other");
    let shown = String::from_utf8_lossy(&diff.stdout);
    assert!(shown.contains("joins party-2 endpoint"), "{shown}");
    assert!(shown.contains("party-2.example:7000"), "{shown}");
    assert!(shown.contains("party-2.example:7001"), "{shown}");
    let diff = parties.ceremony(0, &format!("diff --json {}", other.display()));
    let diff: Value = serde_json::from_slice(&diff.stdout).expect("json");
    assert_eq!(diff["said_two_things"], serde_json::json!(["party-2"]));
    assert_eq!(diff["differences"][0]["contradiction"], true);

    let join = fs::read_dir(&other)
        .expect("there")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.display().to_string().contains("join-party-2"))
        .expect("the other join");
    refused(
        &parties.give(0, &join),
        "party-2 signed conflicting messages",
    );
    let evidence = fs::read_dir(parties.folder(0).join("ceremony"))
        .expect("there")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.display().to_string().contains("evidence-party-2"))
        .expect("the evidence");
    // The file is not a message, and does not disturb the folder.
    assert_eq!(
        parties.status(0)["left_out"].as_array().map(Vec::len),
        Some(0)
    );
    let verified = parties.json(4, &format!("evidence --json {}", evidence.display()));
    assert_eq!(verified["culprit"], "party-2");
    assert_eq!(verified["identity"], parties.identities[2].as_str());
    assert_eq!(verified["kind"], "join");
    let shown = text(&parties.ceremony(4, &format!("evidence {}", evidence.display())));
    assert!(
        shown.contains("party-2 has signed two different"),
        "{shown}"
    );

    // Whoever adds the evidence is warned too.
    refused(
        &parties.give(3, &evidence),
        "party-2 signed conflicting messages",
    );
    let status = parties.status(3);
    assert_eq!(status["members"][2]["said_two_things"], true);

    let forged = fs::read_to_string(&evidence)
        .expect("there")
        .replace(":7001", ":7002");
    let path = parties.root.path().join("forged.json");
    fs::write(&path, forged).expect("written");
    refused(&parties.give(3, &path), "signature on the join");
    let refusal = parties.ceremony(4, &format!("evidence {}", path.display()));
    refused(&refusal, "signature on the join");
}

#[test]
fn a_missing_message_is_not_a_contradiction_but_different_proposals_are() {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    let join = parties.join(3);
    let other = parties.folder(3).join("ceremony");
    let line = format!("diff --json {}", other.display());
    let diff = parties.json(0, &line);
    assert_eq!(diff["same"], false);
    assert_eq!(diff["differences"][0]["contradiction"], false);
    text(&parties.give(0, &join));
    assert_eq!(parties.json(0, &line)["same"], true);

    let mut line = format!(
        "init --json --folder second --node elements --conf chain.conf -m 4 {}",
        crate::common::ME
    );
    for (party, key) in parties.identities.iter().enumerate() {
        line += &format!(" --member party-{party}={key}");
    }
    text(&parties.ceremony(0, &line));
    let diff = parties.ceremony(0, "diff second");
    refused(&diff, "contradict each other");
    let shown = String::from_utf8_lossy(&diff.stdout);
    assert!(
        shown.contains("proposal threshold\n  here   3\n  there  4"),
        "{shown}"
    );
}
