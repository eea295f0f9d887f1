//! Chains that cannot live, each for its reason.

use elements::{
    AssetId, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxOut, Txid,
    confidential::{Asset, Nonce, Value},
    encode::{deserialize, serialize},
};
use federation_genesis::{
    Genesis, NodeKind, Problem, Settings, Sweep, SweepError, Terms, Unfit, problems,
    required_signature_size,
};

use crate::common::{SCRIPT, home, settings};

const LIMIT: &str = "con_max_block_sig_size=254\n";

fn found(node: NodeKind, text: &str) -> Vec<Problem> {
    let settings = settings(node, text);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    problems(&settings, &genesis, None, None).expect("a chain")
}

fn elements(more: &str) -> Vec<Problem> {
    found(NodeKind::Elements, &home(&format!("{LIMIT}{more}")))
}

fn unfit(node: NodeKind, more: &str) -> Unfit {
    Genesis::compute(&settings(node, &home(more)), None).expect_err("no chain")
}

#[test]
fn a_sound_chain_has_no_problem() {
    assert_eq!(elements(""), []);
    assert_eq!(found(NodeKind::Ocean, &home("embedcontract=0")), []);
}

#[test]
fn a_limit_that_no_block_meets_is_a_problem() {
    let problem = |limit, needed| {
        vec![Problem::SignatureLimit {
            limit,
            needed,
            m: 2,
            n: 3,
        }]
    };
    assert_eq!(found(NodeKind::Elements, &home("")), problem(74, 254));
    let with = |text: &str| found(NodeKind::Elements, &home(text));
    assert_eq!(with("con_max_block_sig_size=253"), problem(253, 254));
    assert_eq!(
        with("con_max_block_sig_size=144\nevbparams=dynafed:-2:::"),
        problem(144, 145)
    );
    // A chain that changes its form needs room for both.
    assert_eq!(
        with("con_max_block_sig_size=145\nevbparams=dynafed:0:::"),
        problem(145, 254)
    );
}

#[test]
fn the_size_follows_the_form() {
    let size =
        |node, more: &str| required_signature_size(&settings(node, &home(more))).expect("a chain");
    assert_eq!(size(NodeKind::Elements, ""), Some(254));
    assert_eq!(
        size(NodeKind::Elements, "evbparams=dynafed:-2:::"),
        Some(145)
    );
    assert_eq!(size(NodeKind::Ocean, ""), None);
}

#[test]
fn no_majority_is_a_problem() {
    let minority = format!("51{}", &SCRIPT[2..]);
    let text = format!("chain=homechain\nsignblockscript={minority}\n{LIMIT}");
    assert_eq!(
        found(NodeKind::Elements, &text),
        [Problem::NoMajority { m: 1, n: 3 }]
    );
}

#[test]
fn a_script_of_no_federation_is_a_problem() {
    for script in [
        "51",
        "6a",
        "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee552ae",
    ] {
        let text = format!("chain=homechain\nsignblockscript={script}\n{LIMIT}");
        assert_eq!(found(NodeKind::Elements, &text), [Problem::NoFederation]);
    }
}

#[test]
fn blocks_that_nobody_signs_and_headers_without_height_are_problems() {
    assert_eq!(elements("con_signed_blocks=0"), [Problem::Unsigned]);
    assert_eq!(elements("con_blockheightinheader=0"), [Problem::NoHeight]);
    assert!(matches!(
        elements("dynamic_epoch_length=0")[..],
        [Problem::Setting {
            name: "dynamic_epoch_length",
            ..
        }]
    ));
}

#[test]
fn a_parent_chain_that_contradicts_its_hash_is_a_problem() {
    assert!(matches!(
        elements("parentgenesisblockhash=0")[..],
        [Problem::ParentChain {
            has: 1,
            hash: "null",
            ..
        }]
    ));
    assert!(matches!(
        elements("con_has_parent_chain=0")[..],
        [Problem::ParentChain {
            has: 0,
            hash: "not null",
            ..
        }]
    ));
    assert_eq!(
        elements("con_has_parent_chain=0\nparentgenesisblockhash=00"),
        []
    );
}

