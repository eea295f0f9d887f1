//! The state of the daemon's process, derived from its files and the system's list of processes.

use federation_operator::status::StatusReport;
use serde::Serialize;

use super::{Found, STALE_MILLIS};
use crate::{files::OperatorFiles, key_lock::key_is_in_use};

/// The state of the daemon's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::verbs::status) enum Process {
    /// It is running, and its status is fresh.
    Runs,
    /// It hangs: a process has the store, and the process that wrote the last status is alive but has not
    /// written one for a while.
    Hangs,
    /// A process has the store but has not written a status yet: it waits for its node, or is not a daemon.
    Silent,
    /// It is running with another store than the one in the folder.
    WithoutStore,
    /// It ran, but is no longer running.
    Gone,
    /// There is no sign that it ever ran.
    NeverRan,
    /// Its files cannot be accessed.
    Unseen,
}

pub(super) fn process(
    found: &Found,
    daemon: Option<&StatusReport>,
    age: Option<u64>,
    files: &OperatorFiles,
) -> Process {
    let is_fresh = age.is_some_and(|age| age <= STALE_MILLIS);
    let is_alive = daemon.is_some_and(|report| is_alive(report.process));
    match found {
        Found::Unseen(_) => Process::Unseen,
        Found::InUse if is_fresh => Process::Runs,
        Found::InUse if is_alive => Process::Hangs,
        Found::InUse => Process::Silent,
        _ if is_fresh && is_alive => Process::WithoutStore,
        Found::Missing if key_is_in_use(&files.pin.block_key) => Process::WithoutStore,
        _ if daemon.is_some() => Process::Gone,
        Found::Missing => Process::NeverRan,
        _ => Process::Gone,
    }
}

/// Whether a process of this program is known to be alive. A zombie is not, nor is another program that
/// has the same process id, for example that of a process in another container.
fn is_alive(process: u32) -> bool {
    let read = |process: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // `pid (name) state ..`; the name may contain anything.
        let (head, rest) = stat.rsplit_once(") ")?;
        let (_, name) = head.split_once(" (")?;
        Some((name.to_owned(), rest.chars().next()?))
    };
    let (Some((name, state)), Some((own, _))) = (read(&process.to_string()), read("self")) else {
        return false;
    };
    name == own && !matches!(state, 'Z' | 'X')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_but_an_ended_one_is_not() {
        assert_eq!(is_alive(std::process::id()), cfg!(target_os = "linux"));
        let mut child = std::process::Command::new("true")
            .spawn()
            .expect("it exists");
        child.wait().expect("it ends");
        assert!(!is_alive(child.id()));
        // Another program.
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("it exists");
        assert!(!is_alive(child.id()));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
}
