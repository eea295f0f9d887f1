//! A reader at a terminal: a shell that runs blocks, and answers to the programs' prompts.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{Block, Fault, Kind, RunOptions};

/// The time limit of a block: long enough for a busy machine, so that only a hanging block reaches it.
const LIMIT: Duration = Duration::from_secs(300);

/// How often to check whether a block is done.
const POLL: Duration = Duration::from_millis(10);

/// The environment variable that marks every process of a session.
const MARKER: &str = "FEDERATION_DOCUMENT_RUN";

/// Reads the names of files with commands and runs each file in this shell, so that the folder,
/// variables and jobs persist. A failing file ends the shell.
const SHELL: &str = r#"
exec 3<"$DOCUMENT_CONTROL"
unset DOCUMENT_CONTROL
while IFS=' ' read -r how block <&3; do
    if [ "$how" = until ]; then
        {
            ( set -eo pipefail; . "$block" )
            echo $? >"$block.part"
            mv "$block.part" "$block.status"
        } >"$block.out" 2>&1 3<&- &
        continue
    fi
    trap 'echo $? >"$block.status"' EXIT
    set -eo pipefail
    . "$block" >"$block.out" 2>&1 3<&-
    set +eo pipefail
    trap - EXIT
    echo 0 >"$block.part"
    mv "$block.part" "$block.status"
done
"#;

/// The environment of a session.
#[derive(Debug, Clone, Default)]
pub struct SessionPlan {
    /// The folder in which the session starts.
    folder: PathBuf,
    programs: Vec<PathBuf>,
    variables: BTreeMap<OsString, OsString>,
    answer: String,
}

impl SessionPlan {
    /// Creates a plan for a session that starts in this folder, which is also its home.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            answer: "correct horse battery staple nine".to_owned(),
            ..Self::default()
        }
    }

    /// Adds a folder of programs, which precedes the system's.
    #[must_use]
    pub fn with_programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs.push(folder.into());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the answer to every prompt of a program at the terminal.
    #[must_use]
    pub fn with_answer(mut self, answer: impl Into<String>) -> Self {
        self.answer = answer.into();
        self
    }
}

/// A shell with a terminal. Dropping it kills all processes that it started.
#[derive(Debug)]
pub struct Session {
    shell: Child,
    control: File,
    marker: String,
    /// The commands, their output and exit codes.
    records: tempfile::TempDir,
    count: usize,
}

