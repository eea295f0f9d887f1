//! Writes the seeds: recorded blocks of real nodes, and one of each message and record.
//!
//! Run `cargo run --example seeds` in this folder after a format has changed.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bytes::Bytes;
use federation_block_signing::{
    BlockSignature, Body, BodyRequest, Candidate, Certificate, CompactSignature, IdentitySignature,
    Message, Proposal, Record, RoundCertificate, SignatureSet, Standing, Vote, VoteKind,
};
use federation_chain::{Block, BlockHash, BlockHeight, Dialect, UnixTime};
use federation_operator::config::init;
use federation_roster::{EnvelopeHead, FederationId, OperatorId, Round, UnsignedEnvelope};
use federation_signer::{GuardPin, GuardRecord, GuardRecordKind, GuardState};
use hex_conservative::FromHex;
use serde_json::Value;

type Anything = Result<(), Box<dyn std::error::Error>>;

const HEIGHT: BlockHeight = BlockHeight::new(7);
const ROUND: Round = Round::new(1);
const HASH: BlockHash = BlockHash::from_bytes([9; 32]);

fn seed(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

fn bytes(hex: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(Vec::from_hex(hex.as_str().ok_or("not a string")?)?)
}

fn messages() -> Vec<(&'static str, Message)> {
    let vote = |kind, value| {
        Message::Vote(Vote {
            kind,
            height: HEIGHT,
            round: ROUND,
            value,
        })
    };
    let signature = IdentitySignature::from_bytes([3; 64]);
    let votes: BTreeMap<_, _> = (0..2).map(|n| (OperatorId::new(n), signature)).collect();
    let certificate = |kind, votes| {
        Message::Certificate(Certificate {
            kind,
            height: HEIGHT,
            round: ROUND,
            hash: HASH,
            votes,
        })
    };
    vec![
        (
            "proposal",
            Message::Proposal(Proposal {
                height: HEIGHT,
                round: ROUND,
                hash: HASH,
                valid_round: Some(Round::FIRST),
            }),
        ),
        (
            "body",
            Message::Body(Body {
                height: HEIGHT,
                hash: HASH,
                bytes: Bytes::from_static(&[5; 90]),
            }),
        ),
        ("prevote", vote(VoteKind::Prevote, Some(HASH))),
        ("precommit-nil", vote(VoteKind::Precommit, None)),
        (
            "proof-of-lock",
            certificate(VoteKind::Prevote, votes.clone()),
        ),
        ("decision", certificate(VoteKind::Precommit, votes)),
        (
            "round-certificate",
            Message::RoundCertificate(RoundCertificate {
                height: HEIGHT,
                round: ROUND,
                votes: [(OperatorId::new(0), Some(HASH)), (OperatorId::new(1), None)]
                    .map(|(id, value)| (id, (value, signature)))
                    .into(),
            }),
        ),
        (
            "block-signature",
            Message::BlockSignature(BlockSignature {
                height: HEIGHT,
                hash: HASH,
                signature: CompactSignature::from_bytes([4; 64]),
            }),
        ),
        (
            "body-request",
            Message::BodyRequest(BodyRequest {
                height: HEIGHT,
                hash: HASH,
                asked: OperatorId::new(1),
            }),
        ),
        (
            "signature-set",
            Message::SignatureSet(SignatureSet {
                height: HEIGHT,
                hash: HASH,
                signatures: [1, 2]
                    .map(|id| (OperatorId::new(id), CompactSignature::from_bytes([id; 64])))
                    .into(),
            }),
        ),
    ]
}

fn records() -> Vec<Record> {
    let mut records = vec![
        Record::Final(HEIGHT),
        Record::Standing(Standing::Participating),
        Record::Round(HEIGHT, ROUND),
        Record::Body(Candidate {
            hash: HASH,
            previous: HASH,
            height: HEIGHT,
            time: UnixTime::from_secs(1_700_000_000),
            bytes: Bytes::from_static(&[5; 90]),
        }),
    ];
    for (_, message) in messages() {
        records.extend(match message {
            Message::Proposal(proposal) => Some(Record::Proposal(proposal)),
            Message::Vote(vote) => Some(Record::Vote(vote)),
            Message::Certificate(certificate) if certificate.kind == VoteKind::Prevote => {
                Some(Record::ProofOfLock(certificate))
            }
            Message::Certificate(certificate) => Some(Record::Decision(certificate)),
            Message::BlockSignature(signature) => Some(Record::Signature(signature)),
            Message::RoundCertificate(over) => Some(Record::RoundCertificate(over)),
            _ => None,
        });
    }
    records
}

fn protocol() -> Anything {
    for (name, message) in messages() {
        let parts = message.to_parts();
        let mut input = vec![parts.kind];
        input.extend_from_slice(&parts.height.to_u32().to_le_bytes());
        input.extend_from_slice(&parts.round.to_u32().to_le_bytes());
        input.extend_from_slice(&parts.payload);
        seed("message", name, &input)?;
        let head = EnvelopeHead {
            federation: FederationId::from_bytes([1; 32]),
            sender: OperatorId::new(1),
            kind: parts.kind,
            height: parts.height,
            round: parts.round,
        };
        let unsigned = UnsignedEnvelope {
            head,
            payload: parts.payload,
        };
        seed("envelope", name, &unsigned.with_signature([2; 64]).encode())?;
    }
    for (number, record) in records().iter().enumerate() {
        seed("record", &format!("{number}"), &record.to_bytes())?;
    }
    Ok(())
}

fn chains() -> Anything {
    for (name, dialect) in [
        ("ocean", Dialect::Ocean),
        ("elements-legacy", Dialect::Elements),
        ("elements-dynafed", Dialect::Dynafed),
    ] {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
        let read = |file: String| -> Result<Value, Box<dyn std::error::Error>> {
            Ok(serde_json::from_slice(&fs::read(vectors.join(file))?)?)
        };
        let json = read(format!("{name}.json"))?;
        for (kind, hex) in [
            ("unsigned", &json["blocks"][0]["unsigned"]),
            ("signed", &json["blocks"][0]["combined"]["hex"]),
            ("compact", &json["blocks"][1]["combined"]["hex"]),
        ] {
            let block = Block::decode(dialect, bytes(hex)?.into())?;
            seed("block", &format!("{name}-{kind}"), block.as_bytes())?;
            seed(
                "header",
                &format!("{name}-{kind}"),
                &block.header().encode(),
            )?;
        }
        seed("script", name, &bytes(&json["signblockscript"])?)?;
        if let Some(wif) = json["wif_prefix_239"][0].as_str() {
            seed("script", &format!("{name}-key"), wif.as_bytes())?;
        }
        if let Some(script_sig) = json["blocks"][0]["signatures"].as_str() {
            seed(
                "script",
                &format!("{name}-solution"),
                &Vec::from_hex(script_sig)?,
            )?;
        }
        for call in json["transcript"].as_array().ok_or("no calls")? {
            let method = call["method"].as_str().ok_or("no method")?;
            let body: Value = serde_json::from_str(call["body"].as_str().ok_or("no body")?)?;
            if body["result"].is_object() && method.starts_with("get") {
                let result = body["result"].to_string();
                seed("rpc", &format!("{name}-{method}"), result.as_bytes())?;
            }
        }
        let arguments = json["node_args"].as_array().ok_or("no arguments")?;
        let chain = json["chain"].as_str().ok_or("no name")?;
        let mut conf = format!("chain={chain}\n[{chain}]\n");
        for argument in arguments.iter().filter_map(Value::as_str) {
            if !argument.starts_with("-chain=") {
                conf.push_str(argument.trim_start_matches('-'));
                conf.push('\n');
            }
        }
        seed("genesis", name, conf.as_bytes())?;
    }
    for (name, amount) in [
        ("coin", "1.00000000"),
        ("most", "\"184467440737.09551615\""),
    ] {
        seed("rpc", name, amount.as_bytes())?;
    }
    Ok(())
}

fn files() -> Anything {
    let folder = tempfile::tempdir()?;
    let plan = init::InitPlan {
        folder: folder.path().join("set"),
        operators: 3,
        threshold: 2,
        dialect: Dialect::Dynafed,
        chain: "fuzz".to_owned(),
        interval: Duration::from_secs(2),
        first_port: 20_000,
        coins: init::PayTo::Federation,
        fees: init::PayTo::Federation,
    };
    init::write(&plan)?;
    let public = fs::read(plan.folder.join("federation.toml"))?;
    seed("config", "federation", &[&[0], &public[..]].concat())?;
    for entry in fs::read_dir(&plan.folder)? {
        let path = entry?.path().join("operator.toml");
        if path.is_file() {
            return Ok(seed(
                "config",
                "operator",
                &[&[1], &fs::read(path)?[..]].concat(),
            )?);
        }
    }
    Err("no operator was written".into())
}

/// The transactions of recorded blocks with something special: peg-ins, claims and issuances.
fn transactions() -> Anything {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let read = |file: &str| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(serde_json::from_slice(&fs::read(vectors.join(file))?)?)
    };
    let pegs = read("pegs.json")?;
    let issued = read("elements-dynafed-transactions.json")?;
    for (name, dialect, hex) in [
        (
            "elements-claim",
            Dialect::Dynafed,
            &pegs["elements"]["claim_block"],
        ),
        (
            "elements-stray",
            Dialect::Dynafed,
            &pegs["elements"]["stray_pegin_witness"]["block"],
        ),
        (
            "ocean-claim",
            Dialect::Ocean,
            &pegs["ocean"]["claim"]["block"],
        ),
        ("elements", Dialect::Dynafed, &issued["blocks"][5]["block"]),
    ] {
        let block = Block::decode(dialect, bytes(hex)?.into())?;
        let mut all = Vec::new();
        block.each_transaction(|view| all.push(view.as_bytes().to_vec()))?;
        for (number, transaction) in all.iter().enumerate() {
            seed("transaction", &format!("{name}-{number}"), transaction)?;
        }
    }
    Ok(())
}

