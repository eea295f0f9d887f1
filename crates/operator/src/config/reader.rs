//! Taking settings out of a table one by one, and noting all that is wrong on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use toml_edit::{Document, Item, TableLike, Value};

use super::{report::Problem, text};

/// A file being read, with what was found wrong so far.
pub(super) struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(path: &'a Path, text: &'a str) -> Self {
        Self {
            path,
            text,
            problems: Vec::new(),
        }
    }

    /// Parses the whole, or notes the first place where it is no TOML.
    pub(super) fn parse(&mut self) -> Option<Document<&'a str>> {
        match Document::parse(self.text) {
            Ok(document) => Some(document),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                self.problems.push(Problem {
                    file: self.path.to_owned(),
                    line: Some(text::line_of(self.text, at)),
                    column: Some(text::column_of(self.text, at)),
                    message: format!("no TOML: {}", one_line(error.message())),
                    cure: "correct this place; nothing else was looked at yet, see https://toml.io"
                        .to_owned(),
                });
                None
            }
        }
    }

    /// Notes a problem at a byte of the text.
    pub(super) fn note(
        &mut self,
        at: Option<usize>,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.problems.push(Problem {
            file: self.path.to_owned(),
            line: self.line(at),
            column: None,
            message: message.into(),
            cure: cure.into(),
        });
    }

    /// The line of a byte, counted from 1.
    pub(super) fn line(&self, at: Option<usize>) -> Option<usize> {
        at.map(|at| text::line_of(self.text, at))
    }

    /// Opens a table for taking settings out of it.
    pub(super) fn section<'t>(
        &self,
        name: &'static str,
        table: &'t dyn TableLike,
        at: Option<usize>,
    ) -> Section<'t> {
        Section {
            name,
            table,
            at,
            taken: BTreeSet::new(),
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: Option<usize>,
}

/// A table of which settings are taken one by one.
pub(super) struct Section<'t> {
    name: &'static str,
    table: &'t dyn TableLike,
    at: Option<usize>,
    taken: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    /// Where the table stands.
    pub(super) const fn place(&self) -> Option<usize> {
        self.at
    }

    fn take(&mut self, key: &'static str) -> Option<&'t Item> {
        self.taken.insert(key);
        self.table.get(key).filter(|item| !item.is_none())
    }

    /// A text, if it is there.
    pub(super) fn text(
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
                reader.note(
                    at,
                    format!("`{key}` is no text"),
                    "write it in quotation marks",
                );
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<String>> {
        if self.table.get(key).is_none_or(Item::is_none) {
            self.taken.insert(key);
            let place = if self.name.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.name)
            };
            reader.note(
                self.at,
                format!("`{key}` is missing{place}"),
                format!("add `{key} = ...`"),
            );
            return None;
        }
        self.text(reader, key)
    }

    /// A text that must be there and parse.
    pub(super) fn parsed<T, E: core::fmt::Display>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        cure: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Found<T>> {
        let found = self.required(reader, key)?;
        match parse(&found.value) {
            Ok(value) => Some(Found {
                value,
                at: found.at,
            }),
            Err(error) => {
                reader.note(found.at, format!("`{key}`: {error}"), cure);
                None
            }
        }
    }

    /// A list of texts, if it is there.
    pub(super) fn texts(
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
                reader.note(
                    at,
                    format!("`{key}` is no list of texts"),
                    format!("write `{key} = [\"...\", \"...\"]`"),
                );
                None
            }
        }
    }

    /// All settings of a table whose keys are not known here, each a text, number or truth value.
    pub(super) fn all_texts(self, reader: &mut Reader<'_>) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (key, item) in self.table.iter() {
            let value = match item.as_value() {
                Some(Value::String(text)) => text.value().clone(),
                Some(Value::Integer(number)) => number.value().to_string(),
                Some(Value::Boolean(truth)) => truth.value().to_string(),
                _ => {
                    reader.note(
                        start(item),
                        format!("`{key}` is no text"),
                        "write it in quotation marks",
                    );
                    continue;
                }
            };
            texts.insert(key.to_owned(), value);
        }
        texts
    }

    /// A whole number from 0 up, if it is there.
    pub(super) fn number(
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
                reader.note(
                    at,
                    format!("`{key}` is no whole number from 0 to {}", u32::MAX),
                    "write a plain number",
                );
                None
            }
        }
    }

    /// A span of time, if it is there.
    pub(super) fn duration(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<Found<Duration>> {
        let found = self.text(reader, key)?;
        match parse_duration(&found.value) {
            Some(value) => Some(Found {
                value,
                at: found.at,
            }),
            None => {
                reader.note(
                    found.at,
                    format!("`{key}`: `{}` is no span of time", found.value),
                    "write for example \"60s\", \"500ms\" or \"2m\"",
                );
                None
            }
        }
    }

    /// A table within this one, if it is there.
    pub(super) fn table(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Self> {
        let item = self.take(key)?;
        match item.as_table_like() {
            Some(table) => Some(reader.section(key, table, start(item))),
            None => {
                reader.note(
                    start(item),
                    format!("`{key}` is no table"),
                    format!("begin it with [{key}]"),
                );
                None
            }
        }
    }

    /// The tables of a list of tables.
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
                reader.note(
                    start(item),
                    format!("`{key}` is no list of tables"),
                    format!("begin each with [[{key}]]"),
                );
                Vec::new()
            }
        }
    }

    /// Notes every key that nobody took.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        for (key, item) in self.table.iter() {
            if self.taken.contains(key) || item.is_none() {
                continue;
            }
            let at = self
                .table
                .key(key)
                .and_then(toml_edit::Key::span)
                .map(|span| span.start)
                .or_else(|| start(item))
                .or(self.at);
            let cure = match nearest(key, &self.taken) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "remove it".to_owned(),
            };
            reader.note(at, format!("unknown key `{key}`"), cure);
        }
    }
}

/// What a parser says in several lines, in one.
fn one_line(message: &str) -> String {
    let lines: Vec<_> = message.split_whitespace().collect();
    lines.join(" ")
}

fn start(item: &Item) -> Option<usize> {
    item.span().map(|span| span.start)
}

/// A span of time from its text.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let millis = match &text[digits.len()..] {
        "ms" => number,
        "s" => number.checked_mul(1_000)?,
        "m" => number.checked_mul(60_000)?,
        _ => return None,
    };
    Some(Duration::from_millis(millis))
}

/// The known key that is at most two changes away.
fn nearest<'k>(key: &str, known: &BTreeSet<&'k str>) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Changes of one character from one text to another.
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
    fn the_nearest_known_key_is_offered() {
        let known = BTreeSet::from(["threshold", "interval"]);
        assert_eq!(nearest("treshold", &known), Some("threshold"));
        assert_eq!(nearest("interwal", &known), Some("interval"));
        assert_eq!(nearest("colour", &known), None);
    }
}
