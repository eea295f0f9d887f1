//! What is to be done next: by whom, and by which command.

use std::path::Path;

use federation_ceremony::{Ceremony, CeremonyError, ChainError, KeyUse};

use super::{folder, me::Me};

/// What to do next.
pub(super) struct Next {
    /// In words.
    pub(super) text: String,
    /// The command to type, if it is one's own turn; what is written large is to be filled in.
    pub(super) command: Option<String>,
}

/// What to do next, from where one stands if that is known.
pub(super) fn next(ceremony: &Ceremony, at: &Path, me: Option<&Me>) -> Next {
    let wait = |text: String| Next {
        text,
        command: None,
    };
    match ceremony.agreed() {
        Ok(_) => finished(at, me),
        Err(CeremonyError::Chain(ChainError::Missing(_))) => match me {
            Some(me) if !ceremony.has_joined(me.place) => Next {
                text: "see with `multisig ceremony show` whether it is what was agreed, then join"
                    .to_owned(),
                command: Some(join(ceremony, at, me)),
            },
            _ => Next {
                text: format!(
                    "{}wait for the joins of {}, and take them as they come; `multisig ceremony again` begins anew without who drops out",
                    sent(ceremony, at, me),
                    missing(ceremony, Ceremony::has_joined)
                ),
                command: Some(command(at, "add FILES")),
            },
        },
        Err(CeremonyError::NotApproved(_)) => match me {
            Some(me) if ceremony.approval(me.place).is_none() => Next {
                text: "read all of it with `multisig ceremony show`, read the words to each other, then approve"
                    .to_owned(),
                command: Some(approve(at, me)),
            },
            Some(_) => Next {
                text: format!(
                    "{}wait for the approvals of {}, and take them as they come",
                    sent(ceremony, at, me),
                    missing(ceremony, has_approved)
                ),
                command: Some(command(at, "add FILES")),
            },
            None => wait(format!(
                "read the words to each other, then `multisig ceremony approve`: missing {}",
                missing(ceremony, has_approved)
            )),
        },
        Err(CeremonyError::Equivocation(name)) => wait(format!(
            "{name} said two things: send its evidence to the others; `multisig ceremony again --without {name}` begins anew"
        )),
        Err(error @ CeremonyError::Disagrees { .. }) => wait(format!(
            "{error}; `multisig ceremony diff` shows what is not the same"
        )),
        Err(error) => wait(error.to_string()),
    }
}

fn has_approved(ceremony: &Ceremony, place: usize) -> bool {
    ceremony.approval(place).is_some()
}

/// The names of those who have not done it.
fn missing(ceremony: &Ceremony, done: fn(&Ceremony, usize) -> bool) -> String {
    let members = ceremony.members().iter().enumerate();
    let names: Vec<_> = members
        .filter(|(place, _)| !done(ceremony, *place))
        .map(|(_, member)| member.name.as_str())
        .collect();
    names.join(", ")
}

/// What is for whom all have approved.
fn finished(at: &Path, me: Option<&Me>) -> Next {
    if !at.join(folder::CERTIFICATE).is_file() {
        return Next {
            text: "all have approved: make the certificate".to_owned(),
            command: Some(command(at, "finish")),
        };
    }
    let Some(me) = me else {
        return Next {
            text: "the certificate is there: each makes its bundle".to_owned(),
            command: Some(command(at, "bundle --operator NAME")),
        };
    };
    let zip = format!("{}.zip", me.name);
    if Path::new(&zip).is_file() {
        return Next {
            text: format!("unpack {zip}, put your keys in, and follow README.md there"),
            command: Some(format!("unzip {zip} -d {}", me.name)),
        };
    }
    Next {
        text: "the certificate is there: make your bundle".to_owned(),
        command: Some(command(at, &format!("bundle --operator {}", me.name))),
    }
}

/// What one has said last goes to all others, who may not have it.
fn sent(ceremony: &Ceremony, at: &Path, me: Option<&Me>) -> String {
    let own = me.and_then(|me| {
        ceremony
            .approval_message(me.place)
            .or_else(|| ceremony.join_message(me.place))
    });
    own.map_or_else(String::new, |message| {
        let file = folder::path_of(at, ceremony, message);
        format!("send {} to all others, if they lack it; ", file.display())
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
    // The words are those that the others read, so they do not stand here.
    let line = format!(
        "approve --identity-key {} --words \"THE TWELVE WORDS\"",
        quoted(&me.identity_key)
    );
    command(at, &line)
}

/// A command of `multisig ceremony`, with the folder where it is another than the usual one.
fn command(at: &Path, line: &str) -> String {
    if at == Path::new("ceremony") {
        return format!("multisig ceremony {line}");
    }
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let line = format!("multisig ceremony {verb} --folder {} {rest}", quoted(at));
    line.trim_end().to_owned()
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
