//! The documentation, built into the program: an installed machine has no repository.

/// A document of the repository's `docs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document {
    /// The file name, without `.md`.
    pub(crate) name: &'static str,
    /// The Markdown text.
    pub(crate) text: &'static str,
}

/// All documents, in the order in which they are searched.
pub(crate) const DOCUMENTS: [Document; 8] = [
    document("operations", include_str!("../docs/operations.md")),
    document("codes", include_str!("../docs/codes.md")),
    document("keys", include_str!("../docs/keys.md")),
    document("ceremony", include_str!("../docs/ceremony.md")),
    document("genesis", include_str!("../docs/genesis.md")),
    document("reissuance", include_str!("../docs/reissuance.md")),
    document("migration", include_str!("../docs/migration.md")),
    document("protocol", include_str!("../docs/protocol.md")),
];

const fn document(name: &'static str, text: &'static str) -> Document {
    Document { name, text }
}

/// A chapter: a heading and the text below it, up to the next heading of the same rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chapter {
    /// The name of its document.
    pub(crate) document: &'static str,
    /// The heading.
    pub(crate) title: &'static str,
    /// The heading's level: 2 for a chapter, 3 for a section of one.
    pub(crate) rank: usize,
    /// The heading and the text.
    pub(crate) text: &'static str,
}

impl Document {
    /// Returns the title: the first line.
    pub(crate) fn title(&self) -> &'static str {
        self.text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("# ")
    }

    /// Returns the chapters and their sections.
    pub(crate) fn chapters(&self) -> Vec<Chapter> {
        let headings = headings(self.text);
        let end_of = |place: usize, rank: usize| {
            let mut later = headings[place + 1..].iter();
            later
                .find(|(_, other, _)| *other <= rank)
                .map_or(self.text.len(), |(at, ..)| *at)
        };
        headings
            .iter()
            .enumerate()
            .filter(|(_, (_, rank, _))| *rank > 1)
            .map(|(place, (at, rank, title))| Chapter {
                document: self.name,
                title,
                rank: *rank,
                text: self.text[*at..end_of(place, *rank)].trim_end(),
            })
            .collect()
    }
}

/// Returns the offset, rank and title of each heading; lines in code blocks are not headings.
fn headings(text: &'static str) -> Vec<(usize, usize, &'static str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let rank = line.bytes().take_while(|byte| *byte == b'#').count();
        if !in_code && rank > 0 && line[rank..].starts_with(' ') {
            found.push((at, rank, line[rank..].trim()));
        }
        at += line.len();
    }
    found
}

/// Returns a heading's name in links and at the command line, formed as GitHub forms it.
pub(crate) fn slug(title: &str) -> String {
    title
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// Returns the text of a topic: a document by its name, or a chapter by its slug.
pub(crate) fn find(topic: &str) -> Option<&'static str> {
    let whole = DOCUMENTS.iter().find(|document| document.name == topic);
    whole.map(|document| document.text).or_else(|| {
        DOCUMENTS
            .iter()
            .flat_map(Document::chapters)
            .find(|chapter| slug(chapter.title) == topic)
            .map(|chapter| chapter.text)
    })
}

/// Returns the chapters whose slug contains a word.
pub(crate) fn like(word: &str) -> Vec<String> {
    let chapters = DOCUMENTS.iter().flat_map(Document::chapters);
    let mut names: Vec<String> = chapters
        .map(|chapter| slug(chapter.title))
        .filter(|name| name.contains(word))
        .collect();
    names.dedup();
    names
}

/// Renders Markdown for a terminal: a link to another chapter becomes the command that shows it.
pub(crate) fn plain(text: &str, program: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, label, target, after)) = next_link(rest) {
        plain.push_str(before);
        plain.push_str(label);
        if target.starts_with("http") {
            plain.push_str(&format!(" ({target})"));
        } else if let Some(topic) = topic_of(target) {
            plain.push_str(&format!(" (`{program} help {topic}`)"));
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// Finds the next link and returns the text before it, its label, its target and the rest.
fn next_link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let mut from = 0;
    loop {
        let middle = from + text[from..].find("](")?;
        let after = &text[middle + 2..];
        if let Some(open) = text[..middle].rfind('[')
            && let Some(close) = after.find([')', '\n'])
            && after[close..].starts_with(')')
            && !text[open..middle].contains('\n')
        {
            let label = &text[open + 1..middle];
            return Some((&text[..open], label, &after[..close], &after[close + 1..]));
        }
        from = middle + 2;
    }
}

/// Returns the topic that a link within the documentation points to.
fn topic_of(target: &str) -> Option<&str> {
    let topic = match target.split_once('#') {
        Some((_, anchor)) => anchor,
        None => target.strip_suffix(".md")?,
    };
    find(topic).map(|_| topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_finds_its_chapter_or_the_first_of_those_that_share_it() {
        for document in &DOCUMENTS {
            assert_eq!(find(document.name), Some(document.text));
            for chapter in document.chapters() {
                let name = slug(chapter.title);
                let found = find(&name).unwrap_or_else(|| panic!("no chapter {name}"));
                assert!(found.contains(&chapter.title[..1]), "{name}");
            }
        }
        assert_eq!(find("no-such-chapter"), None);
    }

    #[test]
    fn a_chapter_ends_at_the_next_heading_of_its_rank() {
        let lost = find("a-store-is-lost").expect("a chapter");
        assert!(lost.starts_with("### A store is lost"), "{lost}");
        assert!(!lost.contains("### A key is lost"), "{lost}");
        let runbook = find("runbook").expect("a chapter");
        assert!(runbook.contains(lost));
    }

    #[test]
    fn lines_in_code_blocks_are_not_headings() {
        assert_eq!(
            headings("# a\n```sh\n# no\n```\n## b\n"),
            [(0, 1, "a"), (19, 2, "b")]
        );
    }

    #[test]
    fn a_link_becomes_the_command_that_shows_its_chapter() {
        let text = "see [two daemons](#two-daemons-with-one-key), [keys](keys.md),\n\
                    [age](https://age-encryption.org), [code](../crates/chain) and a[0](b";
        assert_eq!(
            plain(text, "federation"),
            "see two daemons (`federation help two-daemons-with-one-key`), keys (`federation help keys`),\n\
             age (https://age-encryption.org), code and a[0](b"
        );
    }

    #[test]
    fn every_link_within_the_documents_has_a_target() {
        for document in &DOCUMENTS {
            let mut rest = document.text;
            while let Some((_, _, target, after)) = next_link(rest) {
                rest = after;
                let elsewhere = target.starts_with("http") || target.starts_with("../");
                let other = ["architecture.md", "performance.md"];
                assert!(
                    elsewhere || other.contains(&target) || topic_of(target).is_some(),
                    "{} links to {target}",
                    document.name
                );
            }
        }
    }
}
