//! How it is with the daemon, as far as its files and the system's list of processes tell.

use federation_operator::status::StatusReport;
use serde::Serialize;

use super::{Found, STALE_MILLIS};
use crate::guard::{Place, key_is_in_use};

/// How it is with the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::status) enum Process {
    /// It runs, and has told of itself just now.
    Runs,
    /// A process has the store, and the process that told last is alive and has told nothing for long:
    /// it hangs.
    Hangs,
    /// A process has the store and has told nothing yet: it waits for its node, or is no daemon.
    Silent,
    /// It runs, and the store here is not the one that it has.
    WithoutStore,
    /// It ran, and does not any more.
    Gone,
    /// Nothing shows that it ever ran.
    NeverRan,
    /// Its files may not be looked at.
    Unseen,
}

pub(super) fn process(
    found: &Found,
    daemon: Option<&StatusReport>,
    age: Option<u64>,
    place: &Place,
) -> Process {
    let is_fresh = age.is_some_and(|age| age <= STALE_MILLIS);
    let is_alive = daemon.is_some_and(|report| is_alive(report.process));
    match found {
        Found::Unseen(_) => Process::Unseen,
        Found::InUse if is_fresh => Process::Runs,
        Found::InUse if is_alive => Process::Hangs,
        Found::InUse => Process::Silent,
        _ if is_fresh && is_alive => Process::WithoutStore,
        Found::Missing if key_is_in_use(&place.pin.block_key) => Process::WithoutStore,
        _ if daemon.is_some() => Process::Gone,
        Found::Missing => Process::NeverRan,
        _ => Process::Gone,
    }
}

/// Whether a process of this program is known to be alive: not one that has ended and whose parent has
/// not asked yet how, and none that has the number of one that was in another container.
fn is_alive(process: u32) -> bool {
    let read = |process: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // `pid (name) state ..`, and the name may hold anything.
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
    fn this_process_is_alive_and_one_that_ended_is_not() {
        assert_eq!(is_alive(std::process::id()), cfg!(target_os = "linux"));
        let mut child = std::process::Command::new("true").spawn().expect("there");
        child.wait().expect("it ends");
        assert!(!is_alive(child.id()));
        // Another program.
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("there");
        assert!(!is_alive(child.id()));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
}
