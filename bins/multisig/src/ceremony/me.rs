//! Who one is in a ceremony, as one's own files say: no pass phrase is asked for.

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

/// The file, beside the messages, that says which identity key was used in this folder. It is no
/// message, and goes to nobody.
const RECORD: &str = "own-identity";

/// More files than these are not looked at in a folder.
const MAX_FILES: usize = 200;

/// One who takes part, on whose machine this is.
pub(super) struct Me {
    /// The place in the roster.
    pub(super) place: usize,
    /// The name.
    pub(super) name: String,
    /// The file with the identity key.
    pub(super) identity_key: PathBuf,
    /// Key files of one's own for the other uses, as far as they were found.
    keys: BTreeMap<&'static str, PathBuf>,
}

impl Me {
    /// The file with one's key for a use, if one was found.
    pub(super) fn key(&self, usage: KeyUse) -> Option<&Path> {
        self.keys.get(usage.as_str()).map(PathBuf::as_path)
    }
}

/// Finds out who one is: by the identity key that is given, by the one that was used in this folder
/// before, or by an encrypted key file in this folder, the folder above, or where one works. None if
/// there is no such file, or there are those of several members.
///
/// # Errors
/// If a key file is given, and it cannot be read or is no member's.
pub(super) fn find(
    ceremony: &Ceremony,
    folder: &Path,
    given: Option<&Path>,
) -> Result<Option<Me>, CliError> {
    let files = key_files(folder);
    let keys = of_other_uses(&files);
    let me = |(place, identity_key)| Me {
        place,
        name: members_name(ceremony, place),
        identity_key,
        keys: keys.clone(),
    };
    if let Some(file) = given {
        let identity = identity_in(file)?;
        let place = place_of(ceremony, &identity)?;
        return Ok(Some(me((place, file.to_owned()))));
    }
    if let Some(found) = recorded(ceremony, folder) {
        return Ok(Some(me(found)));
    }
    let mut found: Option<(usize, PathBuf)> = None;
    for file in files {
        let Ok(head) = read_head(&file) else { continue };
        let identity = head.public_key().x_only_public_key().0;
        let is_identity = head.role() == KeyRole::Identity;
        let Some(place) = position(ceremony, &identity).filter(|_| is_identity) else {
            continue;
        };
        match &found {
            None => found = Some((place, file)),
            Some((other, _)) if *other != place => return Ok(None),
            Some(_) => {}
        }
    }
    Ok(found.map(me))
}

/// The place of an identity among the members.
///
/// # Errors
/// If it is none of them.
pub(super) fn place_of(ceremony: &Ceremony, me: &XOnlyPublicKey) -> Result<usize, CliError> {
    position(ceremony, me).ok_or_else(|| {
        CliError::failure(
            format!("the identity {me} is none of the proposal's members"),
            "use the key whose public half you gave to who proposed",
        )
    })
}

/// Remembers who one is, for `status`. It is a help alone: what cannot be written is left.
pub(super) fn remember(folder: &Path, identity: &XOnlyPublicKey, file: &Path) {
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let text = format!("{identity}\n{}\n", file.display());
    // Found out anew, or said with --identity-key.
    let _ = folder::write(&folder.join(RECORD), &text);
    // Where parties share the folder by git, each has its own.
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
    // Another's folder says who the other is; its key is not here.
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

/// As one would name the file, where it is below the folder in which one works.
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

fn members_name(ceremony: &Ceremony, place: usize) -> String {
    let member = ceremony.members().get(place);
    member.map_or_else(String::new, |member| member.name.clone())
}

/// The public half of an identity key in a file, encrypted or plain.
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

/// Encrypted key files in the ceremony's folder, in the one above, and where one works, in that
/// order; each once.
fn key_files(folder: &Path) -> Vec<PathBuf> {
    let above = match folder.parent() {
        Some(above) if above.as_os_str().is_empty() => PathBuf::from("."),
        Some(above) => above.to_owned(),
        None => folder.to_owned(),
    };
    let mut seen = Vec::new();
    let mut files = Vec::new();
    for place in [folder, above.as_path(), Path::new(".")] {
        let Ok(real) = fs::canonicalize(place) else {
            continue;
        };
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let Ok(entries) = fs::read_dir(place) else {
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

/// The first file of each use.
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
