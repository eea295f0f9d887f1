//! What a party is shown: what it signs, which member it is, and what it has to do.

use std::fs;

use crate::common::{ME, N, Parties, refused, text};

/// A ceremony with coins, whose proposal all parties have.
fn proposed() -> Parties {
    let parties = Parties::new();
    let proposal = parties.init_with(
        "elements",
        "chain=fedchain\ninitialfreecoins=500000\n",
        "--peg --fees-to block-keys",
    );
    parties.give_all(&proposal);
    parties
}

fn join(parties: &Parties, party: usize) {
    let made = parties.run_line(party, "new -m 1 -n 1 --insecure-plain --out peg");
    text(&made);
    let line = format!(
        "join --json {ME} --block-key block/block-1.key --peg-key peg/block-1.key --endpoint party-{party}.example:7000 --node-address party-{party}.example:7041"
    );
    let file = parties.sent(party, &line);
    parties.give_all(&file);
}

#[test]
fn everything_that_an_approval_covers_is_shown_in_plain_words() {
    let parties = proposed();
    let early = text(&parties.ceremony(2, "show"));
    for part in [
        "The chain fedchain of Elements nodes, with a block every 2 s",
        "Who signs: 3 of 5",
        "2 may be absent; without 3 the chain stops",
        "none may be faulty",
        "has not joined",
        "follows from the keys",
        "coins: 0.00500000 at the genesis, to 3 of 5 of your block keys",
        "fees of every block: to 3 of 5 of your block keys",
        "initialfreecoins=500000",
        "nothing yet",
    ] {
        assert!(early.contains(part), "{part}: {early}");
    }
    for party in 0..N {
        join(&parties, party);
    }
    let shown = text(&parties.ceremony(2, "show --all"));
    let status = parties.status(2);
    let chain = &status["chain"];
    for name in ["genesis", "manifest", "signblockscript", "words"] {
        let value = chain[name].as_str().expect("text");
        assert!(shown.contains(value), "{name} {value}: {shown}");
    }
    for party in 0..N {
        let join = format!("party-{party}.example:7041");
        assert!(shown.contains(&join), "{join}: {shown}");
        assert!(shown.contains(&parties.identities[party]), "{shown}");
    }
    for part in [
        "fedpegscript",
        "satisfied by 3 of 5 keys in it",
        chain["sweep"]["txid"].as_str().expect("a sweep"),
        chain["sweep"]["transaction"].as_str().expect("a sweep"),
        "dynamic_epoch_length=10    (default)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let manifest = text(&parties.ceremony(2, "show --manifest"));
    assert!(manifest.starts_with("federation chain manifest 1\n"));
    assert!(manifest.contains("setting.initialfreecoins=500000"));
}

#[test]
fn coins_and_fees_that_anyone_can_take_are_shown_in_capitals() {
    let parties = Parties::new();
    parties.init_with("elements", "chain=fedchain\n", "--fees-to anyone");
    let shown = text(&parties.ceremony(0, "show"));
    assert!(shown.contains("fees of every block: to ANYONE"), "{shown}");
    assert!(
        shown.contains("satisfied by ANYONE"),
        "fedpegscript is 51: {shown}"
    );
}

/// A proposal is text by another party, and must not be able to overwrite what is displayed.
#[test]
fn terms_cannot_overwrite_what_is_displayed() {
    let parties = Parties::new();
    let terms = parties.folder(0).join("terms-and-conditions/oc");
    fs::create_dir_all(&terms).expect("made");
    let text_of_terms = "Be kind.\n\u{1b}[2JWho signs: 5 of 5\u{202e}\n";
    fs::write(terms.join("latest.txt"), text_of_terms).expect("written");
    let conf = "chain=oc\npolicycoins=100\nfreezelistcoinsdestination=76a914777777777777777777777777777777777777777788ac\n";
    parties.init_with("ocean", conf, "--datadir . --reissuance");
    let shown = text(&parties.ceremony(0, "show"));
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    for part in [
        "| \\u{1b}[2JWho signs: 5 of 5\\u{202e}",
        "issuecontrolscript     follows from the keys",
        "policy coins, freezelist: 0.00000100 at the genesis, to the script 76a914",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn changes_since_an_earlier_ceremony_are_shown() {
    let parties = Parties::new();
    parties.init("elements", "chain=fedchain\n");
    parties.join(0);
    let again = format!("again --json --from ceremony --without party-4 --folder second {ME}");
    parties.sent(0, &again);
    let line = format!(
        "join --json --folder second {ME} --block-key block/block-1.key --endpoint elsewhere.example:7000 --node-address party-0.example:7041"
    );
    parties.sent(0, &line);
    let shown = text(&parties.ceremony(0, "show --folder second --since ceremony"));
    let (_, changed) = shown.split_once("What has changed").expect("a heading");
    for part in [
        "member 4",
        "party-0's messenger",
        "was  party-0.example:7000",
        "now  elsewhere.example:7000",
    ] {
        assert!(changed.contains(part), "{part}: {changed}");
    }
    assert!(
        !changed.contains("nonce") && !changed.contains("block key"),
        "{changed}"
    );
    let same = parties.ceremony(0, "show --since ceremony");
    assert_eq!(same.status.code(), Some(2), "{same:?}");
}

#[test]
fn status_recognises_the_member_and_shows_the_next_command() {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    // The proposer is known by the key that was used. The others are not, as their key files are plain.
    assert_eq!(parties.status(0)["you"], "party-0");
    assert!(parties.status(1)["you"].is_null());
    let status = parties.json(1, &format!("status --json {ME}"));
    assert_eq!(status["you"], "party-1");
    let command = status["command"].as_str().expect("a command");
    assert!(
        command.starts_with(&format!("multisig ceremony join {ME} --block-key FILE")),
        "{command}"
    );

    for party in 0..N {
        parties.give_all(&parties.join(party));
    }
    let next = |party| parties.status(party)["command"].as_str().map(str::to_owned);
    let approve = format!("multisig ceremony approve {ME} --words \"THE TWELVE WORDS\"");
    assert_eq!(
        next(1),
        Some(approve),
        "without the words, which the others must read aloud"
    );
    let words = parties.status(0)["chain"]["words"]
        .as_str()
        .map(str::to_owned)
        .expect("words");
    let first = parties.json_of(&parties.approve(1, &words));
    let status = parties.status(1);
    assert!(
        status["next"]
            .as_str()
            .expect("text")
            .contains(first["file"].as_str().expect("a file"))
    );
    parties.approve_and_finish();
    assert_eq!(
        next(1).as_deref(),
        Some("multisig ceremony bundle --operator party-1")
    );
    text(&parties.ceremony(1, "bundle"));
    assert_eq!(next(1).as_deref(), Some("unzip party-1.zip -d party-1"));
    refused(
        &parties.ceremony(1, "status --identity-key block/block-1.key"),
        "is not a member in the proposal",
    );
}

#[test]
fn encrypted_key_files_identify_the_member_before_they_are_used() {
    let parties = Parties::new();
    let folder = parties.folder(0);
    let phrase = folder.join("phrase");
    fs::write(&phrase, "four good words here\n").expect("written");
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&phrase, own).expect("closed");
    let mut keys = Vec::new();
    for (name, role) in [("me.key", "identity"), ("my block.key", "block")] {
        let mut args = crate::common::words("key new --json --passphrase file:phrase --role");
        args.extend([role.to_owned(), name.to_owned()]);
        keys.push(parties.json_of(&parties.run(0, &args)));
    }
    let mine = keys[0]["public_key"].as_str().expect("a key");
    fs::write(folder.join("chain.conf"), "chain=fedchain\n").expect("written");
    let other = &parties.identities[0];
    text(&parties.ceremony(
        0,
        &format!("init --folder chain/first --node elements --conf chain.conf -m 2 --member other={other} --member me={mine} {ME}"),
    ));
    // The key last used in the folder takes precedence; without its record, the file is found.
    assert_eq!(
        parties.json(0, "status --json --folder chain/first")["you"],
        "other"
    );
    fs::remove_file(folder.join("chain/first/own-identity")).expect("there");
    let status = parties.json(0, "status --json --folder chain/first");
    assert_eq!(status["you"], "me");
    assert_eq!(
        status["command"],
        "multisig ceremony join --folder chain/first --identity-key me.key --block-key 'my block.key' --endpoint HOST:PORT --node-address HOST:PORT"
    );
}

#[test]
fn every_verb_takes_the_folder() {
    let parties = Parties::new();
    let proposal = parties.init("elements", "chain=fedchain\n");
    parties.give_all(&proposal);
    for party in 0..N {
        parties.give_all(&parties.join(party));
    }
    parties.approve_and_finish();
    let folder = parties.folder(2);
    fs::rename(folder.join("ceremony"), folder.join("ours")).expect("renamed");
    text(&parties.ceremony(2, "verify --folder ours"));
    text(&parties.ceremony(2, "verify ours/certificate.json"));
    text(&parties.ceremony(2, "bundle --folder ours"));
    assert!(
        folder.join("party-2.zip").exists(),
        "for the user by default"
    );
    text(&parties.ceremony(
        2,
        "bundle --certificate ours/certificate.json --operator party-3",
    ));
    refused(&parties.ceremony(2, "verify"), "ceremony/certificate.json");
    // A folder of files by others can be added as a whole.
    text(&parties.ceremony(2, "add --folder second ours"));
    assert_eq!(
        parties.json(2, "status --json --folder second")["complete"],
        true
    );
}
