//! The folder in which messages lie: everything that is known of a ceremony.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use elements::hashes::sha256;
use federation_ceremony::{
    Added, Body, Ceremony, Certificate, Evidence, MAX_CERTIFICATE, MAX_EVIDENCE, Message,
};
use federation_cli::CliError;
use federation_files::{Access, read_bounded};
use hex_conservative::DisplayHex;

/// What the certificate is called, which is no message.
pub(crate) const CERTIFICATE: &str = "certificate.json";

/// How the names of files with evidence begin, which are no messages.
const EVIDENCE: &str = "evidence-";

/// No ceremony has more files: a proposal, 20 joins, 20 approvals, and what does not belong.
const MAX_FILES: usize = 1000;

/// A ceremony, and the files that have no place in it, with the reason.
pub(super) struct Loaded {
    pub(super) ceremony: Ceremony,
    pub(super) left_out: Vec<String>,
}

/// Reads all messages of a folder.
pub(super) fn load(folder: &Path) -> Result<Loaded, CliError> {
    let mut left_out = Vec::new();
    let mut openings = Vec::new();
    let mut others = Vec::new();
    for path in files(folder)? {
        let message = match read_message(&path) {
            Ok(message) => message,
            Err(error) => {
                left_out.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        match message.body() {
            Body::Proposal(_) => openings.push(message),
            _ => others.push((path, message)),
        }
    }
    let Some(opening) = openings.pop() else {
        return Err(CliError::failure(
            format!("there is no proposal in `{}`", folder.display()),
            "take it from who began with `multisig ceremony add FILE`, or begin with `multisig ceremony init`",
        ));
    };
    if let Some(other) = openings
        .iter()
        .find(|other| other.ceremony() != opening.ceremony())
    {
        return Err(CliError::failure(
            format!(
                "there are two ceremonies in `{}`, {} and {}",
                folder.display(),
                opening.ceremony(),
                other.ceremony()
            ),
            "use one folder for each",
        ));
    }
    let mut ceremony = Ceremony::new(opening).map_err(refused)?;
    for message in openings {
        ceremony.add(message).map_err(refused)?;
    }
    for (path, message) in others {
        if let Err(error) = ceremony.add(message) {
            left_out.push(format!("{}: {error}", path.display()));
        }
    }
    Ok(Loaded { ceremony, left_out })
}

/// Whether nothing of a ceremony is in the folder yet: it may be missing, or empty.
pub(super) fn is_fresh(folder: &Path) -> bool {
    !folder.exists() || files(folder).is_ok_and(|files| files.is_empty())
}

/// Takes a message that has its place, and writes it down; whether it was new.
pub(super) fn take(
    folder: &Path,
    ceremony: &mut Ceremony,
    message: Message,
) -> Result<Added, CliError> {
    let added = ceremony.add(message.clone()).map_err(refused)?;
    put(folder, ceremony, &message)?;
    Ok(added)
}

/// Writes a message into the folder, made if missing, and says where it is.
pub(super) fn put(
    folder: &Path,
    ceremony: &Ceremony,
    message: &Message,
) -> Result<PathBuf, CliError> {
    let path = path_of(folder, ceremony, message);
    write(&path, &message.to_text())?;
    Ok(path)
}

/// Where a message lies.
pub(super) fn path_of(folder: &Path, ceremony: &Ceremony, message: &Message) -> PathBuf {
    folder.join(name_of(ceremony, message))
}

/// The same message has the same name everywhere; what a member says twice, or signs twice, has
/// two. The name holds enough of the hash of the whole text that nobody finds two texts of one
/// name, with which a member could overwrite what it said before.
fn name_of(ceremony: &Ceremony, message: &Message) -> String {
    let kind = message.body().kind();
    let digest = sha256::Hash::hash(message.to_text().as_bytes()).to_byte_array();
    let digest = digest[..16].to_lower_hex_string();
    let sender = ceremony
        .members()
        .iter()
        .find(|member| member.identity == *message.sender())
        .map_or("unknown", |member| member.name.as_str());
    format!("{kind}-{sender}-{digest}.json")
}

/// Writes evidence into the folder, to be sent to the others, and says where it is.
pub(super) fn put_evidence(folder: &Path, evidence: &Evidence) -> Result<PathBuf, CliError> {
    let text = evidence.to_text();
    let digest = sha256::Hash::hash(text.as_bytes()).to_byte_array();
    let digest = digest[..16].to_lower_hex_string();
    let path = folder.join(format!("{EVIDENCE}{}-{digest}.json", evidence.member()));
    write(&path, &text)?;
    Ok(path)
}

/// Reads a text that may be evidence.
pub(super) fn read_evidence(path: &Path) -> Result<String, String> {
    read_within(path, MAX_EVIDENCE)
}

/// Writes a file at once; one with the same text is left alone.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CliError> {
    if read(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| federation_files::replace(path, text.as_bytes(), Access::Umask))
        .map_err(|error| {
            CliError::failure(
                format!("`{}` cannot be written: {error}", path.display()),
                "check who may write there",
            )
        })
}

/// Reads and checks one message.
pub(super) fn read_message(path: &Path) -> Result<Message, String> {
    let text = read(path)?;
    Message::parse(&text).map_err(|error| error.to_string())
}

/// Reads and checks what somebody sent: a message, or the messages in a certificate or in evidence.
pub(super) fn read_messages(path: &Path) -> Result<Vec<Message>, String> {
    let text = read_evidence(path)?;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let of = |error: &dyn core::fmt::Display| error.to_string();
    if value.get("proposal").is_some() {
        let evidence = Evidence::parse(&text).map_err(|error| of(&error))?;
        let messages = evidence.messages().iter().cloned();
        return Ok(core::iter::once(evidence.proposal().clone())
            .chain(messages)
            .collect());
    }
    if value.get("messages").is_some() {
        let certificate = Certificate::parse(&text).map_err(|error| of(&error))?;
        return Ok(certificate.ceremony().messages().cloned().collect());
    }
    let message = Message::parse(&text).map_err(|error| of(&error))?;
    Ok(vec![message])
}

/// A text that is not too long.
pub(super) fn read(path: &Path) -> Result<String, String> {
    read_within(path, MAX_CERTIFICATE)
}

fn read_within(path: &Path, limit: usize) -> Result<String, String> {
    let bytes = read_bounded(path, limit).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

/// The files that others sent; of a folder all that end in `.json`.
pub(super) fn sent(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(texts(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The messages in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut files = texts(folder)?;
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name != CERTIFICATE && !name.starts_with(EVIDENCE))
    });
    Ok(files)
}

/// All files of a folder that end in `.json`, by name.
fn texts(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let failed = |error: std::io::Error| {
        CliError::failure(
            format!("`{}` cannot be read: {error}", folder.display()),
            "name the ceremony's folder with --folder",
        )
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for (number, entry) in entries.enumerate() {
        if number >= MAX_FILES {
            return Err(CliError::failure(
                format!("`{}` has more than {MAX_FILES} files", folder.display()),
                "use a folder for the ceremony alone",
            ));
        }
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A message or ceremony that is refused.
pub(super) fn refused(error: impl core::fmt::Display) -> CliError {
    CliError::failure(
        error,
        "ask `multisig ceremony status` who has done what; tell the party that is named",
    )
}
