//! Reads settings from a table one by one and collects all errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use toml_edit::{Document, Item, TableLike, Value};

use super::{report::ConfigProblem, text};

/// A file being read, with the errors found so far.
pub(super) struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    pub(super) problems: Vec<ConfigProblem>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(path: &'a Path, text: &'a str) -> Self {
        Self {
            path,
            text,
            problems: Vec::new(),
        }
    }

    /// Returns the path of the file.
    pub(super) const fn path(&self) -> &'a Path {
        self.path
    }

    /// Parses the file, or reports the first syntax error.
    pub(super) fn parse(&mut self) -> Option<Document<&'a str>> {
        match Document::parse(self.text) {
            Ok(document) => Some(document),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                self.problems.push(ConfigProblem {
                    file: self.path.to_owned(),
                    line: Some(text::line_of(self.text, at)),
                    column: Some(text::column_of(self.text, at)),
                    message: format!("not valid TOML: {}", one_line(error.message())),
                    help: "correct the syntax (see https://toml.io); the settings are checked after that"
                        .to_owned(),
                });
                None
            }
        }
    }

    /// Reports a problem at a byte offset of the text.
    pub(super) fn report(
        &mut self,
        at: Option<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(ConfigProblem {
            file: self.path.to_owned(),
            line: self.line(at),
            column: None,
            message: message.into(),
            help: help.into(),
        });
    }

    /// Returns the line of a byte offset, counted from 1.
    pub(super) fn line(&self, at: Option<usize>) -> Option<usize> {
        at.map(|at| text::line_of(self.text, at))
    }

    /// Returns a reader of a table's settings.
    pub(super) fn section<'t>(
        &self,
        name: &'static str,
        table: &'t dyn TableLike,
        at: Option<usize>,
    ) -> Section<'t> {
        Section {
            name,
            table: Some(table),
            at,
            taken: BTreeSet::new(),
        }
    }
}

/// A value with its byte offset in the file.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: Option<usize>,
}

/// Returns the value of a flag or environment variable if there is one, otherwise the file's.
pub(super) fn merge<T: Clone>(found: Option<Found<T>>, flag: &Option<T>) -> Option<Found<T>> {
    match flag {
        Some(value) => Some(Found {
            value: value.clone(),
            at: None,
        }),
        None => found,
    }
}

