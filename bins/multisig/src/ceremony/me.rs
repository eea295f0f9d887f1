//! Recognising the user among the members, by the key files on this machine and without a pass phrase.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use federation_ceremony::{Ceremony, KeyUse};
use federation_cli::CliError;
use federation_keystore::{is_keystore, read_head};
use federation_multisig::Network;
use federation_signer::{KeyRole, key_file};
use secp256k1::XOnlyPublicKey;

use super::folder;
use crate::key::with_causes;

/// The file in the ceremony's folder that records the identity key used there. It is not a message,
/// and is not sent to anybody.
const RECORD: &str = "own-identity";

/// The maximum number of files to examine in a folder.
const MAX_FILES: usize = 200;

/// The member on whose machine this runs.
pub(super) struct Me {
    /// The index in the roster.
    pub(super) index: usize,
    /// The name.
    pub(super) name: String,
    /// The file with the identity key.
    pub(super) identity_key: PathBuf,
    /// The key files for other uses that were found.
    keys: BTreeMap<&'static str, PathBuf>,
}

impl Me {
    /// The file with the member's key for a use, if it was found.
    pub(super) fn key(&self, usage: KeyUse) -> Option<&Path> {
        self.keys.get(usage.as_str()).map(PathBuf::as_path)
    }
}

/// Recognises the member: by the identity key that is given, by the one last used in this folder, or by
/// an encrypted key file in this folder, its parent or the current folder. None if there is no such
/// file, or files of several members.
///
/// # Errors
/// If the given key file cannot be read, or its key is not that of a member.
pub(super) fn find(
    ceremony: &Ceremony,
    folder: &Path,
    given: Option<&Path>,
) -> Result<Option<Me>, CliError> {
    let files = key_files(folder);
    let keys = of_other_uses(&files);
    let me = |(index, identity_key)| Me {
        index,
        name: members_name(ceremony, index),
        identity_key,
        keys: keys.clone(),
    };
    if let Some(file) = given {
        let identity = identity_in(file)?;
        let index = index_of(ceremony, &identity)?;
        return Ok(Some(me((index, file.to_owned()))));
    }
    if let Some(found) = recorded(ceremony, folder) {
        return Ok(Some(me(found)));
    }
    let mut found: Option<(usize, PathBuf)> = None;
    for file in files {
        let Ok(head) = read_head(&file) else { continue };
        let identity = head.public_key().x_only_public_key().0;
        let is_identity = head.role() == KeyRole::Identity;
        let Some(index) = position(ceremony, &identity).filter(|_| is_identity) else {
            continue;
        };
        match &found {
            None => found = Some((index, file)),
            Some((other, _)) if *other != index => return Ok(None),
            Some(_) => {}
        }
    }
    Ok(found.map(me))
}

/// Returns the index of an identity among the members.
///
/// # Errors
/// If it is not that of a member.
pub(super) fn index_of(ceremony: &Ceremony, me: &XOnlyPublicKey) -> Result<usize, CliError> {
    position(ceremony, me).ok_or_else(|| {
        CliError::failure(
            format!("the identity {me} is not a member in the proposal"),
            "use the identity key whose public half you sent to the proposer",
        )
    })
}

/// Records the identity for `status`. This is a convenience only, so failures are ignored.
pub(super) fn remember(folder: &Path, identity: &XOnlyPublicKey, file: &Path) {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let text = format!("{identity}\n{}\n", file.display());
    // If it fails, the identity is searched for again, or given with --identity-key.
    let _ = folder::write(&folder.join(RECORD), &text);
    // If the parties share the folder with git, each keeps its own record.
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        let _ = folder::write(&ignored, &format!("{RECORD}\n"));
    }
}

fn recorded(ceremony: &Ceremony, folder: &Path) -> Option<(usize, PathBuf)> {
    let text = folder::read(&folder.join(RECORD)).ok()?;
    let (identity, file) = text.split_once('\n')?;
    let identity: XOnlyPublicKey = identity.parse().ok()?;
    let file = PathBuf::from(file.trim_end_matches('\n'));
    // In a folder copied from another party, the key is not on this machine.
    if !file.is_file() {
        return None;
    }
    if is_keystore(&file) {
        let head = read_head(&file).ok()?;
        if head.public_key().x_only_public_key().0 != identity {
            return None;
        }
    }
    Some((position(ceremony, &identity)?, from_here(file)))
}

/// The path relative to the current folder, if the file is below it.
fn from_here(file: PathBuf) -> PathBuf {
    let here = std::env::current_dir().and_then(fs::canonicalize);
    let short = here
        .ok()
        .and_then(|here| file.strip_prefix(here).ok().map(Path::to_owned));
    short.unwrap_or(file)
}

fn position(ceremony: &Ceremony, identity: &XOnlyPublicKey) -> Option<usize> {
    let mut members = ceremony.members().iter();
    members.position(|member| member.identity == *identity)
}

fn members_name(ceremony: &Ceremony, index: usize) -> String {
    let member = ceremony.members().get(index);
    member.map_or_else(String::new, |member| member.name.clone())
}

/// Reads the public half of an identity key in a file, encrypted or plain.
fn identity_in(file: &Path) -> Result<XOnlyPublicKey, CliError> {
    let wrong = |error: &dyn core::error::Error| {
        CliError::failure(
            with_causes(error),
            "give the file of your identity key with --identity-key",
        )
    };
    let public = if is_keystore(file) {
        read_head(file).map_err(|error| wrong(&error))?.public_key()
    } else {
        let secret = key_file::read(file, &Network::ELEMENTS_CUSTOM);
        secret.map_err(|error| wrong(&error))?.public_key()
    };
    Ok(public.x_only_public_key().0)
}

/// The encrypted key files in the ceremony's folder, its parent and the current folder, in that order
/// and each only once.
fn key_files(folder: &Path) -> Vec<PathBuf> {
    let parent = match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => folder.to_owned(),
    };
    let mut seen = Vec::new();
    let mut files = Vec::new();
    for candidate in [folder, parent.as_path(), Path::new(".")] {
        let Ok(real) = fs::canonicalize(candidate) else {
            continue;
        };
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let Ok(entries) = fs::read_dir(candidate) else {
            continue;
        };
        let mut here: Vec<_> = entries
            .take(MAX_FILES)
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file() && is_keystore(path))
            .map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
            .collect();
        here.sort();
        files.extend(here);
    }
    files
}

/// The first key file for each other use.
fn of_other_uses(files: &[PathBuf]) -> BTreeMap<&'static str, PathBuf> {
    let mut keys = BTreeMap::new();
    for file in files {
        let Ok(head) = read_head(file) else { continue };
        if head.role() != KeyRole::Identity {
            keys.entry(head.role().as_str())
                .or_insert_with(|| file.clone());
        }
    }
    keys
}
