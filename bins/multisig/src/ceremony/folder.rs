//! The folder of a ceremony, which holds its messages as files.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use elements::hashes::sha256;
use federation_ceremony::{
    Added, Body, Ceremony, Certificate, CertificateError, Evidence, EvidenceError, MAX_CERTIFICATE,
    MAX_EVIDENCE, Message, MessageError,
};
use federation_cli::CliError;
use federation_files::{Access, read_bounded};
use hex_conservative::DisplayHex;

/// The name of the certificate, which is not a message.
pub(crate) const CERTIFICATE: &str = "certificate.json";

/// The prefix of files with evidence, which are not messages.
const EVIDENCE: &str = "evidence-";

/// The maximum number of files: a proposal, 20 joins, 20 approvals, and ample room for others.
const MAX_FILES: usize = 1000;

/// A ceremony, and the files that do not belong in it, each with the reason.
pub(super) struct Loaded {
    pub(super) ceremony: Ceremony,
    pub(super) left_out: Vec<String>,
}

/// The error for a file that cannot be read or verified.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] federation_files::ReadError),
    /// The file is not text.
    #[error("it is not UTF-8")]
    NotText(#[from] std::string::FromUtf8Error),
    /// The message is invalid.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The certificate is invalid.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The evidence is invalid.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
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
            format!("no proposal in `{}`", folder.display()),
            "add the proposal with `multisig ceremony add FILE`, or make one with `multisig ceremony init`",
        ));
    };
    if let Some(other) = openings
        .iter()
        .find(|other| other.ceremony() != opening.ceremony())
    {
        return Err(CliError::failure(
            format!(
                "`{}` holds two ceremonies, {} and {}",
                folder.display(),
                opening.ceremony(),
                other.ceremony()
            ),
            "use a separate folder for each",
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

/// Whether the folder is missing or has no messages.
pub(super) fn is_fresh(folder: &Path) -> bool {
    !folder.exists() || files(folder).is_ok_and(|files| files.is_empty())
}

/// Adds a message to the ceremony and writes it to the folder.
pub(super) fn add(
    folder: &Path,
    ceremony: &mut Ceremony,
    message: Message,
) -> Result<Added, CliError> {
    let added = ceremony.add(message.clone()).map_err(refused)?;
    write_message(folder, ceremony, &message)?;
    Ok(added)
}

/// Writes a message to the folder, which is created if missing, and returns its path.
pub(super) fn write_message(
    folder: &Path,
    ceremony: &Ceremony,
    message: &Message,
) -> Result<PathBuf, CliError> {
    let path = path_of(folder, ceremony, message);
    write(&path, &message.to_text())?;
    Ok(path)
}

/// The path of a message.
pub(super) fn path_of(folder: &Path, ceremony: &Ceremony, message: &Message) -> PathBuf {
    folder.join(name_of(ceremony, message))
}

/// The file name of a message, the same everywhere; two messages by one member, or two signatures, have
/// two names. The name contains enough of the hash of the whole text that a member cannot find a second
/// text with the same name, with which it could overwrite its first message.
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

/// Writes evidence to the folder, to be sent to the others, and returns its path.
pub(super) fn write_evidence(folder: &Path, evidence: &Evidence) -> Result<PathBuf, CliError> {
    let text = evidence.to_text();
    let digest = sha256::Hash::hash(text.as_bytes()).to_byte_array();
    let digest = digest[..16].to_lower_hex_string();
    let path = folder.join(format!("{EVIDENCE}{}-{digest}.json", evidence.member()));
    write(&path, &text)?;
    Ok(path)
}

/// Reads a file that may contain evidence.
pub(super) fn read_evidence(path: &Path) -> Result<String, ReadError> {
    read_within(path, MAX_EVIDENCE)
}

/// Writes a file atomically, unless it has this content already.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CliError> {
    if read(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| federation_files::replace(path, text.as_bytes(), Access::Umask))
        .map_err(|error| {
            CliError::failure(
                format!("cannot write `{}`: {error}", path.display()),
                "check that you may write there",
            )
        })
}

/// Reads and verifies a message.
pub(super) fn read_message(path: &Path) -> Result<Message, ReadError> {
    Ok(Message::parse(&read(path)?)?)
}

/// Reads and verifies a file by another party: a message, or the messages in a certificate or in
/// evidence.
pub(super) fn read_messages(path: &Path) -> Result<Vec<Message>, ReadError> {
    let text = read_evidence(path)?;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if value.get("proposal").is_some() {
        let evidence = Evidence::parse(&text)?;
        let messages = evidence.messages().iter().cloned();
        return Ok(core::iter::once(evidence.proposal().clone())
            .chain(messages)
            .collect());
    }
    if value.get("messages").is_some() {
        let certificate = Certificate::parse(&text)?;
        return Ok(certificate.ceremony().messages().cloned().collect());
    }
    Ok(vec![Message::parse(&text)?])
}

/// Reads a file up to the length of a certificate.
pub(super) fn read(path: &Path) -> Result<String, ReadError> {
    read_within(path, MAX_CERTIFICATE)
}

fn read_within(path: &Path, limit: usize) -> Result<String, ReadError> {
    Ok(String::from_utf8(read_bounded(path, limit)?)?)
}

/// Expands folders to the files in them that end in `.json`.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(json_files(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The paths of the messages in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut files = json_files(folder)?;
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name != CERTIFICATE && !name.starts_with(EVIDENCE))
    });
    Ok(files)
}

/// The files in a folder that end in `.json`, sorted by name.
fn json_files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let failed = |error: std::io::Error| {
        CliError::failure(
            format!("cannot read `{}`: {error}", folder.display()),
            "give the ceremony's folder with --folder",
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
                "use a separate folder for the ceremony",
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

/// The CLI error for a message or ceremony that is refused.
pub(super) fn refused(error: impl core::fmt::Display) -> CliError {
    CliError::failure(
        error,
        "see `multisig ceremony status`, and contact the party that is named",
    )
}
