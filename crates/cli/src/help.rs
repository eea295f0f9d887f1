//! The verb `help`: shows the help of a verb, or a chapter of the documentation.

use std::process::ExitCode;

use clap::Command;

use crate::{
    CliError,
    chapters::{self, DOCUMENTS, slug},
    out,
};

/// The arguments of the verb `help`.
#[derive(Debug, clap::Args)]
pub struct HelpArgs {
    /// A verb, a document or a chapter; without one, all of them are listed.
    #[arg(value_name = "VERB OR TOPIC")]
    pub words: Vec<String>,
}

/// The arguments that every verb has, under a heading of their own, which comes last.
#[derive(Debug, clap::Args)]
pub struct GlobalArgs {
    /// Print help; --help gives more detail than -h.
    #[arg(short, long, global = true, action = clap::ArgAction::Help, help_heading = GLOBAL)]
    help: Option<bool>,
    /// Print the version.
    #[arg(short = 'V', long, global = true, action = clap::ArgAction::Version, help_heading = GLOBAL)]
    version: Option<bool>,
}

/// The heading of the arguments that every verb has.
const GLOBAL: &str = "Global options";

/// Prints the help of a verb or a chapter of the documentation; without words, lists all of them.
///
/// # Errors
/// If no verb and no topic has that name, or the output cannot be written.
pub fn write_help(program: Command, words: &[String]) -> Result<ExitCode, CliError> {
    out::line(help(program, words)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn help(mut program: Command, words: &[String]) -> Result<String, CliError> {
    program.build();
    let name = program.get_name().to_owned();
    if words.is_empty() {
        let verbs = program.render_long_help();
        return Ok(format!("{verbs}\n{}", topics(&name)));
    }
    if let Some(verb) = find_verb(&mut program, words) {
        return Ok(verb.render_long_help().to_string());
    }
    let topic = slug(&words.join(" "));
    if let Some(text) = chapters::find(&topic) {
        return Ok(chapters::plain(text, &name));
    }
    let near = chapters::like(&topic);
    let help = if topic.is_empty() || near.is_empty() {
        format!("`{name} help` lists all of them")
    } else {
        format!("similar topics: {}", near.join(", "))
    };
    Err(CliError::usage(
        format!("no verb and no topic is named `{}`", words.join(" ")),
        help,
    ))
}

/// Finds the verb that the words name.
fn find_verb<'a>(program: &'a mut Command, words: &[String]) -> Option<&'a mut Command> {
    let mut verb = program;
    for word in words {
        verb = verb.find_subcommand_mut(word)?;
    }
    Some(verb)
}

/// Lists all documents with their chapters.
fn topics(program: &str) -> String {
    let mut text = format!("Topics, for `{program} help TOPIC`:");
    for document in &DOCUMENTS {
        text.push_str(&format!("\n  {:12} {}", document.name, document.title()));
        for chapter in document.chapters() {
            let indent = 2 * chapter.rank;
            text.push_str(&format!("\n{:indent$}{}", "", slug(chapter.title)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Command {
        Command::new("federation").subcommand(
            Command::new("guard").subcommand(Command::new("show").about("Shows the guard")),
        )
    }

    fn shown(words: &[&str]) -> Result<String, CliError> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        help(program(), &words)
    }

    #[test]
    fn verbs_documents_and_chapters_have_help() {
        for (words, part) in [
            (&[][..], "two-daemons-with-one-key"),
            (&[], "Usage: federation"),
            (&["guard"], "Usage: federation guard"),
            (&["guard", "show"], "Usage: federation guard show"),
            (&["operations"], "## Runbook"),
            (&["a-store-is-lost"], "### A store is lost"),
            (&["A", "store", "is", "lost"], "### A store is lost"),
        ] {
            let shown = shown(words).expect("help");
            assert!(shown.contains(part), "{words:?}: {shown}");
        }
    }

    #[test]
    fn an_unknown_topic_is_wrong_usage_and_similar_topics_are_named() {
        let error = shown(&["daemons"]).expect_err("no topic");
        assert_eq!(error.exit_code(), ExitCode::from(2));
        assert!(error.help().contains("two-daemons-with-one-key"), "{error}");
        let error = shown(&["nonsense"]).expect_err("no topic");
        assert!(error.help().contains("federation help"), "{error}");
    }
}
