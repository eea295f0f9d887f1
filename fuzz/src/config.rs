//! The files of an operator: the first byte selects which of the two is replaced by the rest.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use federation_chain::Dialect;
use federation_operator::config::{Config, Overrides, init};

/// A valid set of files: its folder (in memory if possible), and both paths.
fn files() -> &'static (tempfile::TempDir, PathBuf, PathBuf) {
    static FILES: OnceLock<(tempfile::TempDir, PathBuf, PathBuf)> = OnceLock::new();
    FILES.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        let folder = tempfile::tempdir_in(parent).expect("a folder");
        let set = folder.path().join("set");
        let plan = init::InitPlan {
            folder: set.clone(),
            operators: 3,
            threshold: 2,
            dialect: Dialect::Dynafed,
            chain: "fuzz".to_owned(),
            interval: Duration::from_secs(2),
            first_port: 20_000,
            coins: init::PayTo::Federation,
            fees: init::PayTo::Federation,
        };
        init::write(&plan).expect("a set of files");
        let operator = std::fs::read_dir(&set)
            .expect("the set")
            .map(|entry| entry.expect("an entry").path().join("operator.toml"))
            .find(|path| path.is_file())
            .expect("an operator");
        let public = set.join("federation.toml");
        (folder, public, operator)
    })
}

/// Checks any bytes.
pub fn check(input: &[u8]) {
    let Some((which, text)) = input.split_first() else {
        return;
    };
    let (_, public, operator) = files();
    let replaced = if which % 2 == 0 { public } else { operator };
    let good = std::fs::read(replaced).expect("a good file");
    std::fs::write(replaced, text).expect("written");
    let loaded = Config::load(operator, &Overrides::default());
    std::fs::write(replaced, good).expect("written back");
    if let Err(report) = loaded {
        assert!(!report.to_string().is_empty());
    }
}