impl Session {
    /// Starts the shell through `script` of util-linux, because prompts need a terminal.
    ///
    /// # Errors
    /// If a required program is missing, or a file cannot be created.
    pub fn start(plan: &SessionPlan) -> io::Result<Self> {
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let marker = format!("{}-{number}", std::process::id());
        let records = tempfile::tempdir()?;
        let control = records.path().join("control");
        let made = Command::new("mkfifo").arg(&control).status()?;
        if !made.success() {
            return Err(io::Error::other("mkfifo failed"));
        }
        let script = records.path().join("shell");
        fs::write(&script, SHELL)?;
        let mut path = OsString::new();
        for folder in &plan.programs {
            path.push(folder);
            path.push(":");
        }
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut shell = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command"])
            .arg(format!(
                "exec bash --norc --noprofile '{}'",
                script.display()
            ))
            .arg("/dev/null")
            .current_dir(&plan.folder)
            .env_remove("RUST_LOG")
            .env_remove("BASH_ENV")
            .env("PATH", path)
            .env("HOME", &plan.folder)
            .env("SHELL", "/bin/bash")
            .env(MARKER, &marker)
            .env("DOCUMENT_CONTROL", &control)
            .envs(&plan.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let (Some(keyboard), Some(screen)) = (shell.stdin.take(), shell.stdout.take()) {
            let answer = plan.answer.clone();
            thread::spawn(move || reply(screen, keyboard, &answer));
        }
        // Opened for reading as well, so that opening does not block until the shell opens it.
        let control = OpenOptions::new().read(true).write(true).open(&control)?;
        Ok(Self {
            shell,
            control,
            marker,
            records,
            count: 0,
        })
    }

    /// Runs a block and returns its output; `None` if it is not to be run here.
    ///
    /// # Errors
    /// If one of its commands does not exit with 0, or it does not end in time.
    pub fn run(&mut self, block: &Block) -> Result<Option<String>, Fault> {
        let Kind::Run(options) = &block.kind else {
            return Ok(None);
        };
        if let Some(needs) = options.needs
            && needs.program().is_none()
        {
            return Ok(None);
        }
        self.run_with(block, options).map(Some)
    }

    fn run_with(&mut self, block: &Block, options: &RunOptions) -> Result<String, Fault> {
        let fault = |what: String| Fault::new(block, what);
        let failed = |error: io::Error| Fault::new(block, error);
        self.count += 1;
        let file = self.records.path().join(format!("block-{}", self.count));
        fs::write(&file, &block.text).map_err(failed)?;
        let word = if options.until.is_some() {
            "until"
        } else {
            "run"
        };
        writeln!(self.control, "{word} {}", file.display()).map_err(failed)?;
        let (output, status) = (file.with_extension("out"), file.with_extension("status"));
        let end = Instant::now() + LIMIT;
        loop {
            let code = read(&status);
            // Read after the exit code, so that it is complete if there is one.
            let printed = read(&output).unwrap_or_default();
            if let Some(until) = &options.until
                && printed.contains(until.as_str())
            {
                return Ok(printed);
            }
            match code.as_deref().map(str::trim) {
                Some("0") if options.until.is_none() => return Ok(printed),
                Some("0") => {
                    return Err(fault(format!(
                        "it ended without the expected output:\n{printed}"
                    )));
                }
                Some(code) => {
                    let text = &block.text;
                    return Err(fault(format!(
                        "it exited with {code}:\n{text}---\n{printed}"
                    )));
                }
                None => {}
            }
            let ended = self.shell.try_wait().map_err(failed)?;
            if let Some(status) = ended
                && !file.with_extension("status").exists()
            {
                return Err(fault(format!("the shell ended, {status}:\n{printed}")));
            }
            if Instant::now() > end {
                return Err(fault(format!("it did not end in time:\n{printed}")));
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A process may start another one before it is killed.
        for _ in 0..20 {
            let running = marked(&self.marker);
            if running.is_empty() {
                break;
            }
            let list = running.join(" ");
            // This fails if they ended by themselves.
            let _ = Command::new("bash")
                .args(["-c", &format!("kill -KILL {list}")])
                .stderr(Stdio::null())
                .status();
            thread::sleep(POLL);
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Returns all processes of a session except zombies.
fn marked(marker: &str) -> Vec<String> {
    let wanted = format!("{MARKER}={marker}");
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let is_marked = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable == wanted.as_bytes())
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.chars().all(|c| c.is_ascii_digit()))
        })
        .filter(|path| is_marked(path))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

fn read(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Types the answer at every prompt. All other output of the programs goes to files.
fn reply(mut screen: impl Read, mut keyboard: impl Write, answer: &str) {
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while let Ok(length) = screen.read(&mut buffer) {
        if length == 0 {
            return;
        }
        seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if seen.ends_with(": ") {
            seen.clear();
            if writeln!(keyboard, "{answer}")
                .and_then(|()| keyboard.flush())
                .is_err()
            {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    fn session() -> (tempfile::TempDir, Session) {
        let folder = tempfile::tempdir().expect("a folder");
        let session = Session::start(&SessionPlan::new(folder.path())).expect("a shell");
        (folder, session)
    }

    fn document(text: &str) -> Document {
        Document::parse("a.md", text).expect("blocks")
    }

    #[test]
    fn folder_variables_and_output_persist_between_blocks() {
        let (_folder, mut session) = session();
        let text = "```sh\nmkdir a && cd a\nA=5\n```\n```sh\necho \"$A\" in \"${PWD##*/}\"\n```\n```text output\n7 in a\n```\n```console\n$ echo well\nwell\n```\n```sh no-run: it fails\nfalse\n```\n";
        let run = document(text).run(&mut session, |_| Ok(()));
        assert_eq!(run, Ok(3));
    }

    #[test]
    fn a_failing_command_is_a_fault_anywhere_in_a_block() {
        for text in [
            "false\ntrue",
            "true | false | true",
            "exit 3",
            "no-such-program",
        ] {
            let (_folder, mut session) = session();
            let text = format!("```sh\n{text}\n```\n");
            let run = document(&text).run(&mut session, |_| Ok(()));
            let fault = run.expect_err(&text).to_string();
            assert!(fault.contains("a.md:1: it exited with"), "{fault}");
        }
    }

    #[test]
    fn output_that_differs_from_the_document_is_a_fault() {
        let (_folder, mut session) = session();
        let text = "```sh\necho yes\n```\n```text output\nno\n```\n";
        let run = document(text).run(&mut session, |_| Ok(()));
        assert!(run.expect_err("it differs").to_string().contains("`no`"));
    }

    #[test]
    fn a_prompt_at_the_terminal_is_answered() {
        let (folder, _) = session();
        let plan = SessionPlan::new(folder.path()).with_answer("blue");
        let mut session = Session::start(&plan).expect("a shell");
        let text = "```sh\nread -r -s -p 'colour: ' colour </dev/tty 2>/dev/tty\necho \"it is $colour\"\n```\n```text output\nit is blue\n```\n";
        assert_eq!(document(text).run(&mut session, |_| Ok(())), Ok(1));
    }

    #[test]
    fn no_process_of_a_session_is_left_running() {
        let (_folder, mut session) = session();
        let text = "```sh\nsleep 1000 &\nsetsid --fork sleep 1001\n```\n```sh until: ready\necho ready\nsleep 1002\n```\n";
        assert_eq!(document(text).run(&mut session, |_| Ok(())), Ok(2));
        let marker = session.marker.clone();
        assert!(marked(&marker).len() >= 4, "shell and three sleepers");
        drop(session);
        assert_eq!(marked(&marker), Vec::<String>::new());
    }
}
