//! `[keys.<role>]` in `operator.toml`: where each of the operator's keys is.
//!
//! | kind | settings |
//! |---|---|
//! | `file` | `file` |
//! | `keystore` | `file`, `passphrase` |
//! | `hsm` | `module`, `token`, `key`, `pin`; `sessions`, `timeout` may be left away |
//! | `node` | `wallet` may be left away |
//!
//! `passphrase` and `pin` say where the secret comes from, as
//! [`SecretSource`](federation_signer::SecretSource) has it. `block_key_file` and
//! `identity_key_file` are short for a role of kind `file`.

use core::str::FromStr;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use federation_signer::{HsmSource, KeyRole, KeySource, KeystoreSource, SecretSource};

use super::{
    Setting,
    places::Places,
    reader::{Found, Reader, Section},
};

/// Where an operator's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keys {
    /// Signs blocks.
    pub block: KeySource,
    /// Signs envelopes: a file or a keystore.
    pub identity: KeySource,
    /// Spends reissuance tokens, if this operator does: any kind but a node's wallet.
    pub reissuance: Option<KeySource>,
    /// Spends the coins that back the peg, if this operator does: any kind but a node's wallet.
    pub peg: Option<KeySource>,
}

/// What a file says of the keys, before anything is required of it.
#[derive(Default)]
pub(super) struct RawKeys {
    /// Found, and where.
    by_role: BTreeMap<KeyRole, Found<KeySource>>,
    /// Given, though not well: not missing, too.
    bad: Vec<KeyRole>,
}

/// Takes the short forms and `[keys]` out of the root table.
pub(super) fn take(reader: &mut Reader<'_>, root: &mut Section<'_>, folder: &Path) -> RawKeys {
    let mut keys = RawKeys::default();
    for (role, short) in [
        (KeyRole::Block, "block_key_file"),
        (KeyRole::Identity, "identity_key_file"),
    ] {
        if let Some(Found { value, at }) = root.text(reader, short) {
            let value = KeySource::File(folder.join(value));
            keys.by_role.insert(role, Found { value, at });
        }
    }
    let Some(mut table) = root.table(reader, "keys") else {
        return keys;
    };
    for role in KeyRole::ALL {
        let Some(section) = table.table(reader, role.as_str()) else {
            continue;
        };
        let at = section.place();
        let Some(value) = read(reader, section, role, folder) else {
            keys.bad.push(role);
            continue;
        };
        if keys.by_role.insert(role, Found { value, at }).is_some() {
            reader.note(
                at,
                format!("both `{role}_key_file` and [keys.{role}] are given"),
                "keep one of them",
            );
        }
    }
    table.finish(reader);
    keys
}

impl RawKeys {
    /// A key file that is given elsewhere takes the place of the file's.
    pub(super) fn replace(&mut self, role: KeyRole, file: Option<&PathBuf>) {
        if let Some(file) = file {
            let value = KeySource::File(file.clone());
            self.by_role.insert(role, Found { value, at: None });
        }
    }

    /// Notes where the keys stand.
    pub(super) fn place(&self, reader: &Reader<'_>, file: &Path, places: &mut Places) {
        for (role, found) in &self.by_role {
            places.note(Setting::Key(*role), file, reader.line(found.at));
        }
    }

    /// Demands what must be there.
    pub(super) fn require(mut self, reader: &mut Reader<'_>) -> Option<Keys> {
        for role in [KeyRole::Block, KeyRole::Identity] {
            if !self.by_role.contains_key(&role) && !self.bad.contains(&role) {
                reader.note(
                    None,
                    format!("`{role}_key_file` is missing"),
                    format!("add `{role}_key_file = \"{role}.key\"`, or a [keys.{role}] table"),
                );
            }
        }
        for Found { value, at } in self.by_role.values() {
            // What is there and cannot be used is found when it is opened, and why.
            if let Some(path) = value.path()
                && matches!(path.try_exists(), Ok(false))
            {
                let (what, cure) = match value {
                    KeySource::Hsm(_) => ("PKCS#11 module", "install the vendor's library"),
                    _ => ("key file", "`multisig key new` makes one"),
                };
                reader.note(
                    *at,
                    format!("{what} {} does not exist", path.display()),
                    format!("check the path; {cure}"),
                );
            }
        }
        let mut take = |role| self.by_role.remove(&role).map(|found| found.value);
        Some(Keys {
            block: take(KeyRole::Block)?,
            identity: take(KeyRole::Identity)?,
            reissuance: take(KeyRole::Reissuance),
            peg: take(KeyRole::Peg),
        })
    }
}

