//! Coins that anyone could take have a destination, and the manifest names the sweep.

use federation_ceremony::{
    Body, Ceremony, Certificate, ChainError, Destination, KeyUse, Proposal, SweepTo, Warning,
};
use federation_genesis::{ChainWarning, NodeKind, Settings, Sweep, federation_script, warnings};
use hex_conservative::DisplayHex;

use crate::common::{join_keys, proposal, propose, sign};

const COINS: &str = "chain=fedchain\ninitialfreecoins=500\ninitialreissuancetokens=7\n";

fn script() -> Option<Destination> {
    Some(Destination::Script(format!("0020{}", "07".repeat(32))))
}

fn canonical(configuration: &str) -> String {
    let settings = Settings::parse(NodeKind::Elements, configuration);
    settings.expect("settings").to_conf()
}

fn with_coins(coins: Option<Destination>, tokens: Option<Destination>) -> Proposal {
    Proposal {
        configuration: COINS.to_owned(),
        keys: vec![KeyUse::Block, KeyUse::Peg, KeyUse::Reissuance],
        sweep: Some(SweepTo { coins, tokens }),
        ..proposal(1, &[0, 1, 2, 3, 4])
    }
}

/// The certificate of a ceremony with this proposal.
fn certified(proposal: Proposal) -> Certificate {
    let keys = proposal.keys.clone();
    let mut ceremony = Ceremony::new(propose(proposal)).expect("a ceremony");
    let id = ceremony.id();
    for index in 0..5 {
        let join = join_keys(id, index, 7000, &keys);
        ceremony.add(join).expect("added");
    }
    let approval = Ceremony::approval_of(&ceremony.chain().expect("a chain"));
    for index in 0..5 {
        let approved = sign(id, index, Body::Approval(approval.clone()));
        ceremony.add(approved).expect("added");
    }
    Certificate::new(ceremony).expect("complete")
}

fn refused(proposal: Proposal) -> String {
    Ceremony::new(propose(proposal))
        .expect_err("refused")
        .to_string()
}

#[test]
fn the_sweep_goes_to_the_parties_keys_and_is_in_the_manifest() {
    let tokens = Some(Destination::Keys(KeyUse::Reissuance));
    let certificate = certified(with_coins(script(), tokens));
    let sweep = certificate.sweep().expect("a sweep");
    assert_eq!(sweep.check(certificate.chain().genesis()), Ok(()));
    let line = format!("sweep={}\n", sweep.txid());
    assert!(certificate.chain().manifest().contains(&line));
    // There is no setting for reissuance keys; the manifest lists them with the operators.
    assert!(!certificate.node_settings().contains("issuecontrol"));
    let read = Certificate::parse(&certificate.to_text()).expect("verifies");
    assert_eq!(read.sweep(), Some(sweep));
    assert_eq!(Sweep::from_bytes(&sweep.to_bytes()).as_ref(), Ok(sweep));
}

#[test]
fn a_different_destination_is_a_different_agreement() {
    let peg = || Some(Destination::Keys(KeyUse::Peg));
    let reissuance = || Some(Destination::Keys(KeyUse::Reissuance));
    let [one, other] = [peg(), script()].map(|coins| certified(with_coins(coins, reissuance())));
    assert_eq!(one.genesis_hash(), other.genesis_hash());
    assert_ne!(one.agreed_hash(), other.agreed_hash());
}

#[test]
fn a_chain_without_such_coins_has_no_sweep() {
    let plain = proposal(1, &[0, 1, 2, 3, 4]);
    assert_eq!(certified(plain.clone()).sweep(), None);
    let sweep = Some(SweepTo {
        coins: script(),
        tokens: None,
    });
    let reason = refused(Proposal { sweep, ..plain });
    assert!(reason.contains("no genesis coins"), "{reason}");
}

#[test]
fn coins_without_an_agreed_sweep_are_refused_before_anybody_joins() {
    let none = Proposal {
        sweep: None,
        ..with_coins(script(), script())
    };
    // Then reissuance keys would have no use.
    let none = Proposal {
        keys: vec![KeyUse::Block],
        ..none
    };
    assert!(matches!(
        Ceremony::new(propose(none)),
        Err(federation_ceremony::CeremonyError::Chain(
            ChainError::UnviableChain(_)
        ))
    ));
    let tokens = || Some(Destination::Keys(KeyUse::Reissuance));
    for (coins, tokens, reason) in [
        (None, tokens(), "no destination for 500"),
        (script(), None, "no setting for reissuance keys"),
        (
            Some(Destination::Script("51".to_owned())),
            tokens(),
            "not the output script of an address",
        ),
        (
            Some(Destination::Script("002".to_owned())),
            tokens(),
            "expected an output script in hex",
        ),
    ] {
        let error = refused(with_coins(coins, tokens));
        assert!(error.contains(reason), "{error}");
    }
    let unconnected = Proposal {
        configuration: canonical(&format!("{COINS}con_connect_genesis_outputs=0\n")),
        ..with_coins(script(), tokens())
    };
    let error = refused(unconnected);
    assert!(error.contains("nobody could ever spend"), "{error}");
    let unasked = Proposal {
        keys: vec![KeyUse::Block],
        ..with_coins(script(), tokens())
    };
    let error = refused(unasked);
    assert!(error.contains("the proposal does not require"), "{error}");
    let error = refused(ocean("", with_coins(script(), None)));
    assert!(error.contains("initialfreecoins is 0"), "{error}");
    let error = refused(ocean("", with_coins(None, script())));
    assert!(error.contains("no reissuance tokens"), "{error}");
}

