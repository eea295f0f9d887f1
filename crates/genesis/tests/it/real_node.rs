//! Starts real nodes with random settings and compares their chains with the computed ones.
//!
//! `ELEMENTSD` and `OCEAND` are the paths of the nodes, `GENESIS_ROUNDS` the number of rounds (50 by
//! default):
//!
//! ```sh
//! ELEMENTSD=.. OCEAND=.. cargo test -p federation-genesis --test it -- --ignored
//! ```

#![expect(clippy::disallowed_methods, reason = "waits for a real node")]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use federation_chain::{Block, Dialect, Proof};
use federation_genesis::{Genesis, NodeKind, Settings, Terms};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, process::free_port};
use hex_conservative::{DisplayHex, FromHex};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::common::SCRIPT;

/// A running node, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hex(rng: &mut StdRng, bytes: usize) -> String {
    (0..bytes)
        .map(|_| rng.r#gen::<u8>())
        .collect::<Vec<_>>()
        .to_lower_hex_string()
}

/// A valid script, of a length that needs one of the various push opcodes.
fn script(rng: &mut StdRng) -> String {
    match rng.gen_range(0..5) {
        0 => "51".to_owned(),
        1 => SCRIPT.to_owned(),
        2 => format!("a914{}87", hex(rng, 20)),
        3 => format!("14{}{}", hex(rng, 20), "51".repeat(rng.gen_range(0..300))),
        _ => format!("0020{}", hex(rng, 32)),
    }
}

/// Appends the line, or not.
fn maybe(rng: &mut StdRng, text: &mut String, line: impl FnOnce(&mut StdRng) -> String) {
    if rng.gen_bool(0.4) {
        *text += &line(rng);
        text.push('\n');
    }
}

fn amount(rng: &mut StdRng) -> u64 {
    match rng.gen_range(0..4) {
        0 => 2_100_000_000_000_000,
        1 => rng.gen_range(1..200),
        _ => rng.gen_range(1..2_100_000_000_000_000),
    }
}

fn elements_settings(rng: &mut StdRng) -> String {
    let mut text = String::new();
    for name in ["signblockscript", "fedpegscript"] {
        maybe(rng, &mut text, |rng| {
            format!("{name} = {}  # a script", script(rng))
        });
    }
    for name in ["initialfreecoins", "initialreissuancetokens"] {
        maybe(rng, &mut text, |rng| format!("{name}={}", amount(rng)));
    }
    if rng.gen_bool(0.2) {
        text += "con_has_parent_chain=0\nparentgenesisblockhash=0\n";
    } else {
        maybe(rng, &mut text, |rng| {
            let length = rng.gen_range(1..=32);
            format!("parentgenesisblockhash=0x1{}", hex(rng, length - 1))
        });
    }
    maybe(rng, &mut text, |rng| {
        format!("con_max_block_sig_size={}", rng.gen_range(1..5000))
    });
    maybe(rng, &mut text, |rng| {
        let start = ["-1", "-2", "", "2147483648"][rng.gen_range(0..4)];
        format!("evbparams=dynafed:{start}:::")
    });
    maybe(rng, &mut text, |rng| {
        let start = ["-1", "-2", "2147483648"][rng.gen_range(0..3)];
        format!("vbparams=taproot:-1:0\nvbparams=dynafed:{start}:999999999999")
    });
    maybe(rng, &mut text, |_| "con_start_p2wsh_script=1".to_owned());
    maybe(rng, &mut text, |rng| {
        format!(
            "pak=02{}03{}\npak={}",
            hex(rng, 32),
            hex(rng, 32),
            hex(rng, 66)
        )
    });
    maybe(rng, &mut text, |_| "nocon_blockheightinheader=1".to_owned());
    maybe(rng, &mut text, |_| "con_signed_blocks=0".to_owned());
    text
}

fn ocean_settings(rng: &mut StdRng) -> String {
    let mut text = String::new();
    for name in ["signblockscript", "fedpegscript", "issuecontrolscript"] {
        maybe(rng, &mut text, |rng| {
            format!("{name} = {}  # a script", script(rng))
        });
    }
    for name in ["initialfreecoins", "policycoins"] {
        maybe(rng, &mut text, |rng| format!("{name}={}", amount(rng)));
    }
    for name in [
        "initialfreecoins",
        "freezelistcoins",
        "burnlistcoins",
        "whitelistcoins",
        "challengecoins",
        "permissioncoins",
        "issuancecoins",
    ] {
        maybe(rng, &mut text, |rng| match rng.gen_range(0..8) {
            0 => format!("{name}destination=6a"),
            1 => format!("{name}destination=b8{}", "51".repeat(rng.gen_range(0..9))),
            _ => format!("{name}destination={}", script(rng)),
        });
    }
    maybe(rng, &mut text, |rng| {
        format!("parentgenesisblockhash={}", hex(rng, 32))
    });
    maybe(rng, &mut text, |rng| {
        format!("parentcontract=0x{}", hex(rng, 20))
    });
    maybe(rng, &mut text, |rng| {
        format!("fedpegaddress={}", hex(rng, 20))
    });
    maybe(rng, &mut text, |rng| {
        format!("attestationhash={}", hex(rng, 32))
    });
    maybe(rng, &mut text, |rng| {
        format!(
            "genesistimestamp={}",
            rng.gen_range(1_231_006_505..1_700_000_000)
        )
    });
    maybe(rng, &mut text, |_| "noembedcontract=1".to_owned());
    text
}