/// Reads `[keys.<role>]`; none if anything is wrong, which the reader then knows.
fn read(
    reader: &mut Reader<'_>,
    section: Section<'_>,
    role: KeyRole,
    folder: &Path,
) -> Option<KeySource> {
    let mut table = KeyTable {
        section,
        role,
        folder,
    };
    let kind = table.required(reader, "kind", "file, keystore, hsm or node")?;
    let source = match kind.value.as_str() {
        "file" => table.path(reader, "file").map(KeySource::File),
        "keystore" => {
            let file = table.path(reader, "file");
            let passphrase = table.secret(reader, "passphrase");
            (|| {
                Some(KeySource::Keystore(KeystoreSource {
                    file: file?,
                    passphrase: passphrase?,
                }))
            })()
        }
        "hsm" => table.hsm(reader).map(KeySource::Hsm),
        "node" => Some(KeySource::Node {
            wallet: table
                .section
                .text(reader, "wallet")
                .map(|found| found.value),
        }),
        other => {
            reader.note(
                kind.at,
                format!("`kind`: unknown kind `{other}`"),
                "choose file, keystore, hsm or node",
            );
            return None;
        }
    };
    let at = kind.at;
    table.section.finish(reader);
    let source = source?;
    if let Some((why, cure)) = unfit(role, &source) {
        reader.note(
            at,
            format!("the {role} key cannot be of kind {}: {why}", source.kind()),
            cure,
        );
        return None;
    }
    Some(source)
}

/// Why a role's key cannot be of this kind, and what to choose.
const fn unfit(role: KeyRole, source: &KeySource) -> Option<(&'static str, &'static str)> {
    match (role, source) {
        (KeyRole::Identity, KeySource::Hsm(_)) => Some((
            "PKCS#11 has no BIP 340 signatures",
            "choose keystore or file",
        )),
        (KeyRole::Block, _) | (_, KeySource::File(_) | KeySource::Keystore(_)) => None,
        (_, KeySource::Hsm(_)) => None,
        (_, KeySource::Node { .. }) => Some((
            "a node's wallet signs blocks only",
            "choose keystore, hsm or file",
        )),
    }
}

/// A `[keys.<role>]` table.
struct KeyTable<'t> {
    section: Section<'t>,
    role: KeyRole,
    folder: &'t Path,
}

