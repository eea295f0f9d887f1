//! The coins that anyone could take have a destination, and the manifest has the sweep.

use federation_ceremony::{
    Body, Ceremony, Certificate, ChainError, Destination, KeyUse, Proposal, SweepTo,
};
use federation_genesis::{NodeKind, Settings, Sweep};

use crate::common::{join_keys, proposal, propose, say};

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
    for place in 0..5 {
        let join = join_keys(id, place, 7000, &keys);
        ceremony.add(join).expect("taken");
    }
    let approval = Ceremony::approval_of(&ceremony.chain().expect("a chain"));
    for place in 0..5 {
        let approved = say(id, place, Body::Approval(approval.clone()));
        ceremony.add(approved).expect("taken");
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
    // The reissuance keys have no setting; they are in the manifest for being the operators'.
    assert!(!certificate.node_settings().contains("issuecontrol"));
    let read = Certificate::parse(&certificate.to_text()).expect("verifies");
    assert_eq!(read.sweep(), Some(sweep));
    assert_eq!(Sweep::from_bytes(&sweep.to_bytes()).as_ref(), Ok(sweep));
}

#[test]
fn another_destination_is_another_agreement() {
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
    assert!(reason.contains("no coins of the genesis"), "{reason}");
}

#[test]
fn coins_without_an_agreed_sweep_are_refused_before_anybody_joins() {
    let none = Proposal {
        sweep: None,
        ..with_coins(script(), script())
    };
    // Reissuance keys would have no use then.
    let none = Proposal {
        keys: vec![KeyUse::Block],
        ..none
    };
    assert!(matches!(
        Ceremony::new(propose(none)),
        Err(federation_ceremony::CeremonyError::Chain(
            ChainError::Problem(_)
        ))
    ));
    let tokens = || Some(Destination::Keys(KeyUse::Reissuance));
    for (coins, tokens, reason) in [
        (None, tokens(), "no destination for 500"),
        (script(), None, "no setting for reissuance keys"),
        (
            Some(Destination::Keys(KeyUse::Block)),
            tokens(),
            "sign blocks and nothing else",
        ),
        (
            Some(Destination::Script("51".to_owned())),
            tokens(),
            "no output script of an address",
        ),
        (
            Some(Destination::Script("002".to_owned())),
            tokens(),
            "no output script in hex",
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
    assert!(error.contains("the proposal does not ask for"), "{error}");
    let ocean = Proposal {
        node: "ocean".to_owned(),
        configuration: "chain=fedchain\nembedcontract=0\n".to_owned(),
        keys: vec![KeyUse::Block],
        ..with_coins(script(), None)
    };
    let error = refused(ocean);
    assert!(error.contains("needs no sweep"), "{error}");
}
