//! Confines a client: of the process that starts it, it gets pipes, the log and a few variables.

use std::{
    io,
    os::fd::RawFd,
    path::{Path, PathBuf, absolute},
};

use tokio::process::Command;

/// The environment variables a client inherits, if they are set. Others are withheld, since services
/// receive secrets in them.
const ENVIRONMENT: &[&str] = &[
    // Paths of the program, its libraries and Kerberos' `kinit`.
    "PATH",
    "LD_LIBRARY_PATH",
    // Logging.
    "RUST_LOG",
    "RUST_BACKTRACE",
    // OpenSSL's certificates and settings.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    // Settings of Kerberos and SASL.
    "KRB5_CONFIG",
    "KRB5CCNAME",
    "KRB5_KTNAME",
    "KRB5_CLIENT_KTNAME",
    "SASL_PATH",
    "SASL_CONF_PATH",
    // Name resolution.
    "RES_OPTIONS",
    "LOCALDOMAIN",
    "HOSTALIASES",
];

/// The working directory of a client.
const FOLDER: &str = "/";

/// Directories that list this process's descriptors.
const DESCRIPTORS: [&str; 2] = ["/proc/self/fd", "/dev/fd"];

/// Returns the command that starts a client's program, confined.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(absolute_program(program));
    command.env_clear().current_dir(FOLDER);
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Returns the program's absolute path, unless it is a name to look up in `PATH`.
fn absolute_program(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        // If this fails, starting the program fails too, with the system's error.
        absolute(program).unwrap_or_else(|_| program.to_owned())
    } else {
        program.to_owned()
    }
}

/// Closes all inherited descriptors except the standard streams, and sets `no_new_privs`. Call it at
/// the start of a process, before it starts threads or opens anything.
///
/// Rust opens everything close-on-exec. C libraries in the parent process, such as that of a hardware
/// module, may not.
///
/// # Errors
/// If the descriptors cannot be listed.
pub(super) fn confine() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        tracing::debug!(%error, "cannot set no_new_privs");
    }
    for descriptor in open_descriptors()? {
        // That of the directory listing is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// Returns all descriptors above the standard streams, including one that is closed by now.
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