/// A table whose settings are read one by one.
pub(super) struct Section<'t> {
    name: &'static str,
    /// `None` if the file does not have the table.
    table: Option<&'t dyn TableLike>,
    at: Option<usize>,
    taken: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    /// Returns the table's byte offset in the file.
    pub(super) const fn offset(&self) -> Option<usize> {
        self.at
    }

    fn take(&mut self, key: &'static str) -> Option<&'t Item> {
        self.taken.insert(key);
        self.table?.get(key).filter(|item| !item.is_none())
    }

    /// Reads a string, if present.
    pub(super) fn string(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<String>> {
        let item = self.take(key)?;
        let at = start(item);
        match item.as_str() {
            Some(value) => Some(Found {
                value: value.to_owned(),
                at,
            }),
            None => {
                reader.report(
                    at,
                    format!("`{key}` must be a string"),
                    "put it in quotation marks",
                );
                None
            }
        }
    }

    /// Reads a path relative to a folder, if present.
    pub(super) fn path(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        folder: &Path,
    ) -> Option<Found<PathBuf>> {
        let Found { value, at } = self.string(reader, key)?;
        Some(Found {
            value: folder.join(value),
            at,
        })
    }

    /// Reads a string that must be present.
    pub(super) fn required(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<String>> {
        if self.take(key).is_none() {
            let table = if self.name.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.name)
            };
            reader.report(
                self.at,
                format!("`{key}` is missing{table}"),
                format!("add `{key} = ...`"),
            );
            return None;
        }
        self.string(reader, key)
    }

    /// Reads a string that must be present, and parses it.
    pub(super) fn parsed<T, E: core::fmt::Display>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        help: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Found<T>> {
        let found = self.required(reader, key)?;
        match parse(&found.value) {
            Ok(value) => Some(Found {
                value,
                at: found.at,
            }),
            Err(error) => {
                reader.report(found.at, format!("`{key}`: {error}"), help);
                None
            }
        }
    }

    /// Reads an array of strings, if present.
    pub(super) fn strings(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<Vec<String>>> {
        let item = self.take(key)?;
        let at = start(item);
        let list = item.as_array().and_then(|list| {
            list.iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        match list {
            Some(value) => Some(Found { value, at }),
            None => {
                reader.report(
                    at,
                    format!("`{key}` must be an array of strings"),
                    format!("write `{key} = [\"...\", \"...\"]`"),
                );
                None
            }
        }
    }

    /// Reads all settings of a table with arbitrary keys; each must be a string, an integer or a
    /// boolean.
    pub(super) fn all_strings(self, reader: &mut Reader<'_>) -> BTreeMap<String, String> {
        let mut strings = BTreeMap::new();
        for (key, item) in self.table.into_iter().flat_map(TableLike::iter) {
            let value = match item.as_value() {
                Some(Value::String(text)) => text.value().clone(),
                Some(Value::Integer(number)) => number.value().to_string(),
                Some(Value::Boolean(boolean)) => boolean.value().to_string(),
                _ => {
                    reader.report(
                        start(item),
                        format!("`{key}` must be a string"),
                        "put it in quotation marks",
                    );
                    continue;
                }
            };
            strings.insert(key.to_owned(), value);
        }
        strings
    }

    /// Reads a non-negative integer, if present.
    pub(super) fn integer(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<u32>> {
        let item = self.take(key)?;
        let at = start(item);
        match item
            .as_integer()
            .and_then(|number| u32::try_from(number).ok())
        {
            Some(value) => Some(Found { value, at }),
            None => {
                reader.report(
                    at,
                    format!("`{key}` must be an integer from 0 to {}", u32::MAX),
                    "write it without quotation marks",
                );
                None
            }
        }
    }

    /// Reads a duration, if present.
    pub(super) fn duration(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<Duration>> {
        let found = self.string(reader, key)?;
        match parse_duration(&found.value) {
            Ok(value) => Some(Found {
                value,
                at: found.at,
            }),
            Err(reason) => {
                reader.report(
                    found.at,
                    format!("`{key}`: `{}` is not a duration: {reason}", found.value),
                    "write for example \"60s\", \"500ms\" or \"1h 30m\"",
                );
                None
            }
        }
    }

    /// Returns a table within this one, if present.
    pub(super) fn table(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Self> {
        let item = self.take(key)?;
        match item.as_table_like() {
            Some(table) => Some(reader.section(key, table, start(item))),
            None => {
                reader.report(
                    start(item),
                    format!("`{key}` must be a table"),
                    format!("start it with [{key}]"),
                );
                None
            }
        }
    }

    /// Returns a table within this one, which is empty if the file does not have it.
    pub(super) fn table_or_empty(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Self {
        self.table(reader, key).unwrap_or_else(|| Self {
            name: key,
            table: None,
            at: None,
            taken: BTreeSet::new(),
        })
    }

    /// Returns the tables of an array of tables.
    pub(super) fn tables(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<Self> {
        let Some(item) = self.take(key) else {
            return Vec::new();
        };
        match item.as_array_of_tables() {
            Some(list) => list
                .iter()
                .map(|table| {
                    let at = table.span().map(|span| span.start);
                    reader.section(key, table, at)
                })
                .collect(),
            None => {
                reader.report(
                    start(item),
                    format!("`{key}` must be an array of tables"),
                    format!("start each table with [[{key}]]"),
                );
                Vec::new()
            }
        }
    }

    /// Reports every key that was not read.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        let Some(table) = self.table else {
            return;
        };
        for (key, item) in table.iter() {
            if self.taken.contains(key) || item.is_none() {
                continue;
            }
            let at = table
                .key(key)
                .and_then(toml_edit::Key::span)
                .map(|span| span.start)
                .or_else(|| start(item))
                .or(self.at);
            let help = match nearest(key, &self.taken) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "remove it".to_owned(),
            };
            reader.report(at, format!("unknown key `{key}`"), help);
        }
    }
}

/// Joins a parser's message of several lines into one.
fn one_line(message: &str) -> String {
    let lines: Vec<_> = message.split_whitespace().collect();
    lines.join(" ")
}

fn start(item: &Item) -> Option<usize> {
    item.span().map(|span| span.start)
}

/// Parses a duration in the grammar of the `humantime` crate, as the command line does.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    // The federation's id and the protocol count milliseconds.
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err("not a whole number of milliseconds".to_owned());
    }
    Ok(duration)
}

/// Returns the nearest known key, at most two edits away.
fn nearest<'k>(key: &str, known: &BTreeSet<&'k str>) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns the edit distance of two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_command_line() {
        for (text, millis) in [
            ("500ms", 500),
            ("60s", 60_000),
            ("2m", 120_000),
            ("2h", 7_200_000),
            ("1h 30m", 5_400_000),
            ("1day", 86_400_000),
        ] {
            let parsed = parse_duration(text);
            assert_eq!(parsed, Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "often", "60", "-1s", "1500us", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_nearest_known_key_is_suggested() {
        let known = BTreeSet::from(["threshold", "interval"]);
        assert_eq!(nearest("treshold", &known), Some("threshold"));
        assert_eq!(nearest("interwal", &known), Some("interval"));
        assert_eq!(nearest("colour", &known), None);
    }
}