impl KeyTable<'_> {
    fn required(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        example: &str,
    ) -> Option<Found<String>> {
        let before = reader.problems.len();
        let found = self.section.text(reader, key);
        if found.is_none() && reader.problems.len() == before {
            reader.note(
                self.section.place(),
                format!("`{key}` is missing in [keys.{}]", self.role),
                format!("add `{key} = ..`: {example}"),
            );
        }
        found
    }

    fn path(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<PathBuf> {
        let found = self.required(reader, key, "a path, counted from this file's folder")?;
        Some(self.folder.join(found.value))
    }

    fn parsed<T: FromStr<Err: core::fmt::Display>>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        example: &str,
    ) -> Option<T> {
        let found = self.required(reader, key, example)?;
        match found.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                reader.note(found.at, format!("`{key}`: {error}"), example);
                None
            }
        }
    }

    fn secret(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<SecretSource> {
        self.parsed::<SecretSource>(
            reader,
            key,
            "where it comes from, for example \"file:secret\", \"credential:NAME\" or \"prompt\"",
        )
        .map(|source| source.within(self.folder))
    }

    fn hsm(&mut self, reader: &mut Reader<'_>) -> Option<HsmSource> {
        let module = self.path(reader, "module");
        let token = self.parsed(reader, "token", "for example \"label:operator\"");
        let key = self.parsed(reader, "key", "for example \"label:block\"");
        let pin = self.secret(reader, "pin");
        let sessions = self.section.number(reader, "sessions");
        let timeout = self.section.duration(reader, "timeout");
        Some(HsmSource {
            module: module?,
            token: token?,
            key: key?,
            pin: pin?,
            sessions: sessions.map(|found| found.value),
            timeout: timeout.map(|found| found.value),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use federation_signer::{KeySelector, TokenSelector};

    use super::*;

    /// Reads a text as `operator.toml`; the problems if there are any.
    fn keys(text: &str) -> Result<Keys, Vec<(Option<usize>, String)>> {
        let mut reader = Reader::new(Path::new("operator.toml"), text);
        let document = reader.parse().expect("TOML");
        let mut root = reader.section("", document.as_table(), None);
        // Files that surely are there.
        let raw = take(
            &mut reader,
            &mut root,
            Path::new(env!("CARGO_MANIFEST_DIR")),
        );
        let keys = raw.require(&mut reader);
        root.finish(&mut reader);
        let problems: Vec<_> = reader
            .problems
            .into_iter()
            .map(|problem| (problem.line, problem.message))
            .collect();
        match keys {
            Some(keys) if problems.is_empty() => Ok(keys),
            _ => Err(problems),
        }
    }

    const IDENTITY: &str = "identity_key_file = \"Cargo.toml\"\n";

    fn here(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    fn each_role_may_be_of_another_kind() {
        let keys = keys(
            r#"
            [keys.block]
            kind = "hsm"
            module = "Cargo.toml"
            token = "label:operator"
            key = "id:0a0b"
            pin = "file:pin"
            sessions = 4
            timeout = "5s"
            [keys.identity]
            kind = "keystore"
            file = "Cargo.toml"
            passphrase = "credential:identity"
            [keys.peg]
            kind = "file"
            file = "Cargo.toml"
            "#,
        )
        .expect("good keys");
        assert_eq!(
            keys,
            Keys {
                block: KeySource::Hsm(HsmSource {
                    module: here("Cargo.toml"),
                    token: TokenSelector::Label("operator".to_owned()),
                    key: KeySelector::Id(vec![10, 11]),
                    pin: SecretSource::File(here("pin")),
                    sessions: Some(4),
                    timeout: Some(Duration::from_secs(5)),
                }),
                identity: KeySource::Keystore(KeystoreSource {
                    file: here("Cargo.toml"),
                    passphrase: SecretSource::Credential("identity".to_owned()),
                }),
                reissuance: None,
                peg: Some(KeySource::File(here("Cargo.toml"))),
            }
        );
    }

    #[test]
    fn a_node_may_hold_the_block_key_and_no_other() {
        let node = |role: &str| format!("[keys.{role}]\nkind = \"node\"\nwallet = \"w\"\n");
        let block = keys(&format!("{IDENTITY}{}", node("block"))).expect("a block key");
        assert_eq!(
            block.block,
            KeySource::Node {
                wallet: Some("w".to_owned())
            }
        );
        let both = "block_key_file = \"Cargo.toml\"\n";
        let problems = keys(&format!("{both}{IDENTITY}{}", node("peg"))).expect_err("no peg key");
        assert_eq!(
            problems,
            [(
                Some(4),
                "the peg key cannot be of kind node: a node's wallet signs blocks only".to_owned()
            )]
        );
    }

    #[test]
    fn mistakes_are_reported_with_their_lines() {
        let block =
            |table: &str| keys(&format!("{IDENTITY}[keys.block]\n{table}")).expect_err("it is bad");
        let one = |line, message: &str| vec![(line, message.to_owned())];
        assert_eq!(block(""), one(Some(2), "`kind` is missing in [keys.block]"));
        assert_eq!(
            block("kind = \"yubikey\""),
            one(Some(3), "`kind`: unknown kind `yubikey`")
        );
        assert_eq!(
            block("kind = \"file\"\nfile = \"none\""),
            one(
                Some(2),
                &format!("key file {} does not exist", here("none").display())
            )
        );
        assert_eq!(
            block("kind = \"node\"\npin = \"prompt\""),
            one(Some(4), "unknown key `pin`")
        );
        let leaked = block("kind = \"keystore\"\nfile = \"Cargo.toml\"\npassphrase = \"hunter2\"");
        assert_eq!(leaked.len(), 1);
        assert_eq!(leaked[0].0, Some(5));
        assert!(!leaked[0].1.contains("hunter2"), "{leaked:?}");
        let hsm = block("kind = \"hsm\"\nmodule = \"Cargo.toml\"\ntoken = \"operator\"");
        let lines: Vec<_> = hsm.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [Some(5), Some(2), Some(2)], "{hsm:?}");
        assert_eq!(
            keys(
                "block_key_file = \"Cargo.toml\"\n[keys.identity]\nkind = \"hsm\"\nmodule = \"Cargo.toml\"\ntoken = \"slot:1\"\nkey = \"label:x\"\npin = \"prompt\""
            ),
            Err(one(
                Some(3),
                "the identity key cannot be of kind hsm: PKCS#11 has no BIP 340 signatures"
            ))
        );
        assert_eq!(
            keys(&format!(
                "block_key_file = \"Cargo.toml\"\n{IDENTITY}[keys.block]\nkind = \"node\""
            )),
            Err(one(
                Some(3),
                "both `block_key_file` and [keys.block] are given"
            ))
        );
    }
}