/// Writes terms where the node looks for them, and returns those that it will find.
fn write_terms(rng: &mut StdRng, datadir: &Path, chain: &str) -> Option<Terms> {
    let [old, latest] = Terms::paths(chain);
    let mut found = None;
    for path in [latest, old] {
        if rng.gen_bool(0.5) {
            continue;
        }
        let path = datadir.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let lines = ["", "terms", "terms\n", "one\r\ntwo", "\n\n"];
        let text = lines[rng.gen_range(0..lines.len())];
        std::fs::write(path, text).expect("a file");
        found = Terms::from_file(text.as_bytes()).or(found);
    }
    found
}

async fn client(url: &str, cookie: &Path, context: &str, log: &Path) -> NodeClient {
    let config = NodeConfig::new(url)
        .with_auth(Auth::Cookie(cookie.to_owned()))
        .with_timeout(Duration::from_secs(20));
    let client = NodeClient::new(config).expect("a client");
    let end = Instant::now() + Duration::from_secs(20);
    while client.genesis_hash().await.is_err() {
        assert!(
            Instant::now() < end,
            "the node does not answer: {}\n{context}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client
}

/// Starts a node with random settings and compares everything that it reports with what was
/// computed.
async fn compare(program: &str, node: NodeKind, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let chain = ["homechain", "a", "ocean_test", "elementsregtest", "Chain_2"][rng.gen_range(0..5)];
    let (rpc, p2p) = (free_port().expect("a port"), free_port().expect("a port"));
    let mut text = format!("chain={chain}\n");
    let mut ports = format!("rpcport={rpc}\nport={p2p}\n");
    match node {
        NodeKind::Elements => {
            // Above all sections or in the chain's section.
            let settings = elements_settings(&mut rng);
            if rng.gen_bool(0.5) {
                text += &settings;
            } else {
                ports += &settings;
            }
            text += &format!("validatepegin=0\n[{chain}]\n{ports}");
        }
        NodeKind::Ocean => text += &format!("{ports}{}", ocean_settings(&mut rng)),
    }
    let terms = match node {
        NodeKind::Elements => None,
        NodeKind::Ocean => write_terms(&mut rng, folder.path(), chain),
    };
    let settings = Settings::parse(node, &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let genesis = Genesis::compute(&settings, terms.as_ref()).expect("a genesis");

    let conf = folder.path().join("node.conf");
    std::fs::write(&conf, &text).expect("a file");
    let log = folder.path().join("stderr");
    let child = Command::new(program)
        .arg(format!("-datadir={}", folder.path().display()))
        .arg(format!("-conf={}", conf.display()))
        .args([
            "-server=1",
            "-listen=0",
            "-connect=0",
            "-printtoconsole=0",
            "-dbcache=4",
        ])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a file"))
        .spawn()
        .expect("the node starts");
    let running = Running(child);
    let cookie = folder.path().join(chain).join(".cookie");
    let context = format!("seed {seed}\n{text}");
    let client = client(&format!("http://127.0.0.1:{rpc}"), &cookie, &context, &log).await;

    let hash: String = client
        .call("getblockhash", &[0.into()])
        .await
        .expect("a hash");
    assert_eq!(hash, genesis.hash().to_string(), "{context}");
    let verbosity = match node {
        NodeKind::Elements => 0.into(),
        NodeKind::Ocean => false.into(),
    };
    let block: String = client
        .call("getblock", &[hash.into(), verbosity])
        .await
        .expect("a block");
    assert_eq!(block, genesis.to_bytes().to_lower_hex_string(), "{context}");
    let info = client.sidechain_info().await.expect("an answer");
    assert_eq!(
        info.pegged_asset,
        genesis.pegged_asset().to_string(),
        "{context}"
    );
    let signed = !text.contains("con_signed_blocks=0");
    let height = !text.contains("nocon_blockheightinheader");
    if node == NodeKind::Elements && signed && height {
        compare_block_1(&client, &genesis, &context).await;
    }
    drop(running);
}

async fn compare_block_1(client: &NodeClient, genesis: &Genesis, context: &str) {
    let hex: String = client.call("getnewblockhex", &[]).await.expect("a block");
    let bytes = Vec::from_hex(&hex).expect("hex");
    match genesis.block_1_params() {
        Some(params) => {
            let block = Block::decode(Dialect::Dynafed, bytes.into()).expect("a block");
            let Proof::Dynafed { current, .. } = &block.header().fields().proof else {
                panic!("not a dynafed header: {context}");
            };
            assert_eq!(current, params, "{context}");
            let info = client.blockchain_info().await.expect("an answer");
            let root = params.calculate_root().to_string();
            assert_eq!(info.current_params_root, Some(root), "{context}");
        }
        None => {
            let block = Block::decode(Dialect::Elements, bytes.into()).expect("a block");
            assert!(matches!(
                block.header().fields().proof,
                Proof::Signed { .. }
            ));
        }
    }
}

async fn compare_many(variable: &str, node: NodeKind) {
    let program = std::env::var(variable).expect("the node's path in the environment");
    let rounds = std::env::var("GENESIS_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(50);
    let first: u64 = rand::random::<u32>().into();
    for seed in first..first + rounds {
        compare(&program, node, seed).await;
    }
}

#[tokio::test]
#[ignore = "needs ELEMENTSD"]
async fn elementsd_makes_the_computed_block() {
    compare_many("ELEMENTSD", NodeKind::Elements).await;
}

#[tokio::test]
#[ignore = "needs OCEAND"]
async fn oceand_makes_the_computed_block() {
    compare_many("OCEAND", NodeKind::Ocean).await;
}
