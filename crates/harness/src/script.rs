//! Scripts that a test writes and then runs.

use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
};

/// Writes an executable file with this text, which starts with `#!`.
///
/// A separate process writes it: if this process had it open for writing, a process that another test
/// starts at that moment would inherit the descriptor, and Linux would refuse to run the file ("text
/// file busy").
///
/// # Errors
/// If it cannot be written.
pub fn write_script(path: &Path, text: &str) -> io::Result<()> {
    let mut install = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = install.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    let status = install.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("`install` failed: {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails within a few hundred rounds if this process writes the files itself.
    #[test]
    fn a_script_runs_while_other_threads_start_programs() {
        let folder = tempfile::tempdir().expect("a folder");
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let folder = folder.path();
                scope.spawn(move || {
                    for round in 0..50 {
                        let path = folder.join(format!("{worker}-{round}"));
                        write_script(&path, "#!/bin/sh\necho done\n").expect("written");
                        let output = Command::new(&path).output().expect("it runs");
                        assert_eq!(output.stdout, b"done\n");
                    }
                });
            }
        });
    }
}