#[test]
fn missing_terms_are_a_problem() {
    let text = home("");
    assert_eq!(
        found(NodeKind::Ocean, &text),
        [Problem::NoTerms {
            chain: "homechain".to_owned()
        }]
    );
    let settings = settings(NodeKind::Ocean, &text);
    let terms = Terms::from_file(b"terms\n");
    let genesis = Genesis::compute(&settings, terms.as_ref()).expect("a genesis");
    assert_eq!(
        problems(&settings, &genesis, terms.as_ref(), None),
        Ok(vec![])
    );
}

#[test]
fn settings_of_which_no_block_can_be_made_are_refused() {
    let elements = |more: &str| unfit(NodeKind::Elements, more);
    assert_eq!(
        elements("con_genesis_style=dynamic"),
        Unfit::Style("dynamic".to_owned())
    );
    assert_eq!(elements("con_elementsmode=0"), Unfit::BitcoinMode);
    assert_eq!(
        elements("initialfreecoins=-1"),
        Unfit::Amount {
            name: "initialfreecoins",
            value: -1
        }
    );
    assert!(matches!(
        elements("con_max_block_sig_size=4294967296"),
        Unfit::Range { .. }
    ));
    for wrong in [
        "dynafed:-1",
        "dynafed:x:::",
        "nonsense:::: ",
        "dynafed:::::",
    ] {
        let error = elements(&format!("evbparams={wrong}"));
        assert!(matches!(error, Unfit::Evbparams(_)), "{wrong}");
    }
    assert!(matches!(
        unfit(NodeKind::Ocean, "genesistimestamp=-5"),
        Unfit::Range { .. }
    ));
    assert!(matches!(
        unfit(NodeKind::Ocean, "policycoins=2100000000000001"),
        Unfit::Amount { .. }
    ));
}

fn transaction(inputs: &[OutPoint], destination: &[u8]) -> Transaction {
    Transaction {
        version: 2,
        lock_time: LockTime::ZERO,
        input: inputs
            .iter()
            .map(|outpoint| TxIn {
                previous_output: *outpoint,
                sequence: Sequence::MAX,
                ..TxIn::default()
            })
            .collect(),
        output: vec![TxOut {
            asset: Asset::Explicit(AssetId::from_byte_array([1; 32])),
            value: Value::Explicit(1),
            nonce: Nonce::Null,
            script_pubkey: Script::from(destination.to_vec()),
            ..TxOut::default()
        }],
    }
}

fn coins() -> (Settings, Genesis, Vec<OutPoint>) {
    let text = home(&format!(
        "{LIMIT}initialfreecoins=500\ninitialreissuancetokens=7\n"
    ));
    let settings = settings(NodeKind::Elements, &text);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    let free = genesis
        .assets()
        .flat_map(|asset| asset.outputs().to_vec())
        .collect();
    (settings, genesis, free)
}

#[test]
fn coins_for_anyone_are_a_problem_without_a_sweep() {
    let (settings, genesis, free) = coins();
    assert_eq!(free.len(), 2);
    assert_eq!(
        problems(&settings, &genesis, None, None).expect("a chain"),
        [
            Problem::AnyoneCanSpend {
                name: "pegged",
                amount: 500,
                ocean: false
            },
            Problem::AnyoneCanSpend {
                name: "reissuance token",
                amount: 7,
                ocean: false
            }
        ]
    );
    let sweep = transaction(&free, &[0x52]);
    let sweep = Sweep::from_bytes(&serialize(&sweep)).expect("a transaction");
    assert_eq!(
        problems(&settings, &genesis, None, Some(&sweep)),
        Ok(vec![])
    );
    // Ocean has destinations.
    let text = home("embedcontract=0\ninitialfreecoins=500\ninitialfreecoinsdestination=0101");
    assert_eq!(found(NodeKind::Ocean, &text), []);
}

