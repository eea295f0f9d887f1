//! Chains that could not work, each with its reason.

use elements::{
    AssetId, LockTime, OutPoint, Script, Sequence, Transaction, TxIn, TxOut, Txid,
    confidential::{Asset, Nonce, Value},
    encode::{deserialize, serialize},
};
use federation_genesis::{
    ChainWarning, Genesis, InvalidSettings, NodeKind, Settings, Sweep, SweepError, Terms,
    UnviableChain, problems, required_signature_size, signers_by_height, warnings,
};

use crate::common::{SCRIPT, home, settings};

/// The P2WPKH script of some key.
const KEY_HASH: [u8; 22] = {
    let mut script = [7; 22];
    (script[0], script[1]) = (0, 20);
    script
};
const LIMIT: &str = "con_max_block_sig_size=254\n";

fn found(node: NodeKind, text: &str) -> Vec<UnviableChain> {
    let settings = settings(node, text);
    let genesis = Genesis::compute(&settings, None).expect("a genesis");
    problems(&settings, &genesis, None, None).expect("a chain")
}

fn elements(more: &str) -> Vec<UnviableChain> {
    found(NodeKind::Elements, &home(&format!("{LIMIT}{more}")))
}

fn unfit(node: NodeKind, more: &str) -> InvalidSettings {
    Genesis::compute(&settings(node, &home(more)), None).expect_err("no chain")
}

#[test]
fn a_sound_chain_has_no_problem() {
    assert_eq!(elements(""), []);
    assert_eq!(found(NodeKind::Ocean, &home("embedcontract=0")), []);
}

