//! Documents whose reader already has something: files, a token, a running federation.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use federation_local::free_ports;
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_signer::{Secret, key_file};
use federation_signer_hsm::testing::{conf_of, softhsm, token_folder};

use crate::{
    federation, follow, load, multisig, reader,
    world::{Daemon, World, ask_json},
};

/// The documents.
pub(crate) const NAMES: [&str; 4] = [
    "docs/genesis.md",
    "docs/keys.md",
    "docs/migration.md",
    "docs/reissuance.md",
];

/// Whether a document needs such a fixture.
pub(crate) fn has(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Returns a public key whose secret key is not needed.
fn public_key() -> String {
    Secret::generate().public_key().to_string()
}

fn run(program: &Path, folder: &Path, line: &str) -> String {
    let output = Command::new(program)
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn keys_are_created_encrypted_and_moved_into_a_module() {
    let mut document = load("docs/keys.md");
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = token_folder();
    key_file::create(&folder.path().join("old.key"), &Secret::generate()).expect("written");
    let library = softhsm().display().to_string();
    let others: Vec<_> = (0..4).map(|_| public_key()).collect();
    document
        .fill_in(&[
            ("/usr/lib/softhsm/libsofthsm2.so", &library),
            // The reader does not know the key yet when pasting the block.
            (" --script 5321..ae", ""),
            ("02c604..", &others[0]),
            ("02f930..", &others[1]),
            ("0379be..", &others[2]),
            ("03a1b2..", &others[3]),
        ])
        .unwrap_or_else(|fault| panic!("{fault}"));
    let plan = reader(folder.path()).with_variable("SOFTHSM2_CONF", conf_of(tokens.path()));
    follow(&document, &folder, &plan);
}

#[test]
fn genesis_blocks_are_computed_compared_and_verified() {
    let mut document = load("docs/genesis.md");
    let folder = tempfile::tempdir().expect("a folder");
    let ports = free_ports(2).expect("ports").start;
    let made = run(
        multisig(),
        folder.path(),
        "new -m 2 -n 3 --insecure-plain --out keys --json",
    );
    let made: serde_json::Value = serde_json::from_str(&made).expect("json");
    let settings = |chain: &str| {
        let mut text = format!("chain={chain}\n");
        for name in ["signblockscript", "con_mandatorycoinbase"] {
            let value = made["settings"][name].as_str().expect("a script");
            text += &format!("{name}={value}\n");
        }
        text
    };
    let size = made["settings"]["con_max_block_sig_size"].as_str();
    let elements = format!(
        "{}con_max_block_sig_size={}\n",
        settings("homechain"),
        size.expect("a size")
    );
    for name in ["elements.conf", "mine.conf", "yours.conf"] {
        fs::write(folder.path().join(name), &elements).expect("written");
    }
    fs::write(folder.path().join("ocean.conf"), settings("homechain")).expect("written");
    let terms = folder.path().join(".ocean/terms-and-conditions/homechain");
    fs::create_dir_all(&terms).expect("created");
    fs::write(terms.join("latest.txt"), "All is well.\n").expect("written");
    document
        .fill_in(&[("127.0.0.1:7041", &format!("127.0.0.1:{ports}"))])
        .unwrap_or_else(|fault| panic!("{fault}"));
    let _node = elementsd(folder.path(), &elements, ports);
    follow(&document, &folder, &reader(folder.path()));
}

/// A node with the configuration, if its program is available; killed when dropped.
struct Node(std::process::Child);

impl Drop for Node {
    fn drop(&mut self) {
        // It may already have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn elementsd(folder: &Path, settings: &str, port: u16) -> Option<Node> {
    let program = env::var_os("ELEMENTSD")?;
    let data = folder.join("node");
    fs::create_dir_all(&data).expect("created");
    let conf = format!(
        "{settings}[homechain]\nrpcport={port}\nport={}\nlisten=0\n",
        port + 1
    );
    fs::write(
        data.join("elements.conf"),
        conf.replace("validatepegin=0\n", ""),
    )
    .expect("written");
    let node = Command::new(program)
        .arg(format!("-datadir={}", data.display()))
        .args(["-validatepegin=0", "-printtoconsole=0"])
        .spawn()
        .expect("it starts");
    let node = Node(node);
    // Once there is a cookie it answers soon; `verify` does not wait for the node.
    for _ in 0..600 {
        if data.join("homechain/.cookie").exists()
            && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        {
            std::thread::sleep(std::time::Duration::from_secs(2));
            return Some(node);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the node does not start");
}

#[test]
fn the_files_of_an_operator_of_the_classic_protocol_are_checked() {
    let document = load("docs/migration.md");
    let folder = tempfile::tempdir().expect("a folder");
    run(federation(), folder.path(), "init --out fed --operators 3");
    let fed = folder.path().join("fed");
    let public = fed.join("federation.toml");
    let text = fs::read_to_string(&public).expect("it exists");
    let below = format!("protocol = {{ classic_until = 250000 }}\n{text}");
    fs::write(&public, below).expect("written");
    let plan = reader(&fed.join("operator-0"));
    follow(&document, &folder, &plan);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asset_is_issued_planned_and_audited() {
    let mut document = load("docs/reissuance.md");
    let world = World::new().await;
    let mut public = Vec::new();
    for (index, name) in ["alpha", "beta", "gamma"].iter().enumerate() {
        let phrase = world.folder(index).join("phrase");
        fs::write(&phrase, "four words of my own\n").expect("written");
        fs::set_permissions(&phrase, fs::Permissions::from_mode(0o600))
            .expect("permissions changed");
        let line = format!(
            "key new {name}.key --role reissuance --json --passphrase file:{}",
            phrase.display()
        );
        let made = run(multisig(), &world.folder(0), &line);
        let made: serde_json::Value = serde_json::from_str(&made).expect("json");
        public.push(
            made["public_key"]
                .as_str()
                .expect("a key")
                .parse()
                .expect("a key"),
        );
    }
    let threshold = Threshold::new(2).expect("two");
    let script = MultisigScript::new(threshold, public, KeyOrder::Lexicographic);
    let script = script.expect("a script").to_hex();
    let daemons: Vec<_> = (0..3).map(|i| Daemon::start(&world.config(i))).collect();
    world.blocks(2).await;
    // The table is for an existing asset; the document issues another.
    let config = world.config(0);
    let issued = ask_json(
        &config,
        &[
            "issue",
            "--amount",
            "5",
            "--script",
            &script,
            "--fee-coins",
            "1",
        ],
    );
    let table = format!(
        "\n[[reissuance]]\nasset = {}\nrate = \"0.05\"\nperiod = 1440\ndestination_script = \"76a914777777777777777777777777777777777777777788ac\"\nscript = \"{script}\"\nfee = 1000\nfee_asset = {}\n",
        issued["asset"], issued["fee_asset"],
    );
    let path = world.fed.join("federation.toml");
    let text = fs::read_to_string(&path).expect("it exists");
    fs::write(&path, text + &table).expect("written");
    world.blocks(1).await;
    let height = world.height().to_string();
    document
        .fill_in(&[
            (
                "issue --amount 1000 --script 5221...53ae",
                &format!("issue --amount 1000 --script {script}"),
            ),
            (
                "--from 100000 --to 200000",
                &format!("--from 1 --to {height}"),
            ),
        ])
        .unwrap_or_else(|fault| panic!("{fault}"));
    // The plan at a past height; this chain is short.
    let folder = tempfile::tempdir().expect("a folder");
    let plan = reader(&world.folder(0));
    tokio::task::spawn_blocking(move || follow(&document, &folder, &plan))
        .await
        .expect("the document works");
    for daemon in daemons {
        daemon.stop().await;
    }
}
