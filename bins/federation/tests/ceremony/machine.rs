//! A machine with its unpacked bundle.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::programs::federation;

/// A machine with its unpacked bundle.
pub(crate) struct Machine {
    pub(crate) folder: PathBuf,
    /// The three commands of the README.
    pub(crate) commands: Vec<String>,
    /// An additional environment variable.
    environment: Option<(&'static str, OsString)>,
}

/// A running operator, killed when dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may already have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine {
    pub(crate) fn new(folder: PathBuf, environment: Option<(&'static str, OsString)>) -> Self {
        let readme = fs::read_to_string(folder.join("README.md")).expect("it exists");
        let (_, block) = readme.split_once("```sh\n").expect("a block of commands");
        let (block, _) = block.split_once("```").expect("its end");
        let commands: Vec<_> = block.lines().map(str::to_owned).collect();
        assert_eq!(commands.len(), 3, "{commands:?}");
        Self {
            folder,
            commands,
            environment,
        }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("it exists")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).expect("written");
    }

    /// Runs a command line, with the programs on the path.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.run_with(line, Path::new("."))
    }

    /// Runs a command line, with the programs of another folder on the path.
    pub(crate) fn run_with(&self, line: &str, programs: &Path) -> Output {
        self.command(line, programs).output().expect("it runs")
    }

    /// Starts a command line in the background.
    pub(crate) fn start(&self, line: &str) -> Running {
        let log = fs::File::create(self.folder.join("operator.log")).expect("a log");
        let mut command = self.command(&format!("exec {line}"), Path::new("."));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Running(command.spawn().expect("it starts"))
    }

    fn command(&self, line: &str, programs: &Path) -> Command {
        let mut path = OsString::from(federation().parent().expect("a folder"));
        for more in [
            programs.as_os_str(),
            &env::var_os("PATH").unwrap_or_default(),
        ] {
            path.push(":");
            path.push(more);
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(&self.folder)
            .env("PATH", path)
            // The keys are new, even if the others make block 1 without this operator.
            .env("FEDERATION_NEW_KEY_UNTIL", "1000000")
            .envs(self.environment.clone())
            .env_remove("RUST_LOG");
        command
    }
}
