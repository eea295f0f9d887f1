//! Turning errors into [`CliError`]s, with their causes and with help.

use core::fmt;
use std::error::Error;

use crate::CliError;

/// Formats an error with its causes, in one line.
///
/// A cause that the text before it already contains is left out: some errors print their cause as well.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Adds help to the error of a result, and makes it a [`CliError`].
///
/// ```
/// use federation_cli::OrHelp;
///
/// let port = "70000".parse::<u16>().or_help("choose a port below 65536");
/// assert_eq!(
///     port.unwrap_err().to_string(),
///     "error: number too large to fit in target type\n help: choose a port below 65536"
/// );
/// ```
pub trait OrHelp<T>: Sized {
    /// The error of the result.
    type Error;

    /// Makes the error a failure (exit code 1), with its causes and with help.
    ///
    /// # Errors
    /// If the result is an error.
    fn or_help(self, help: impl fmt::Display) -> Result<T, CliError>;

    /// As [`or_help`](Self::or_help), with help that depends on the error.
    ///
    /// # Errors
    /// If the result is an error.
    fn or_help_for<H: fmt::Display>(
        self,
        help: impl FnOnce(&Self::Error) -> H,
    ) -> Result<T, CliError>;

    /// As [`or_help`](Self::or_help), with a text before the error that says what failed.
    ///
    /// # Errors
    /// If the result is an error.
    fn or_help_in(self, what: impl fmt::Display, help: impl fmt::Display) -> Result<T, CliError>;

    /// Makes the error one of wrong usage (exit code 2), with its causes and with help.
    ///
    /// # Errors
    /// If the result is an error.
    fn or_usage(self, help: impl fmt::Display) -> Result<T, CliError>;

    /// Makes the error a failure (exit code 1) whose text already says what to do.
    ///
    /// # Errors
    /// If the result is an error.
    fn or_plain(self) -> Result<T, CliError>;
}

impl<T, E: Into<Box<dyn Error>>> OrHelp<T> for Result<T, E> {
    type Error = E;

    fn or_help(self, help: impl fmt::Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::failure(text(error), help))
    }

    fn or_help_for<H: fmt::Display>(self, help: impl FnOnce(&E) -> H) -> Result<T, CliError> {
        self.map_err(|error| {
            let help = help(&error).to_string();
            CliError::failure(text(error), help)
        })
    }

    fn or_help_in(self, what: impl fmt::Display, help: impl fmt::Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::failure(format_args!("{what}: {}", text(error)), help))
    }

    fn or_usage(self, help: impl fmt::Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::usage(text(error), help))
    }

    fn or_plain(self) -> Result<T, CliError> {
        self.map_err(|error| CliError::plain(text(error)))
    }
}

fn text(error: impl Into<Box<dyn Error>>) -> String {
    with_causes(error.into().as_ref())
}

#[cfg(test)]
mod tests {
    use std::{io, process::ExitCode};

    use super::*;

    /// An error with a cause, which its own text contains if so wished.
    #[derive(Debug)]
    struct Outer(io::Error, bool);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot read it")?;
            if self.1 {
                write!(f, ": {}", self.0)?;
            }
            Ok(())
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    fn failed(repeats: bool) -> Result<(), Outer> {
        Err(Outer(io::Error::other("disk on fire"), repeats))
    }

    #[test]
    fn causes_follow_the_error_and_none_is_printed_twice() {
        for repeats in [false, true] {
            let error = failed(repeats).or_help("use water").expect_err("an error");
            assert_eq!(error.what(), "cannot read it: disk on fire");
            assert_eq!(error.help(), "use water");
            assert_eq!(error.exit_code(), ExitCode::from(1));
        }
    }

    #[test]
    fn help_can_depend_on_the_error_and_a_text_can_precede_it() {
        let error = failed(false).or_help_for(|outer| format!("replace {:?}", outer.0.kind()));
        assert_eq!(error.expect_err("an error").help(), "replace Other");
        let error = failed(false).or_help_in("the store", "use water");
        assert_eq!(
            error.expect_err("an error").what(),
            "the store: cannot read it: disk on fire"
        );
    }

    #[test]
    fn texts_are_errors_too_and_usage_has_its_own_exit_code() {
        let error = Err::<(), _>("no such verb".to_owned()).or_usage("see --help");
        let error = error.expect_err("an error");
        assert_eq!(error.what(), "no such verb");
        assert_eq!(error.exit_code(), ExitCode::from(2));
    }
}
