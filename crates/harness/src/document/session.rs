//! A reader at a terminal: a shell that blocks are typed into, and answers to what programs ask.

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

use super::{Block, Fault, How, Kind};

/// How long a block may take: as long as a busy machine needs, so that one that hangs ends.
const LIMIT: Duration = Duration::from_secs(300);

/// How often a block is asked whether it is done.
const POLL: Duration = Duration::from_millis(10);

/// By this variable everything is known that a session has started.
const MARKER: &str = "FEDERATION_DOCUMENT_RUN";

/// Reads the names of files with commands, and runs each in this shell, so that folders, variables
/// and jobs stay. One that fails ends the shell.
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

/// Where and with what a session runs.
#[derive(Debug, Clone, Default)]
pub struct SessionPlan {
    /// The folder in which the reader begins.
    folder: PathBuf,
    programs: Vec<PathBuf>,
    variables: BTreeMap<OsString, OsString>,
    answer: String,
}

impl SessionPlan {
    /// A reader who begins in this folder, which is its home too.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            answer: "correct horse battery staple nine".to_owned(),
            ..Self::default()
        }
    }

    /// With the programs of this folder, before those of the machine.
    #[must_use]
    pub fn with_programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs.push(folder.into());
        self
    }

    /// With this variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// What the reader types whenever a program asks at the terminal.
    #[must_use]
    pub fn with_answer(mut self, answer: impl Into<String>) -> Self {
        self.answer = answer.into();
        self
    }
}

/// A shell with a terminal. When it is dropped, everything that it has started is killed.
#[derive(Debug)]
pub struct Session {
    shell: Child,
    control: File,
    marker: String,
    /// Commands, what they said, and how they ended.
    records: tempfile::TempDir,
    count: usize,
}

impl Session {
    /// Starts the shell, by `script` of util-linux, for it needs a terminal to be asked at.
    ///
    /// # Errors
    /// If a program that it needs is missing, or a file cannot be made.
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
        // For both, so that nobody waits for the other end.
        let control = OpenOptions::new().read(true).write(true).open(&control)?;
        Ok(Self {
            shell,
            control,
            marker,
            records,
            count: 0,
        })
    }

    /// Runs a block and gives all that it has said; none if it is not to be run here.
    ///
    /// # Errors
    /// If a command of it ends with another code than 0, or it does not end.
    pub fn run(&mut self, block: &Block) -> Result<Option<String>, Fault> {
        let Kind::Run(how) = &block.kind else {
            return Ok(None);
        };
        if let Some(needs) = how.needs
            && needs.program().is_none()
        {
            return Ok(None);
        }
        self.run_as(block, how).map(Some)
    }

    fn run_as(&mut self, block: &Block, how: &How) -> Result<String, Fault> {
        let fault = |what: String| Fault::new(block, what);
        let failed = |error: io::Error| Fault::new(block, error);
        self.count += 1;
        let file = self.records.path().join(format!("block-{}", self.count));
        fs::write(&file, &block.text).map_err(failed)?;
        let word = if how.until.is_some() { "until" } else { "run" };
        writeln!(self.control, "{word} {}", file.display()).map_err(failed)?;
        let (output, status) = (file.with_extension("out"), file.with_extension("status"));
        let end = Instant::now() + LIMIT;
        loop {
            let code = read(&status);
            // What is said before it ends is written before it ends.
            let said = read(&output).unwrap_or_default();
            if let Some(until) = &how.until
                && said.contains(until.as_str())
            {
                return Ok(said);
            }
            match code.as_deref().map(str::trim) {
                Some("0") if how.until.is_none() => return Ok(said),
                Some("0") => return Err(fault(format!("it ended and never said so:\n{said}"))),
                Some(code) => {
                    let text = &block.text;
                    return Err(fault(format!("it ended with {code}:\n{text}---\n{said}")));
                }
                None => {}
            }
            let ended = self.shell.try_wait().map_err(failed)?;
            if let Some(status) = ended
                && !file.with_extension("status").exists()
            {
                return Err(fault(format!("the shell ended, {status}:\n{said}")));
            }
            if Instant::now() > end {
                return Err(fault(format!("it does not come to an end:\n{said}")));
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What is killed may have started something in the meantime.
        for _ in 0..20 {
            let running = marked(&self.marker);
            if running.is_empty() {
                break;
            }
            let list = running.join(" ");
            // They may have ended by themselves.
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

/// All processes, zombies apart, that a session has started.
fn marked(marker: &str) -> Vec<String> {
    let wanted = format!("{MARKER}={marker}");
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let has_it = |folder: &Path| {
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
        .filter(|path| has_it(path))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

fn read(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Types the answer whenever something is asked: all else that programs say goes to a file.
fn reply(mut screen: impl Read, mut keyboard: impl Write, answer: &str) {
    let mut seen = String::new();
    let mut piece = [0; 1024];
    while let Ok(length) = screen.read(&mut piece) {
        if length == 0 {
            return;
        }
        seen.push_str(&String::from_utf8_lossy(&piece[..length]));
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
    fn folders_variables_and_output_go_from_block_to_block() {
        let (_folder, mut session) = session();
        let text = "```sh\nmkdir a && cd a\nA=5\n```\n```sh\necho \"$A\" in \"${PWD##*/}\"\n```\n```text output\n7 in a\n```\n```console\n$ echo well\nwell\n```\n```sh no-run: it fails\nfalse\n```\n";
        let run = document(text).run(&mut session, |_| Ok(()));
        assert_eq!(run, Ok(3));
    }

    #[test]
    fn a_command_that_fails_is_a_fault_wherever_it_stands() {
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
            assert!(fault.contains("a.md:1: it ended with"), "{fault}");
        }
    }

    #[test]
    fn what_is_not_said_as_shown_is_a_fault() {
        let (_folder, mut session) = session();
        let text = "```sh\necho yes\n```\n```text output\nno\n```\n";
        let run = document(text).run(&mut session, |_| Ok(()));
        assert!(run.expect_err("another").to_string().contains("`no`"));
    }

    #[test]
    fn a_question_at_the_terminal_is_answered() {
        let (folder, _) = session();
        let plan = SessionPlan::new(folder.path()).with_answer("blue");
        let mut session = Session::start(&plan).expect("a shell");
        let text = "```sh\nread -r -s -p 'colour: ' colour </dev/tty 2>/dev/tty\necho \"it is $colour\"\n```\n```text output\nit is blue\n```\n";
        assert_eq!(document(text).run(&mut session, |_| Ok(())), Ok(1));
    }

    #[test]
    fn nothing_that_was_started_is_left_running() {
        let (_folder, mut session) = session();
        let text = "```sh\nsleep 1000 &\nsetsid --fork sleep 1001\n```\n```sh until: ready\necho ready\nsleep 1002\n```\n";
        assert_eq!(document(text).run(&mut session, |_| Ok(())), Ok(2));
        let marker = session.marker.clone();
        assert!(marked(&marker).len() >= 4, "shell and three sleepers");
        drop(session);
        assert_eq!(marked(&marker), Vec::<String>::new());
    }
}
