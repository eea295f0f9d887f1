//! What a client has of the process that starts it: pipes, the log, and the few variables below.

use std::{
    io,
    os::fd::RawFd,
    path::{Path, PathBuf, absolute},
};

use tokio::process::Command;

/// The environment variables that a client is given, if they are set. Any others are not for it:
/// services are given secrets by them.
const ENVIRONMENT: &[&str] = &[
    // To find the program, its libraries and Kerberos' `kinit`.
    "PATH",
    "LD_LIBRARY_PATH",
    // What goes into the log.
    "RUST_LOG",
    "RUST_BACKTRACE",
    // Where OpenSSL has its certificates and settings.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    // Where Kerberos and SASL have theirs.
    "KRB5_CONFIG",
    "KRB5CCNAME",
    "KRB5_KTNAME",
    "KRB5_CLIENT_KTNAME",
    "SASL_PATH",
    "SASL_CONF_PATH",
    // How names are looked up.
    "RES_OPTIONS",
    "LOCALDOMAIN",
    "HOSTALIASES",
];

/// The folder that a client runs in.
const FOLDER: &str = "/";

/// Where the system lists this process's descriptors.
const DESCRIPTORS: [&str; 2] = ["/proc/self/fd", "/dev/fd"];

/// The command of a client's program, confined.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(whole(program));
    command.env_clear().current_dir(FOLDER);
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The program's whole path, unless it is a name to look for.
fn whole(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        // What cannot be made whole is not found, and the system says so.
        absolute(program).unwrap_or_else(|_| program.to_owned())
    } else {
        program.to_owned()
    }
}

/// Closes what this process was left but its standard streams, and gives up the way to more rights.
/// For a process at its start, with one thread and nothing of its own opened.
///
/// Rust opens everything so that other programs do not get it. C libraries of the process that
/// starts this one, as a hardware module's, may not.
///
/// # Errors
/// If the descriptors cannot be listed.
pub(super) fn confine() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        tracing::debug!(%error, "programs of this process may have more rights than it");
    }
    for descriptor in open_descriptors()? {
        // The list's own is closed by now.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// All descriptors above the standard streams', and one that is closed by now.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let mut failed = None;
    for folder in DESCRIPTORS {
        match std::fs::read_dir(folder) {
            Ok(entries) => {
                let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                let numbers = names.filter_map(|name| name.parse().ok());
                return Ok(numbers.filter(|number: &RawFd| *number > 2).collect());
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}