/// Ledgers of reissuances, and the text of a guard record.
fn stores() -> Anything {
    let (chain, settings) = federation_fuzz::reissuance::settings();
    let mut ledger = federation_reissuance::Ledger::new(chain, settings);
    seed("reissuance", "new", &ledger.to_bytes())?;
    let none = BlockHash::from_bytes([0; 32]);
    ledger.apply(BlockHeight::GENESIS, chain.genesis, none, &[])?;
    seed("reissuance", "genesis", &ledger.to_bytes())?;
    seed("reissuance", "rate", b"0.05")?;
    let record = GuardRecord {
        pin: GuardPin {
            federation: FederationId::from_bytes([1; 32]),
            genesis: chain.genesis,
            block_key: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse()?,
        },
        kind: GuardRecordKind::Transfer,
        number: 1,
        written: UnixTime::from_secs(1_700_000_000),
        state: GuardState::new(Some(HEIGHT), [(HEIGHT.next(), HASH)]),
    };
    let text = record.with_signature([2; 64]).encode();
    seed("guard", "transfer", text.as_bytes())?;
    Ok(())
}

fn main() -> Anything {
    protocol()?;
    chains()?;
    files()?;
    transactions()?;
    stores()?;
    // Enough for the parser to get going; the fuzzer will not find valid signatures.
    seed(
        "ceremony",
        "message",
        br#"{"version":1,"ceremony":"","from":"","body":{},"signature":""}"#,
    )?;
    seed("ceremony", "certificate", br#"{"version":1,"messages":[]}"#)?;
    Ok(())
}
