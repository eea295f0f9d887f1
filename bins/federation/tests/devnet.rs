//! The nodes of `federation devnet`: those of operators created by `init`, and a standalone one.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use federation_local::free_ports;
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_federation");

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process, killed when dropped.
struct Running(Child);

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(args).env_remove("RUST_LOG");
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    /// Reads the next lines of JSON from its output.
    fn read_lines(&mut self, lines: usize) -> Vec<Value> {
        let printed = BufReader::new(self.0.stdout.as_mut().expect("piped"));
        let lines = printed.lines().take(lines);
        let parse = |line: String| serde_json::from_str(&line).expect("json");
        lines.map(|line| parse(line.expect("text"))).collect()
    }

    fn terminate(mut self) -> Option<i32> {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        assert!(asked.expect("kill runs").success());
        let status = self.0.wait().expect("it ends");
        status.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may already have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn client(info: &Value) -> NodeClient {
    let url = info["url"].as_str().expect("a url");
    let cookie = info["cookie"].as_str().expect("a cookie");
    let config = NodeConfig::new(url).with_auth(Auth::Cookie(cookie.into()));
    NodeClient::new(config).expect("a client")
}

async fn wait_for_height(client: &NodeClient, height: u32) {
    let deadline = Instant::now() + PATIENCE;
    while client.block_count().await.expect("it answers").to_u32() < height {
        assert!(Instant::now() < deadline, "in vain: height {height}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_of_init_make_blocks_on_their_devnet_nodes_and_continue_after_a_restart() {
    for dialect in ["elements", "dynafed", "ocean"] {
        let folder = tempfile::tempdir().expect("a folder");
        let fed = folder.path().join("fed");
        let first_port = free_ports(9).expect("ports").start.to_string();
        let init = [
            "init",
            "--operators",
            "3",
            "--interval",
            "500ms",
            "--dialect",
            dialect,
        ];
        let place = ["--first-port", &first_port, "--out", text(&fed)];
        let made = Command::new(PROGRAM).args(init).args(place).output();
        assert!(made.expect("it runs").status.success());
        let files: Vec<_> = (0..3)
            .map(|index| fed.join(format!("operator-{index}/operator.toml")))
            .collect();
        let files: Vec<&str> = files.iter().map(|path| text(path)).collect();

        let mut height = 0;
        for _ in 0..2 {
            let mut nodes = Running::start(&[&["devnet", "--json"], &files[..]].concat());
            let info = nodes.read_lines(3);
            assert_eq!(info[2]["operator"], "operator-2");
            assert!(info[0]["height"].as_u64() >= Some(height), "{info:?}");
            // Two of three sign.
            let operators: Vec<_> = files[..2]
                .iter()
                .map(|file| Running::start(&["run", "--config", file]))
                .collect();
            // The node without a running operator receives the blocks from the others.
            height += 3;
            wait_for_height(
                &client(&info[2]),
                u32::try_from(height).expect("a small number"),
            )
            .await;
            for operator in operators {
                assert_eq!(operator.terminate(), Some(0));
            }
            assert_eq!(nodes.terminate(), Some(0));
            let cookie = info[0]["cookie"].as_str().expect("a path");
            assert!(!Path::new(cookie).exists());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standalone_node_makes_its_own_blocks_and_keeps_them_in_the_given_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["devnet", "--json", "--interval", "100ms", "--folder"];
    let args = [&args[..], &[text(folder.path())]].concat();
    let mut node = Running::start(&args);
    let info = node.read_lines(1).remove(0);
    wait_for_height(&client(&info), 3).await;
    assert_eq!(node.terminate(), Some(0));

    let mut again = Running::start(&args);
    let again_info = again.read_lines(1).remove(0);
    assert_eq!(info["genesis"], again_info["genesis"]);
    let height = again_info["height"].as_u64().expect("a height");
    assert!(height >= 3, "{again_info}");
    let next = u32::try_from(height).expect("a small number") + 1;
    wait_for_height(&client(&again_info), next).await;
    assert_eq!(again.terminate(), Some(0));
}

#[test]
fn a_node_on_another_chain_than_its_operator_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let fed = folder.path().join("fed");
    let made = Command::new(PROGRAM)
        .args(["init", "--operators", "3", "--out", text(&fed)])
        .output();
    assert!(made.expect("it runs").status.success());
    let conf = fed.join("operator-0/node/elements.conf");
    let settings = std::fs::read_to_string(&conf).expect("it exists");
    let other = settings.replace("initialfreecoins=21", "initialfreecoins=20");
    std::fs::write(&conf, other).expect("written");
    let operator = fed.join("operator-0/operator.toml");
    let output = Command::new(PROGRAM)
        .args(["devnet", text(&operator)])
        .output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("its genesis block is"), "{printed}");
}
