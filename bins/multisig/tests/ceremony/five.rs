//! Five parties in five folders, from `ceremony init` to a certificate.

use std::fs;

use serde_json::Value;

use crate::common::{ME, N, Parties, join_line, refused, text};

fn to_a_certificate(node: &str, conf: &str, dialect: &str) {
    let parties = Parties::new();
    let proposal = parties.init(node, conf);
    parties.give_all(&proposal);
    // The joins arrive in a different order at each party, and some arrive twice.
    let joins: Vec<_> = (0..N).map(|party| parties.join(party)).collect();
    for party in 0..N {
        for step in 0..=N {
            text(&parties.give(party, &joins[(party + step) % N]));
        }
    }
    let words = parties.status(0)["chain"]["words"]
        .as_str()
        .expect("words")
        .to_owned();
    assert_eq!(words.split(' ').count(), 12);
    refused(&parties.approve(0, "abandon ability able"), "words differ");
    let approvals: Vec<_> = (0..N)
        .map(|party| {
            assert_eq!(parties.status(party)["chain"]["words"], words.as_str());
            let answer: Value =
                serde_json::from_str(&text(&parties.approve(party, &words))).expect("json");
            parties
                .folder(party)
                .join(answer["file"].as_str().expect("a file"))
        })
        .collect();
    refused(&parties.ceremony(0, "finish"), "has not approved");
    for approval in approvals.iter().rev() {
        parties.give_all(approval);
    }
    let certificates: Vec<_> = (0..N)
        .map(|party| {
            assert_eq!(parties.status(party)["complete"], true);
            text(&parties.ceremony(party, "finish"));
            fs::read(parties.folder(party).join("ceremony/certificate.json")).expect("there")
        })
        .collect();
    assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]));
    let verified: Value =
        serde_json::from_str(&text(&parties.ceremony(3, "verify --json"))).expect("json");
    assert_eq!(verified["dialect"], dialect);
    assert_eq!(verified["words"], words.as_str());
    one_bundle_everywhere(&parties);
}

/// Every party can make every bundle, repeatedly, with the same result.
fn one_bundle_everywhere(parties: &Parties) {
    let bundles: Vec<_> = (0..N)
        .map(|party| {
            let line = "bundle --json --operator party-2";
            let first: Value =
                serde_json::from_str(&text(&parties.ceremony(party, line))).expect("json");
            assert_eq!(first["written"], true);
            let again: Value =
                serde_json::from_str(&text(&parties.ceremony(party, line))).expect("json");
            assert_eq!(again["written"], false);
            assert_eq!(again["sha256"], first["sha256"]);
            fs::read(parties.folder(party).join("party-2.zip")).expect("there")
        })
        .collect();
    assert!(bundles.windows(2).all(|pair| pair[0] == pair[1]));
    let other = parties.ceremony(0, "bundle --operator party-1 --out party-2.zip");
    refused(&other, "exists already");
    let nobody = parties.ceremony(0, "bundle --operator mallory");
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    let stderr = String::from_utf8_lossy(&nobody.stderr);
    assert!(
        stderr.contains("this chain has no operator `mallory`"),
        "{stderr}"
    );
    assert!(!parties.folder(0).join("mallory.zip").exists());
    let kafka = parties.ceremony(0, "bundle --operator party-1 --brokers a:1");
    assert_eq!(kafka.status.code(), Some(2), "{kafka:?}");
}

#[test]
fn five_parties_make_an_elements_chain_with_dynafed() {
    to_a_certificate(
        "elements",
        "chain=fedchain\ninitialfreecoins=0\n",
        "dynafed",
    );
}

#[test]
fn five_parties_make_an_elements_chain_without_dynafed() {
    to_a_certificate(
        "elements",
        "chain=fedchain\nevbparams=dynafed:-2:::\n",
        "elements",
    );
}

#[test]
fn five_parties_make_an_ocean_chain() {
    to_a_certificate("ocean", "chain=fedchain\nembedcontract=0\n", "ocean");
}