#[test]
fn a_signature_limit_that_no_block_meets_is_a_problem() {
    let problem = |limit, needed| {
        vec![UnviableChain::SignatureLimit {
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
}

#[test]
fn the_required_size_depends_on_the_block_format() {
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
fn a_threshold_without_majority_is_a_problem() {
    let minority = format!("51{}", &SCRIPT[2..]);
    let text = format!("chain=homechain\nsignblockscript={minority}\n{LIMIT}");
    assert_eq!(
        found(NodeKind::Elements, &text),
        [UnviableChain::NoMajority { m: 1, n: 3 }]
    );
}

#[test]
fn a_block_script_that_is_not_m_of_n_is_a_problem() {
    for script in [
        "51",
        "6a",
        "522102c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee552ae",
    ] {
        let text = format!("chain=homechain\nsignblockscript={script}\n{LIMIT}");
        assert_eq!(
            found(NodeKind::Elements, &text),
            [UnviableChain::NoFederation]
        );
    }
}

#[test]
fn unsigned_blocks_and_headers_without_height_are_problems() {
    assert_eq!(elements("con_signed_blocks=0"), [UnviableChain::Unsigned]);
    assert_eq!(
        elements("con_blockheightinheader=0"),
        [UnviableChain::NoHeight]
    );
}

/// Four fifths of fewer than five blocks, rounded down, are one to three blocks.
#[test]
fn epochs_of_fewer_than_five_blocks_are_a_problem_if_there_are_epochs() {
    for blocks in ["0", "1", "2", "3", "4", "-1", "4294967297", "4294967301"] {
        let found = elements(&format!("dynamic_epoch_length={blocks}"));
        let [UnviableChain::Setting { name, value, .. }] = &found[..] else {
            panic!("{blocks}: {found:?}");
        };
        assert_eq!((*name, value.as_str()), ("dynamic_epoch_length", blocks));
    }
    for blocks in ["5", "10", "20160"] {
        assert_eq!(elements(&format!("dynamic_epoch_length={blocks}")), []);
    }
    let never = "dynamic_epoch_length=2\nevbparams=dynafed:-2:::";
    assert_eq!(elements(never), []);
}

/// Operators support one block format per chain: none could sign from the block at which it changes.
#[test]
fn a_chain_whose_block_format_changes_is_refused_with_the_settings_that_work() {
    for (line, from) in [
        ("evbparams=dynafed:0:::", 0),
        ("evbparams=dynafed:2147483648:::", 2_147_483_648),
        ("vbparams=dynafed:5:99", 5),
    ] {
        let found = elements(line);
        assert_eq!(found, [UnviableChain::Signalled { from }], "{line}");
        let text = found[0].to_string();
        assert!(
            text.contains("evbparams=dynafed:-1:::") && text.contains("evbparams=dynafed:-2:::")
        );
    }
}

/// The problems of an Ocean chain with these further lines.
fn ocean(more: &str) -> Vec<UnviableChain> {
    found(NodeKind::Ocean, &home(&format!("embedcontract=0\n{more}")))
}

fn of_three(m: u8) -> String {
    format!("{:02x}{}", 0x50 + m, &SCRIPT[2..])
}

#[test]
fn every_later_block_script_is_checked_like_the_first() {
    let two = of_three(2);
    assert_eq!(ocean(&format!("signblockscriptchange={two}:1000")), []);
    assert_eq!(
        ocean("signblockscriptchange=51:1000"),
        [UnviableChain::LaterNoFederation { from: 1000 }]
    );
    assert_eq!(
        ocean(&format!("signblockscriptchange={}:1000", of_three(1))),
        [UnviableChain::LaterNoMajority {
            from: 1000,
            m: 1,
            n: 3
        }]
    );
    // Each of several, and in order of height whatever their order in the file.
    let several = format!(
        "signblockscriptchange={}:3000\nsignblockscriptchange={two}:2000\nsignblockscriptchange=6a:1000",
        of_three(1)
    );
    assert_eq!(
        ocean(&several),
        [
            UnviableChain::LaterNoFederation { from: 1000 },
            UnviableChain::LaterNoMajority {
                from: 3000,
                m: 1,
                n: 3
            }
        ]
    );
}

#[test]
fn changes_at_heights_that_the_node_would_misread_are_refused() {
    let two = of_three(2);
    for height in [-1_i64, 0, 2_147_483_648] {
        assert_eq!(
            ocean(&format!("signblockscriptchange={two}:{height}"))
                .into_iter()
                .filter(|problem| matches!(problem, UnviableChain::ChangeHeight { .. }))
                .collect::<Vec<_>>(),
            [UnviableChain::ChangeHeight {
                name: "signblockscriptchange",
                height
            }]
        );
    }
    let twice = format!(
        "signblockscriptchange={two}:7\nsignblockscriptchange={}:7",
        of_three(3)
    );
    assert_eq!(
        ocean(&twice),
        [UnviableChain::ChangedTwice {
            name: "signblockscriptchange",
            height: 7
        }]
    );
}

#[test]
fn signers_are_listed_by_height() {
    let text = home(&format!(
        "signblockscriptchange={}:2000\nsignblockscriptchange=51:1000",
        of_three(3)
    ));
    let listed: Vec<_> = signers_by_height(&settings(NodeKind::Ocean, &text))
        .into_iter()
        .map(|signers| {
            let keys = signers.multisig.map(|script| script.threshold().to_u8());
            (signers.from, keys)
        })
        .collect();
    assert_eq!(listed, [(0, Some(2)), (1000, None), (2000, Some(3))]);
}

#[test]
fn scripts_that_control_fees_and_issuances_are_checked_too() {
    let anyone = |name, from| UnviableChain::ObeysAnyone { name, from };
    let minority = of_three(1);
    assert_eq!(
        elements("con_mandatorycoinbase=51"),
        [anyone("con_mandatorycoinbase", 0)]
    );
    assert_eq!(
        ocean("con_mandatorycoinbase=51"),
        [anyone("con_mandatorycoinbase", 0)]
    );
    // Scripts that do more than push a value, but require no key.
    for script in ["7551", "5187", "515287", "5169515c", "517551"] {
        for name in ["con_mandatorycoinbase", "issuecontrolscript"] {
            let found = ocean(&format!("{name}={script}"));
            assert_eq!(found, [anyone(name, 0)], "{script}");
        }
        let found = elements(&format!("con_mandatorycoinbase={script}"));
        assert_eq!(found, [anyone("con_mandatorycoinbase", 0)], "{script}");
    }
    assert_eq!(
        ocean("issuecontrolscript=51"),
        [anyone("issuecontrolscript", 0)]
    );
    assert_eq!(
        ocean(&format!("issuecontrolscript={minority}")),
        [UnviableChain::ObeysMinority {
            name: "issuecontrolscript",
            from: 0,
            m: 1,
            n: 3
        }]
    );
    let two = of_three(2);
    assert_eq!(
        ocean(&format!("con_mandatorycoinbase={two}\ncoinbasechange=51:8")),
        [anyone("coinbasechange", 8)]
    );
    // The node ignores it without the other setting.
    assert!(matches!(
        ocean(&format!("coinbasechange={two}:8"))[..],
        [UnviableChain::Setting {
            name: "coinbasechange",
            ..
        }]
    ));
    let sound =
        format!("con_mandatorycoinbase={two}\ncoinbasechange={two}:8\nissuecontrolscript={two}");
    assert_eq!(ocean(&sound), []);
}

#[test]
fn fees_and_coins_that_anyone_can_take_are_warned_about() {
    let found = |text: &str| {
        let settings = settings(NodeKind::Elements, &home(text));
        let genesis = Genesis::compute(&settings, None).expect("a genesis");
        warnings(&settings, &genesis, None)
    };
    assert_eq!(found(""), [ChainWarning::FeesForAnyone]);
    let (name, amount) = ("pegged", 5);
    assert_eq!(
        found("initialfreecoins=5"),
        [
            ChainWarning::CoinsForAnyone { name, amount },
            ChainWarning::FeesForAnyone
        ]
    );
    assert_eq!(found(&format!("con_mandatorycoinbase={SCRIPT}")), []);
}

#[test]
fn a_parent_chain_that_contradicts_its_hash_is_a_problem() {
    assert!(matches!(
        elements("parentgenesisblockhash=0")[..],
        [UnviableChain::ParentChain {
            has: 1,
            hash: "null",
            ..
        }]
    ));
    assert!(matches!(
        elements("con_has_parent_chain=0")[..],
        [UnviableChain::ParentChain {
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
        [UnviableChain::NoTerms {
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
fn settings_from_which_no_block_is_computed_are_refused() {
    let elements = |more: &str| unfit(NodeKind::Elements, more);
    assert_eq!(
        elements("con_genesis_style=dynamic"),
        InvalidSettings::Style("dynamic".to_owned())
    );
    assert_eq!(elements("con_elementsmode=0"), InvalidSettings::BitcoinMode);
    assert_eq!(
        elements("initialfreecoins=-1"),
        InvalidSettings::Amount {
            name: "initialfreecoins",
            value: -1
        }
    );
    assert!(matches!(
        elements("con_max_block_sig_size=4294967296"),
        InvalidSettings::Range { .. }
    ));
    for wrong in [
        "dynafed:-1",
        "dynafed:x:::",
        "nonsense:::: ",
        "dynafed:::::",
    ] {
        let error = elements(&format!("evbparams={wrong}"));
        assert!(matches!(error, InvalidSettings::Evbparams(_)), "{wrong}");
    }
    assert!(matches!(
        unfit(NodeKind::Ocean, "genesistimestamp=-5"),
        InvalidSettings::Range { .. }
    ));
    assert!(matches!(
        unfit(NodeKind::Ocean, "policycoins=2100000000000001"),
        InvalidSettings::Amount { .. }
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
fn coins_that_anyone_can_spend_are_a_problem_without_a_sweep() {
    let (settings, genesis, free) = coins();
    assert_eq!(free.len(), 2);
    assert_eq!(
        problems(&settings, &genesis, None, None).expect("a chain"),
        [
            UnviableChain::AnyoneCanSpend {
                name: "pegged",
                amount: 500,
                ocean: false
            },
            UnviableChain::AnyoneCanSpend {
                name: "reissuance token",
                amount: 7,
                ocean: false
            }
        ]
    );
    let sweep = transaction(&free, &KEY_HASH);
    let sweep = Sweep::from_bytes(&serialize(&sweep)).expect("a transaction");
    assert_eq!(
        problems(&settings, &genesis, None, Some(&sweep)),
        Ok(vec![])
    );
    // Ocean has settings for destinations.
    let to = |script: &str| {
        ocean(&format!(
            "initialfreecoins=500\ninitialfreecoinsdestination={script}"
        ))
    };
    assert_eq!(to(&format!("a914{}87", "07".repeat(20))), []);
    // Other scripts than OP_TRUE that anyone can satisfy.
    for script in ["51", "0101", "5261", "7551", "5187", "5169515c"] {
        assert!(
            matches!(to(script)[..], [UnviableChain::AnyoneCanSpend { .. }]),
            "{script}"
        );
    }
}

#[test]
fn a_sweep_spends_exactly_the_coins_that_anyone_can_spend_and_secures_them() {
    let (_, genesis, free) = coins();
    let check = |transaction: &Transaction| {
        Sweep::from_bytes(&serialize(transaction))
            .expect("a transaction")
            .check(&genesis)
    };
    assert_eq!(check(&transaction(&free, &KEY_HASH)), Ok(()));
    assert_eq!(
        check(&transaction(&free[..1], &KEY_HASH)),
        Err(SweepError::Missing(free[1]))
    );
    let foreign = OutPoint::new(Txid::from_byte_array([9; 32]), 0);
    let more = [&free[..], &[foreign]].concat();
    assert_eq!(
        check(&transaction(&more, &KEY_HASH)),
        Err(SweepError::Foreign(foreign))
    );
    for unsafe_script in [&[0x51][..], &[0x52], &[1, 1]] {
        assert_eq!(
            check(&transaction(&free, unsafe_script)),
            Err(SweepError::AnyoneCanSpend(0))
        );
    }
    let mut signed = transaction(&free, &KEY_HASH);
    signed.input[1].script_sig = Script::from(vec![0x51]);
    assert_eq!(check(&signed), Err(SweepError::Signed(1)));
    assert!(matches!(
        Sweep::from_bytes(b"no"),
        Err(SweepError::Undecodable(_))
    ));
}

#[test]
fn the_sweep_of_a_genesis_pays_all_of_each_asset_to_its_destination() {
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
fn a_sweep_to_nobody_to_anyone_or_to_a_truncated_script_is_refused() {
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
    let settings = settings(NodeKind::Elements, &home(LIMIT));
    let without_coins = Genesis::compute(&settings, None).expect("a genesis");
    assert_eq!(
        Sweep::new(&without_coins, |_| None),
        Err(SweepError::NothingToSweep)
    );
}

#[test]
fn a_sweep_cannot_hold_more_than_21_million_coins() {
    let text = home(&format!(
        "{LIMIT}initialfreecoins=2100000000000000\ninitialreissuancetokens=1\n"
    ));
    let genesis = Genesis::compute(&settings(NodeKind::Elements, &text), None).expect("a genesis");
    let sweep = Sweep::new(&genesis, |_| Some([&[0, 20][..], &[1; 20]].concat()));
    assert_eq!(sweep, Err(SweepError::TotalTooLarge(2_100_000_000_000_001)));
}