#[test]
fn a_sweep_takes_all_and_only_that_and_leaves_nothing_to_anyone() {
    let (_, genesis, free) = coins();
    let check = |transaction: &Transaction| {
        Sweep::from_bytes(&serialize(transaction))
            .expect("a transaction")
            .check(&genesis)
    };
    assert_eq!(check(&transaction(&free, &[0x52])), Ok(()));
    assert_eq!(
        check(&transaction(&free[..1], &[0x52])),
        Err(SweepError::Missing(free[1]))
    );
    let foreign = OutPoint::new(Txid::from_byte_array([9; 32]), 0);
    let more = [&free[..], &[foreign]].concat();
    assert_eq!(
        check(&transaction(&more, &[0x52])),
        Err(SweepError::Foreign(foreign))
    );
    assert_eq!(
        check(&transaction(&free, &[0x51])),
        Err(SweepError::Anyones(0))
    );
    let mut signed = transaction(&free, &[0x52]);
    signed.input[1].script_sig = Script::from(vec![0x51]);
    assert_eq!(check(&signed), Err(SweepError::Signed(1)));
    assert!(matches!(
        Sweep::from_bytes(b"no"),
        Err(SweepError::Undecodable(_))
    ));
}

#[test]
fn the_sweep_of_a_genesis_pays_each_asset_whole_to_its_destination() {
    let (settings, genesis, free) = coins();
    let witness = |byte: u8| [&[0, 32][..], &[byte; 32]].concat();
    let to = |asset: &federation_genesis::InitialAsset| {
        Some(witness(u8::from(asset.name() == "pegged")))
    };
    let sweep = Sweep::new(&genesis, to).expect("a sweep");
    assert_eq!(
        problems(&settings, &genesis, None, Some(&sweep)),
        Ok(vec![])
    );
    let decoded: Transaction = deserialize(&sweep.to_bytes()).expect("a transaction");
    let spent: Vec<_> = decoded.input.iter().map(|i| i.previous_output).collect();
    assert_eq!(spent, free);
    for (asset, output) in genesis.assets().zip(&decoded.output) {
        assert_eq!(output.asset, Asset::Explicit(asset.id()));
        assert_eq!(output.value, Value::Explicit(asset.amount()));
        assert_eq!(Some(output.script_pubkey.to_bytes()), to(asset));
    }
    assert_eq!(Sweep::from_bytes(&sweep.to_bytes()), Ok(sweep));
}

#[test]
fn a_sweep_to_nobody_to_anyone_or_to_half_a_script_is_none() {
    let (_, genesis, _) = coins();
    let to = |script: &[u8]| Sweep::new(&genesis, |_| Some(script.to_vec()));
    for script in [&[][..], &[0x51], &[0x6a, 1, 1], &[0, 32, 7], &[0; 34]] {
        assert!(matches!(to(script), Err(SweepError::Destination(_))));
    }
    let pegged_only = |asset: &federation_genesis::InitialAsset| {
        (asset.name() == "pegged").then(|| vec![0, 20].into_iter().chain([1; 20]).collect())
    };
    assert_eq!(
        Sweep::new(&genesis, pegged_only),
        Err(SweepError::NoDestination {
            name: "reissuance token",
            amount: 7
        })
    );
    let none = Genesis::compute(&settings(NodeKind::Elements, &home(LIMIT)), None).expect("a");
    assert_eq!(Sweep::new(&none, |_| None), Err(SweepError::Nothing));
}

#[test]
fn more_than_all_coins_fits_no_sweep() {
    let text = home(&format!(
        "{LIMIT}initialfreecoins=2100000000000000\ninitialreissuancetokens=1\n"
    ));
    let genesis = Genesis::compute(&settings(NodeKind::Elements, &text), None).expect("a genesis");
    let sweep = Sweep::new(&genesis, |_| Some([&[0, 20][..], &[1; 20]].concat()));
    assert_eq!(sweep, Err(SweepError::TooMuch(2_100_000_000_000_001)));
}