#[test]
fn joining_again_is_idempotent_and_refused_with_other_content() {
    let parties = Parties::new();
    parties.init("elements", "chain=fedchain\n");
    let first = parties.join(0);
    let before = fs::read(&first).expect("there");
    assert_eq!(parties.join(0), first);
    assert_eq!(fs::read(&first).expect("there"), before);
    refused(
        &parties.ceremony(0, &join_line(0, 7001)),
        "signed a different join",
    );
}

#[test]
fn a_party_that_signs_conflicting_messages_is_named_with_the_evidence() {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    let first = parties.join(2);
    let kept = parties.root.path().join("first.json");
    fs::rename(&first, &kept).expect("hidden");
    let second = parties.sent(2, &join_line(2, 7001));
    text(&parties.give(0, &kept));
    refused(
        &parties.give(0, &second),
        "party-2 signed conflicting messages",
    );
    let status = parties.status(0);
    assert_eq!(status["members"][2]["said_two_things"], true);
    assert_eq!(
        status["evidence"][0]["messages"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_file_that_was_altered_in_transit_is_refused() {
    let parties = Parties::new();
    parties.init("elements", "chain=fedchain\n");
    let join = parties.join(0);
    let changed = fs::read_to_string(&join)
        .expect("there")
        .replace(":7000", ":7009");
    fs::write(&join, changed).expect("written");
    refused(&parties.give(0, &join), "signature on the join");
    let status = parties.status(0);
    assert_eq!(status["members"][0]["joined"], false);
    assert_eq!(status["left_out"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_party_that_drops_out_is_left_out_and_old_messages_do_not_carry_over() {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    let old = parties.join(1);
    let second = |line: &str| format!("{line} --folder second");
    let again = |more: &str| {
        let line = format!("again --json --from ceremony {ME} {more}");
        parties.ceremony(0, &second(&line))
    };
    let stranger = again("--without nobody");
    assert_eq!(stranger.status.code(), Some(2), "{stranger:?}");
    // The threshold of three is a majority of three members, but invalid for two.
    refused(
        &again("--without party-4 --without party-3 --without party-2"),
        "not a majority",
    );
    let answer: Value = serde_json::from_str(&text(&again("--without party-4"))).expect("json");
    let proposal = parties
        .folder(0)
        .join(answer["file"].as_str().expect("a file"));
    for party in 1..4 {
        text(&parties.ceremony(party, &second(&format!("add {}", proposal.display()))));
    }
    let add_old = parties.ceremony(0, &second(&format!("add {}", old.display())));
    refused(&add_old, "is for ceremony");
    let gone = parties.ceremony(4, &second(&format!("add {}", proposal.display())));
    text(&gone);
    refused(
        &parties.ceremony(4, &second(&join_line(4, 7000))),
        "is not a member in the proposal",
    );
    for party in 0..4 {
        let join = parties.sent(party, &second(&join_line(party, 7000)));
        for other in 0..4 {
            text(&parties.ceremony(other, &second(&format!("add {}", join.display()))));
        }
    }
    let status = parties.json(3, &second("status --json"));
    let words = status["chain"]["words"]
        .as_str()
        .map(|words| words.split(' ').count());
    assert_eq!(words, Some(12));
    assert_eq!(status["members"].as_array().map(Vec::len), Some(4));
}

#[test]
fn a_lost_folder_is_restored_from_the_certificate() {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    for party in 0..N {
        let join = parties.join(party);
        parties.give_all(&join);
    }
    let certificate = parties.approve_and_finish();
    let lost = parties.folder(3).join("ceremony");
    fs::remove_dir_all(&lost).expect("removed");
    let other = parties.folder(1).join("ceremony/certificate.json");
    text(&parties.give(3, &other));
    assert_eq!(parties.status(3)["complete"], true);
    text(&parties.ceremony(3, "finish"));
    let again = fs::read(lost.join("certificate.json")).expect("there");
    assert_eq!(again, certificate);
}
