//! A table of checks: a traffic light and a finding each, and help for those that are not green.

use std::process::ExitCode;

use federation_cli::{CliError, out};
use serde_json::json;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Light {
    /// As it should be.
    Green,
    /// Not as it should be, but the operator can participate.
    Yellow,
    /// The operator cannot participate.
    Red,
}

impl Light {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    about: &'static str,
    name: String,
    light: Light,
    found: String,
    help: String,
}

/// All checks, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    pub(crate) fn green(
        &mut self,
        about: &'static str,
        name: impl Into<String>,
        found: impl ToString,
    ) {
        self.add(Light::Green, about, name, found, "");
    }

    pub(crate) fn yellow(
        &mut self,
        about: &'static str,
        name: impl Into<String>,
        found: impl ToString,
        help: impl ToString,
    ) {
        self.add(Light::Yellow, about, name, found, help);
    }

    pub(crate) fn red(
        &mut self,
        about: &'static str,
        name: impl Into<String>,
        found: impl ToString,
        help: impl ToString,
    ) {
        self.add(Light::Red, about, name, found, help);
    }

    pub(crate) fn add(
        &mut self,
        light: Light,
        about: &'static str,
        name: impl Into<String>,
        found: impl ToString,
        help: impl ToString,
    ) {
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.push(Check {
            about,
            name: name.into(),
            light,
            found: one_line(found.to_string()),
            help: one_line(help.to_string()),
        });
    }

    /// Appends the checks of another table.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the worst light of all checks.
    pub(crate) fn light(&self) -> Light {
        let is = |light| self.0.iter().any(|check| check.light == light);
        if is(Light::Red) {
            Light::Red
        } else if is(Light::Yellow) {
            Light::Yellow
        } else {
            Light::Green
        }
    }

    /// Prints the table; exit code 1 if a check is red.
    pub(crate) fn print(&self, json: bool) -> Result<ExitCode, CliError> {
        if json {
            let list: Vec<_> = self
                .0
                .iter()
                .map(|check| {
                    json!({
                        "about": check.about,
                        "name": check.name,
                        "light": check.light.as_str(),
                        "found": check.found,
                        "cure": check.help,
                    })
                })
                .collect();
            out::json(&json!({ "light": self.light().as_str(), "checks": list }))?;
        } else {
            self.print_table()?;
        }
        Ok(match self.light() {
            Light::Red => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        })
    }

    fn print_table(&self) -> Result<(), CliError> {
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
        let about = longest(&mut self.0.iter().map(|check| check.about.len()));
        let name = longest(&mut self.0.iter().map(|check| check.name.chars().count()));
        for check in &self.0 {
            out::line(&format!(
                "{:<6}  {:<about$}  {:<name$}  {}",
                check.light.as_str(),
                check.about,
                check.name,
                check.found
            ))?;
            if !check.help.is_empty() {
                out::line(&format!("  help: {}", check.help))?;
            }
        }
        let count = |light| self.0.iter().filter(|check| check.light == light).count();
        out::line(&format!(
            "{} green, {} yellow, {} red",
            count(Light::Green),
            count(Light::Yellow),
            count(Light::Red)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_light_is_that_of_the_whole() {
        let mut checks = Checks::default();
        assert_eq!(checks.light(), Light::Green);
        checks.green("node", "genesis", "right");
        checks.yellow("node", "peers", 1, "wait");
        assert_eq!(checks.light(), Light::Yellow);
        checks.red("clock", "offset", "70 s", "set it");
        assert_eq!(checks.light(), Light::Red);
    }
}
