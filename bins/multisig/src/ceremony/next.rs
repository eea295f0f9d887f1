//! The next step of a ceremony: what to do, and the command for it.

use std::path::Path;

use federation_ceremony::{Ceremony, CeremonyError, ChainError, KeyUse};

use super::{folder, me::Me};

/// The next step.
pub(super) struct Next {
    /// A description.
    pub(super) text: String,
    /// The command to run, if it is the user's turn; words in capitals must be filled in.
    pub(super) command: Option<String>,
}

/// Returns the next step, for this member if it is known.
pub(super) fn next(ceremony: &Ceremony, at: &Path, me: Option<&Me>) -> Next {
    let wait = |text: String| Next {
        text,
        command: None,
    };
    match ceremony.agreed() {
        Ok(_) => finished(at, me),
        Err(CeremonyError::Chain(ChainError::Missing(_))) => match me {
            Some(me) if !ceremony.has_joined(me.index) => Next {
                text: "check with `multisig ceremony show` that the proposal is what was agreed, then join"
                    .to_owned(),
                command: Some(join(ceremony, at, me)),
            },
            _ => Next {
                text: format!(
                    "{}wait for the joins of {}, and add them as they arrive; if a party drops out, start again without it with `multisig ceremony again`",
                    sent(ceremony, at, me),
                    missing(ceremony, Ceremony::has_joined)
                ),
                command: Some(command(at, "add FILES")),
            },
        },
        Err(CeremonyError::NotApproved(_)) => match me {
            Some(me) if ceremony.approval(me.index).is_none() => Next {
                text: "read everything with `multisig ceremony show`, read the words to each other, then approve"
                    .to_owned(),
                command: Some(approve(at, me)),
            },
            Some(_) => Next {
                text: format!(
                    "{}wait for the approvals of {}, and add them as they arrive",
                    sent(ceremony, at, me),
                    missing(ceremony, has_approved)
                ),
                command: Some(command(at, "add FILES")),
            },
            None => wait(format!(
                "read the words to each other, then approve with `multisig ceremony approve`; missing: {}",
                missing(ceremony, has_approved)
            )),
        },
        Err(CeremonyError::Equivocation(name)) => wait(format!(
            "{name} signed conflicting messages: send the evidence to the others, and start again with `multisig ceremony again --without {name}`"
        )),
        Err(error @ CeremonyError::Disagrees { .. }) => wait(format!(
            "{error}; `multisig ceremony diff` shows the differences"
        )),
        Err(error) => wait(error.to_string()),
    }
}

fn has_approved(ceremony: &Ceremony, index: usize) -> bool {
    ceremony.approval(index).is_some()
}

/// The names of the members for whom `done` is false.
fn missing(ceremony: &Ceremony, done: fn(&Ceremony, usize) -> bool) -> String {
    let members = ceremony.members().iter().enumerate();
    let names: Vec<_> = members
        .filter(|(index, _)| !done(ceremony, *index))
        .map(|(_, member)| member.name.as_str())
        .collect();
    names.join(", ")
}

/// The next step once all have approved.
fn finished(at: &Path, me: Option<&Me>) -> Next {
    if !at.join(folder::CERTIFICATE).is_file() {
        return Next {
            text: "all have approved: make the certificate".to_owned(),
            command: Some(command(at, "finish")),
        };
    }
    let Some(me) = me else {
        return Next {
            text: "the certificate is complete: every member makes its bundle".to_owned(),
            command: Some(command(at, "bundle --operator NAME")),
        };
    };
    let zip = format!("{}.zip", me.name);
    if Path::new(&zip).is_file() {
        return Next {
            text: format!("unpack {zip}, add your keys, and follow README.md there"),
            command: Some(format!("unzip {zip} -d {}", me.name)),
        };
    }
    Next {
        text: "the certificate is complete: make your bundle".to_owned(),
        command: Some(command(at, &format!("bundle --operator {}", me.name))),
    }
}

/// A reminder to send the user's last message to the others, who may not have it.
fn sent(ceremony: &Ceremony, at: &Path, me: Option<&Me>) -> String {
    let own = me.and_then(|me| {
        ceremony
            .approval_message(me.index)
            .or_else(|| ceremony.join_message(me.index))
    });
    own.map_or_else(String::new, |message| {
        let file = folder::path_of(at, ceremony, message);
        format!("send {} to all others who lack it; ", file.display())
    })
}

fn join(ceremony: &Ceremony, at: &Path, me: &Me) -> String {
    let mut line = format!("join --identity-key {}", quoted(&me.identity_key));
    for usage in &ceremony.proposal().keys {
        let file = me.key(*usage).map_or_else(|| "FILE".to_owned(), quoted);
        let name = match usage {
            KeyUse::Peg => "peg",
            KeyUse::Reissuance => "reissuance",
            _ => "block",
        };
        line += &format!(" --{name}-key {file}");
    }
    line += " --endpoint HOST:PORT --node-address HOST:PORT";
    command(at, &line)
}

fn approve(at: &Path, me: &Me) -> String {
    // The words must be those that the others read aloud, so they are not filled in.
    let line = format!(
        "approve --identity-key {} --words \"THE TWELVE WORDS\"",
        quoted(&me.identity_key)
    );
    command(at, &line)
}

/// A command of `multisig ceremony`, with the folder unless it is the default.
fn command(at: &Path, line: &str) -> String {
    if at == Path::new("ceremony") {
        return format!("multisig ceremony {line}");
    }
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let line = format!("multisig ceremony {verb} --folder {} {rest}", quoted(at));
    line.trim_end().to_owned()
}

/// A path, quoted for a shell if necessary.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