/// The same on Ocean, with these further lines.
fn ocean(lines: &str, proposal: Proposal) -> Proposal {
    let text = format!("chain=fedchain\nembedcontract=0\n{lines}");
    let settings = Settings::parse(NodeKind::Ocean, &text).expect("settings");
    Proposal {
        node: "ocean".to_owned(),
        configuration: settings.to_conf(),
        keys: vec![KeyUse::Block],
        ..proposal
    }
}

fn setting(certificate: &Certificate, name: &str) -> String {
    let mut settings = certificate.chain().settings().iter();
    let found = settings.find(|setting| setting.name == name);
    found.expect("a setting").values.concat()
}

/// The script with which the federation holds coins.
fn own_script(certificate: &Certificate, node: NodeKind) -> String {
    let script = certificate.chain().script().clone();
    federation_script(node, script).to_lower_hex_string()
}

#[test]
fn fees_and_coins_go_to_the_block_keys_if_the_proposal_says_so() {
    let block = || Some(Destination::Keys(KeyUse::Block));
    let elements = certified(Proposal {
        configuration: "chain=fedchain\ninitialfreecoins=500\n".to_owned(),
        keys: vec![KeyUse::Block],
        fees: block(),
        ..with_coins(block(), None)
    });
    let own = own_script(&elements, NodeKind::Elements);
    assert!(own.starts_with("0020"), "{own}");
    assert_eq!(setting(&elements, "con_mandatorycoinbase"), own);
    let conf = elements.node_settings();
    assert!(
        conf.contains(&format!("con_mandatorycoinbase={own}\n")),
        "{conf}"
    );
    let sweep = elements.sweep().expect("a sweep");
    assert!(sweep.to_bytes().to_lower_hex_string().contains(&own));

    let ocean = certified(ocean(
        "initialfreecoins=500\n",
        Proposal {
            fees: block(),
            ..with_coins(block(), None)
        },
    ));
    let own = own_script(&ocean, NodeKind::Ocean);
    assert!(own.starts_with("a914"), "{own}");
    assert_eq!(setting(&ocean, "con_mandatorycoinbase"), own);
    assert_eq!(setting(&ocean, "initialfreecoinsdestination"), own);
    assert_eq!(ocean.sweep(), None);
    for certificate in [elements, ocean] {
        let chain = certificate.chain();
        let found = warnings(chain.settings(), chain.genesis(), chain.sweep());
        assert_eq!(found, []);
        assert!(Certificate::parse(&certificate.to_text()).is_ok());
    }
}

#[test]
fn the_destination_of_fees_is_set_once_and_is_not_anyone() {
    let fees = |script: &str| Proposal {
        fees: Some(Destination::Script(script.to_owned())),
        ..proposal(1, &[0, 1, 2, 3, 4])
    };
    let error = refused(fees("51"));
    assert!(
        error.contains("con_mandatorycoinbase requires neither a key"),
        "{error}"
    );
    let twice = Proposal {
        configuration: "chain=fedchain\ncon_mandatorycoinbase=6a\n".to_owned(),
        ..fees("6a")
    };
    let error = refused(twice);
    assert!(error.contains("con_mandatorycoinbase"), "{error}");
    let unasked = Proposal {
        fees: Some(Destination::Keys(KeyUse::Reissuance)),
        ..proposal(1, &[0, 1, 2, 3, 4])
    };
    let error = refused(unasked);
    assert!(error.contains("does not require"), "{error}");
}

/// A proposal as it was before it had a destination for fees.
#[derive(serde::Serialize)]
struct Before {
    node: String,
    configuration: String,
    terms: Option<String>,
    threshold: u8,
    interval: u64,
    keys: Vec<KeyUse>,
    sweep: Option<SweepTo>,
    members: Vec<federation_ceremony::Member>,
    nonce: federation_ceremony::Digest,
}

/// Proposals of older releases lack the field, and keep their id, hash and words.
#[test]
fn a_proposal_without_fees_is_encoded_and_hashed_as_before() {
    let now = Proposal {
        fees: None,
        ..proposal(1, &[0, 1, 2, 3, 4])
    };
    let before = Before {
        node: now.node.clone(),
        configuration: now.configuration.clone(),
        terms: None,
        threshold: now.threshold,
        interval: now.interval,
        keys: now.keys.clone(),
        sweep: None,
        members: now.members.clone(),
        nonce: now.nonce,
    };
    assert_eq!(
        postcard::to_allocvec(&now).expect("bytes"),
        postcard::to_allocvec(&before).expect("bytes")
    );
    let message = propose(now.clone());
    assert!(!message.to_text().contains("fees"), "{}", message.to_text());
    assert_eq!(
        federation_ceremony::warnings(&now),
        [Warning::FeesForAnyone]
    );
    let certificate = certified(now);
    let chain = certificate.chain();
    let found = warnings(chain.settings(), chain.genesis(), chain.sweep());
    assert_eq!(found, [ChainWarning::FeesForAnyone]);
}

#[test]
fn a_chain_that_others_could_take_over_is_refused_before_anybody_joins() {
    let plain = || proposal(1, &[0, 1, 2, 3, 4]);
    let short = Proposal {
        configuration: "chain=fedchain\ndynamic_epoch_length=2\n".to_owned(),
        ..plain()
    };
    let error = refused(short);
    assert!(error.contains("dynamic_epoch_length=2"), "{error}");
    let fork = Proposal {
        sweep: None,
        ..ocean("signblockscriptchange=51:1000\n", plain())
    };
    let error = refused(fork);
    assert!(error.contains("from height 1000 on"), "{error}");
}
