//! Headers that nodes accept and the federation does not sign: those that propose other parameters,
//! and those whose parameters are not in force.

use federation_chain::{
    Block, CheckError, Dialect, FullParams, Header, HeaderFields, Params, ParamsRoot, Proof,
    SigningRules,
};
use federation_multisig::MultisigScript;
use hex_conservative::DisplayHex;
use proptest::prelude::*;

use crate::support::{Vectors, text};

fn rules(script: &serde_json::Value) -> SigningRules {
    let script = MultisigScript::from_hex(text(script)).expect("a script");
    let size = SigningRules::required_signature_size(Dialect::Dynafed, &script);
    SigningRules::new(Dialect::Dynafed, script, size).expect("large enough")
}

/// The block of a case, accepted by the node, with the rules of its chain.
fn case(name: &str) -> (SigningRules, Block, serde_json::Value) {
    let vectors = Vectors::read(Dialect::Dynafed, "dynafed-proposals");
    let cases = vectors.json["cases"].as_array().expect("cases");
    let case = cases.iter().find(|case| case["case"] == name);
    let case = case.expect("a case of that name").clone();
    assert_eq!(case["testproposedblock"], "ok", "the node accepts it");
    let rules = rules(&vectors.json["signblockscript"]);
    (rules, vectors.block(&case["block"]), case)
}

#[test]
fn a_vote_for_another_script_is_refused_and_the_error_names_it() {
    let vectors = Vectors::read(Dialect::Dynafed, "dynafed-rotation");
    let (old, new) = (
        rules(&vectors.json["old"]["script"]),
        rules(&vectors.json["new"]["script"]),
    );
    let vote = vectors.block(&vectors.blocks()[18]["block"]);
    // Complete, signed, and accepted by the node.
    assert_eq!(old.check_block(&vote), Ok(()));
    let error = old.check_proposed(vote.header()).expect_err("a vote");
    let CheckError::Proposes {
        height, signers, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(*height, vote.height());
    assert_eq!(*signers, new.signing_script().to_lower_hex_string());
    assert!(error.to_string().contains(signers.as_str()), "{error}");
}

#[test]
fn a_block_of_signers_who_were_voted_in_is_refused() {
    let (rules, block, _) = case("signed by a stranger");
    let refused = rules.check_challenge(block.header());
    assert!(matches!(refused, Err(CheckError::Challenge { .. })));
}

#[test]
fn a_proposal_of_nearly_the_parameters_in_force_is_refused() {
    let (rules, block, _) = case("proposal written by hand");
    let refused = rules.check_proposed(block.header());
    assert!(matches!(refused, Err(CheckError::Proposes { .. })));
}

#[test]
fn a_compact_header_with_a_made_up_elided_root_is_refused() {
    let (rules, block, case) = case("wrong elided root");
    let in_force: ParamsRoot = text(&case["current_params_root"]).parse().expect("a root");
    // Everything else is in order: script, limit, signatures, and nothing is proposed.
    assert_eq!(rules.check_proposed(block.header()), Ok(()));
    assert_eq!(rules.check_block(&block), Ok(()));
    let refused = rules.check_parameters(block.header(), in_force);
    assert!(
        matches!(refused, Err(CheckError::Parameters { expected, .. }) if expected == in_force),
        "{refused:?}"
    );
}

/// This includes the start of an epoch, where the header is full and the signers may be new.
#[test]
fn the_root_of_every_block_is_the_one_the_node_reported_at_the_previous_block() {
    let vectors = Vectors::read(Dialect::Dynafed, "dynafed-rotation");
    let (old, new) = (
        rules(&vectors.json["old"]["script"]),
        rules(&vectors.json["new"]["script"]),
    );
    let mut reported: Option<ParamsRoot> = None;
    let mut full = Vec::new();
    for entry in vectors.blocks() {
        let block = vectors.block(&entry["block"]);
        let height = block.height().to_u32();
        let rules = if height < 20 { &old } else { &new };
        if let Some(root) = reported {
            assert_eq!(rules.check_parameters(block.header(), root), Ok(()));
        }
        let votes = rules.check_proposed(block.header()).is_err();
        assert_eq!(entry["votes"], votes, "height {height}");
        assert_eq!(rules.check_block(&block), Ok(()), "height {height}");
        if matches!(block.header().parameters(), Some((Params::Full(_), _))) {
            full.push(height);
        }
        reported = Some(
            text(&entry["current_params_root_after"])
                .parse()
                .expect("a root"),
        );
    }
    assert_eq!(full, [1, 10, 20, 30]);
}

#[test]
fn headers_without_parameters_pass() {
    for (dialect, name) in [
        (Dialect::Ocean, "ocean"),
        (Dialect::Elements, "elements-legacy"),
    ] {
        let vectors = Vectors::read(dialect, name);
        let block = vectors.block(&vectors.blocks()[0]["unsigned"]);
        let any = ParamsRoot::from_bytes([7; 32]);
        assert_eq!(vectors.rules().check_proposed(block.header()), Ok(()));
        assert_eq!(
            vectors.rules().check_parameters(block.header(), any),
            Ok(())
        );
    }
}

#[test]
fn a_root_is_displayed_as_by_the_nodes() {
    let shown = "75bab8c8e18798e14901fc2247fc564bb656eba26085959217b92fcb076f6e53";
    let root: ParamsRoot = shown.parse().expect("a root");
    assert_eq!(root.to_string(), shown);
    assert!("75ba".parse::<ParamsRoot>().is_err());
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

prop_compose! {
    fn parameters()(
        script in bytes(60), limit in any::<u32>(), program in bytes(60), fedpeg in bytes(60),
        extension in prop::collection::vec(bytes(3000), 0..4),
    ) -> FullParams {
        FullParams::new(script.into(), limit, program.into(), fedpeg, extension)
    }
}

/// A header of this chain with these parameters.
fn header(rules: &SigningRules, current: Option<Params>, proposed: Params) -> Header {
    let own = FullParams::new(
        rules.signing_script().to_vec().into(),
        rules.max_signature_size(),
        vec![0x51].into(),
        vec![0x51],
        Vec::new(),
    );
    Header::new(HeaderFields {
        version: 0x2000_0000,
        previous: federation_chain::BlockHash::from_bytes([1; 32]),
        merkle_root: [2; 32],
        time: 3,
        height: federation_chain::BlockHeight::new(4),
        proof: Proof::Dynafed {
            current: current.unwrap_or_else(|| own.into_compact()),
            proposed,
            witness: Vec::new(),
        },
    })
}

proptest! {
    #[test]
    fn no_proposal_passes_whatever_it_proposes(full in parameters(), compact in any::<bool>()) {
        let (rules, _, _) = case("wrong elided root");
        let proposed = if compact { full.into_compact() } else { Params::Full(full) };
        let header = header(&rules, None, proposed);
        let read = Header::decode(Dialect::Dynafed, &header.encode());
        let read = read.expect("a header");
        prop_assert!(rules.check_proposed(&read).is_err());
    }

    #[test]
    fn full_and_compact_parameters_pass_for_their_own_root_and_no_other(
        one in parameters(), other in parameters(),
    ) {
        prop_assume!(one != other);
        let (rules, _, _) = case("wrong elided root");
        let root = ParamsRoot::of(&Params::Full(one.clone()));
        for (params, passes) in [
            (Params::Full(one.clone()), true),
            (one.into_compact(), true),
            (Params::Full(other.clone()), false),
            (other.into_compact(), false),
        ] {
            let header = header(&rules, Some(params), Params::Null);
            prop_assert_eq!(rules.check_parameters(&header, root).is_ok(), passes);
        }
    }
}
