//! The program as people and scripts use it.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use federation_chain::Dialect;
use federation_devnet::{DevNode, DevNodeConfig};
use federation_local::free_ports;
use federation_multisig::MultisigScript;

fn federation(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_federation"));
    command.args(args).env_remove("RUST_LOG");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_teaches_and_wrong_usage_exits_2() {
    let help = federation(&["--help"]);
    assert!(help.status.success());
    assert!(stdout(&help).contains("First steps:"));
    for wrong in [
        &["demo", "--operators", "21"][..],
        &[
            "demo",
            "--plain",
            "--operators",
            "5",
            "--dialect",
            "ocean",
            "--elementsd",
            "/bin/true",
        ],
        &["demo", "--plain", "--threshold", "6"],
        &["demo", "--plain", "--threshold", "2"],
        &["demo", "--plain", "--interval", "0"],
        &["demo", "--plain", "--blocks", "0"],
        &["demo", "--plain", "--inflation-period", "5"],
        &[
            "demo",
            "--plain",
            "--inflation-rate",
            "0.1",
            "--inflation-period",
            "4000000000",
        ],
        &["demo", "--plain", "--brokers", "a:1"],
        &["demo", "--plain", "--messenger", "kafka", "--brokers", "a"],
        &[
            "demo",
            "--plain",
            "--oceand",
            "/bin/true",
            "--dialect",
            "elements",
        ],
        &["bench", "--threshold", "9"],
        &["bench", "--interval", "0"],
        &["bench", "--blocks", "0"],
        &["devnet", "--interval", "0"],
        &["devnet", "--chain", "main"],
        &["devnet", "--script", "51"],
        &["devnet", "operator.toml", "--dialect", "ocean"],
        &["devnet", "a.toml", "b.toml", "--node-conf", "elements.conf"],
        &["issue", "--amount", "0"],
        &["reissuance", "audit", "--from", "5", "--to", "3"],
        &["status", "--verify", "a", "--evidence"],
        &["run", "--rpconnect", "a"],
        &["help", "nonsense"],
        &["man", "a"],
        &["completions", "a"],
        &[],
        &["bench", "--kill", "4"],
        &["init"],
        &["sing"],
    ] {
        let output = federation(wrong);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{wrong:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn flags_of_the_python_program_that_do_not_belong_together_are_wrong_usage() {
    let node = [
        "run",
        "--rpconnect",
        "127.0.0.1",
        "--rpcport",
        "1",
        "--rpcuser",
        "user",
    ];
    for wrong in [
        &["--id", "0"][..],
        &["--rpcpassword", "a", "--id", "5"],
        &["--rpcpassword", "a", "--id", "2", "--nodes", "a:1,b:1"],
        &["--rpcpassword", "a", "--id", "0", "--blocktime", "0"],
        &["--rpcpassword", "a", "--id", "0", "--msgtype", "zmq"],
        &[
            "--rpcpassword",
            "a",
            "--id",
            "0",
            "--msgtype",
            "zmq",
            "--nodes",
            "a,b",
        ],
        &["--rpcpassword", "a", "--id", "0", "--hsm"],
        &["--rpcpassword", "a", "--id", "0", "--inflationrate", "0.1"],
    ] {
        let output = federation(&[&node[..], wrong].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{wrong:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn completions_and_manual_pages_are_generated() {
    assert!(stdout(&federation(&["completions", "bash"])).contains("federation"));
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("text");
    assert!(federation(&["man", "--out", out]).status.success());
    let page = std::fs::read_to_string(folder.path().join("federation-demo.1")).expect("a page");
    assert!(page.contains("operators"));
}

#[test]
fn a_demo_prints_a_line_of_json_for_each_block_and_a_summary() {
    let args = [
        "demo",
        "--json",
        "--blocks",
        "12",
        "--interval",
        "300ms",
        "--messenger",
        "memory",
    ];
    let output = federation(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("json"))
        .collect();
    let (summary, blocks) = lines.split_last().expect("lines");
    assert_eq!(blocks.len(), 12);
    for (index, block) in blocks.iter().enumerate() {
        assert_eq!(block["height"], index + 1);
        assert_eq!(
            block["signers"].as_array().map(Vec::len),
            Some(3),
            "{block}"
        );
    }
    assert_eq!(summary["summary"]["forked_at"], serde_json::Value::Null);
    let assets: String = blocks
        .iter()
        .map(|block| block["assets"].to_string())
        .collect();
    for word in ["issued", "moved", "reissued"] {
        assert!(assets.contains(word), "{word} in {assets}");
    }
}

#[test]
fn a_plain_demo_shows_a_crash_and_a_recovery_in_every_dialect() {
    for dialect in ["elements", "dynafed", "ocean"] {
        let args = [
            "demo",
            "--plain",
            // The fewest that can spare one: the machine may be busy.
            "--operators",
            "3",
            "--blocks",
            "12",
            "--interval",
            "300ms",
            "--dialect",
            dialect,
        ];
        let output = federation(&args);
        let text = stdout(&output);
        assert!(output.status.success(), "{text}{}", stderr(&output));
        for part in ["was killed", "is running again", "one chain on all nodes"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn a_bench_reports_percentiles() {
    let args = [
        "bench",
        "--json",
        "--blocks",
        "6",
        "--interval",
        "300ms",
        "--kill",
        "1",
    ];
    let output = federation(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("json");
    assert_eq!(report["blocks"], 6);
    assert!(report["beyond_node"]["median"].as_f64().expect("a number") > 0.0);
}

#[test]
fn files_of_init_pass_the_check_and_every_error_of_a_broken_file_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let fed = folder.path().join("fed");
    init(&fed);
    let operator = fed.join("operator-0/operator.toml");
    let check = [
        "config",
        "check",
        "--config",
        operator.to_str().expect("text"),
    ];
    let fine = federation(&check);
    assert!(
        fine.status.success() && stdout(&fine).contains("no errors"),
        "{}",
        stdout(&fine)
    );
    assert_eq!(
        federation(&["init", "--out", fed.to_str().expect("text")])
            .status
            .code(),
        Some(1)
    );

    let public = fed.join("federation.toml");
    let text = std::fs::read_to_string(&public).expect("it exists");
    std::fs::write(&public, text.replace("threshold = 2", "threshold = 1")).expect("written");
    let text = std::fs::read_to_string(&operator).expect("it exists");
    std::fs::write(&operator, text.replace("store =", "stores =")).expect("written");
    let broken = federation(&check);
    assert_eq!(broken.status.code(), Some(1));
    for part in [
        "not a majority",
        "unknown key `stores`",
        "did you mean `store`",
    ] {
        assert!(
            stdout(&broken).contains(part),
            "{part} in {}",
            stdout(&broken)
        );
    }
    let json = federation(&[&check[..], &["--json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&stdout(&json)).expect("json");
    assert!(report["problems"].as_array().expect("a list").len() >= 2);
}

/// Writes the files of a federation of three, and returns the first of its nine ports.
fn init(fed: &Path) -> u16 {
    let out = fed.to_str().expect("text");
    let first_port = free_ports(9).expect("ports").start;
    let args = [
        "init",
        "--out",
        out,
        "--operators",
        "3",
        "--interval",
        "500ms",
        "--first-port",
        &first_port.to_string(),
    ];
    let output = federation(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    first_port
}

#[test]
fn init_writes_a_federation_of_every_dialect_and_refuses_invalid_ones() {
    for dialect in ["elements", "dynafed", "ocean"] {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("fed");
        let out = out.to_str().expect("text");
        let made = federation(&["init", "--out", out, "--dialect", dialect]);
        assert!(made.status.success(), "{}", stderr(&made));
        let printed = stdout(&made);
        let whose =
            "the 21 million coins go to 3 of the 5 block keys, the fees to 3 of the 5 block keys";
        assert!(printed.contains(whose), "{printed}");
        let config = format!("{out}/operator-4/operator.toml");
        let check = federation(&["config", "check", "--config", &config]);
        assert!(check.status.success(), "{}", stdout(&check));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("fed");
    let free = ["--coins-to", "anyone", "--fees-to", "anyone", "--out"];
    let made = federation(&[&["init"], &free[..], &[out.to_str().expect("text")]].concat());
    let printed = stderr(&made);
    assert!(printed.contains("can take all coins"), "{printed}");
    assert!(printed.contains("can take the fees"), "{printed}");
    for wrong in [
        ["--coins-to", "51"],
        ["--fees-to", "51"],
        ["--coins-to", "somebody"],
        ["--threshold", "200"],
        ["--threshold", "2"],
        ["--interval", "0s"],
        ["--chain", "a\"b"],
        ["--chain", "liquidv1"],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("fed");
        let args = ["init", "--out", out.to_str().expect("text")];
        let refused = federation(&[&args[..], &wrong[..]].concat());
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
        assert!(!out.exists(), "{wrong:?}");
    }
}

/// Stops a process gracefully, and returns how long that took and the exit code.
fn terminate(mut child: Child) -> (Duration, Option<i32>) {
    let begun = Instant::now();
    let asked = Command::new("kill").arg(child.id().to_string()).status();
    assert!(asked.expect("kill runs").success());
    let status = child.wait().expect("it ends");
    (begun.elapsed(), status.code())
}

#[test]
fn run_waits_for_an_unreachable_node_and_stops_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let fed = folder.path().join("fed");
    init(&fed);
    let config = fed.join("operator-0/operator.toml");
    let child = command(&["run", "--config", config.to_str().expect("text")])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_millis(800));
    let (_, code) = terminate(child);
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_make_blocks_and_stop_on_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let fed = folder.path().join("fed");
    let first_port = init(&fed);
    let script = script_of(&fed);
    let password = folder.path().join("password");
    std::fs::write(&password, "password\n").expect("written");
    let mut nodes = Vec::new();
    for index in 0..3 {
        let rpc = ([127, 0, 0, 1], first_port + 1 + 3 * index).into();
        let p2p = ([127, 0, 0, 1], first_port + 2 + 3 * index).into();
        let config = DevNodeConfig::new(Dialect::Dynafed, script.clone())
            .with_chain("fedchain")
            .with_listen(rpc, p2p);
        nodes.push(DevNode::spawn(config).await.expect("a node"));
    }
    for node in &nodes[1..] {
        node.connect(nodes[0].p2p_address());
    }
    let children: Vec<Child> = (0..3)
        .map(|index| {
            let folder = fed.join(format!("operator-{index}"));
            let config = folder.join("operator.toml");
            let text = std::fs::read_to_string(&config).expect("it exists");
            let cookie = "cookie = \"node/fedchain/.cookie\"";
            assert!(text.contains(cookie), "{text}");
            let user = format!(
                "user = \"user\"\npassword_file = \"{}\"",
                password.display()
            );
            std::fs::write(&config, text.replace(cookie, &user)).expect("written");
            command(&["run", "--config", config.to_str().expect("text")])
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts")
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while nodes.iter().any(|node| node.tip().0.to_u32() < 5) {
        assert!(Instant::now() < deadline, "no blocks: {nodes:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for child in children {
        let (_, code) = terminate(child);
        assert_eq!(code, Some(0));
    }
}

/// Returns the federation's script from the node configuration that `init` wrote.
fn script_of(fed: &Path) -> MultisigScript {
    let conf =
        std::fs::read_to_string(fed.join("operator-0/node/elements.conf")).expect("it exists");
    let hex = conf
        .lines()
        .find_map(|line| line.strip_prefix("signblockscript="))
        .expect("a script");
    MultisigScript::from_hex(hex).expect("a multisig script")
}
