//! `[keys.<role>]` in `operator.toml`: where the operator's keys are.
//!
//! | kind | settings |
//! |---|---|
//! | `file` | `file` |
//! | `keystore` | `file`, `passphrase` |
//! | `hsm` | `module`, `token`, `key`, `pin`; optional: `sessions`, `timeout` |
//! | `node` | optional: `wallet` |
//!
//! `passphrase` and `pin` name a source of the secret, see
//! [`SecretSource`](federation_signer::SecretSource). `block_key_file` and `identity_key_file` are
//! short for a key of kind `file`.

use core::str::FromStr;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use federation_signer::{HsmSource, KeyRole, KeySource, KeystoreSource, SecretSource};

use super::{
    Overrides, Setting,
    locations::Locations,
    reader::{Found, Reader, Section},
};

/// Where an operator's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keys {
    /// The key that signs blocks.
    pub block: KeySource,
    /// The key that signs envelopes: a file or a keystore.
    pub identity: KeySource,
    /// The key that spends reissuance tokens, if this operator does: any kind but a node's wallet.
    pub reissuance: Option<KeySource>,
    /// The key that spends the coins behind the peg, if this operator does: any kind but a node's
    /// wallet.
    pub peg: Option<KeySource>,
}

impl Keys {
    /// Reads the short forms and `[keys]`.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        root: &mut Section<'_>,
        folder: &Path,
        overrides: &Overrides,
        locations: &mut Locations,
    ) -> Option<Self> {
        let mut keys: BTreeMap<KeyRole, Found<KeySource>> = BTreeMap::new();
        for (role, short) in [
            (KeyRole::Block, "block_key_file"),
            (KeyRole::Identity, "identity_key_file"),
        ] {
            if let Some(Found { value, at }) = root.path(reader, short, folder) {
                let value = KeySource::File(value);
                keys.insert(role, Found { value, at });
            }
        }
        // Present but invalid, so not reported as missing as well.
        let mut invalid = Vec::new();
        let mut table = root.table_or_empty(reader, "keys");
        for role in KeyRole::ALL {
            let Some(section) = table.table(reader, role.as_str()) else {
                continue;
            };
            let at = section.offset();
            let Some(value) = read(reader, section, role, folder) else {
                invalid.push(role);
                continue;
            };
            if keys.insert(role, Found { value, at }).is_some() {
                reader.report(
                    at,
                    format!("both `{role}_key_file` and [keys.{role}] are set"),
                    "keep one of them",
                );
            }
        }
        table.finish(reader);
        for (role, file) in [
            (KeyRole::Block, &overrides.block_key_file),
            (KeyRole::Identity, &overrides.identity_key_file),
        ] {
            if let Some(file) = file {
                let value = KeySource::File(file.clone());
                keys.insert(role, Found { value, at: None });
            } else if !keys.contains_key(&role) && !invalid.contains(&role) {
                reader.report(
                    None,
                    format!("`{role}_key_file` is missing"),
                    format!("add `{role}_key_file = \"{role}.key\"`, or a [keys.{role}] table"),
                );
            }
        }
        for (role, found) in &keys {
            locations.record(Setting::Key(*role), reader, found.at);
            check_exists(reader, found);
        }
        let mut take = |role| keys.remove(&role).map(|found| found.value);
        Some(Self {
            block: take(KeyRole::Block)?,
            identity: take(KeyRole::Identity)?,
            reissuance: take(KeyRole::Reissuance),
            peg: take(KeyRole::Peg),
        })
    }
}

/// Reports a file that does not exist. One that exists but cannot be used is reported when it is opened,
/// with the reason.
fn check_exists(reader: &mut Reader<'_>, found: &Found<KeySource>) {
    if let Some(path) = found.value.path()
        && matches!(path.try_exists(), Ok(false))
    {
        let (what, help) = match found.value {
            KeySource::Hsm(_) => ("PKCS#11 module", "install the vendor's library"),
            _ => ("key file", "`multisig key new` creates one"),
        };
        reader.report(
            found.at,
            format!("{what} {} does not exist", path.display()),
            format!("check the path; {help}"),
        );
    }
}

/// Reads `[keys.<role>]`. Returns `None` if anything is wrong; the reader then holds the problems.
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
                .string(reader, "wallet")
                .map(|found| found.value),
        }),
        other => {
            reader.report(
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
    if let Some((why, help)) = unsupported(role, &source) {
        reader.report(
            at,
            format!("the {role} key cannot be of kind {}: {why}", source.kind()),
            help,
        );
        return None;
    }
    Some(source)
}

/// Returns why a role's key cannot be of this kind, and what to choose instead.
const fn unsupported(role: KeyRole, source: &KeySource) -> Option<(&'static str, &'static str)> {
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
        let found = self.section.string(reader, key);
        if found.is_none() && reader.problems.len() == before {
            reader.report(
                self.section.offset(),
                format!("`{key}` is missing in [keys.{}]", self.role),
                format!("add `{key} = ...`: {example}"),
            );
        }
        found
    }

    fn path(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<PathBuf> {
        let found = self.required(reader, key, "a path, relative to this file's folder")?;
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
                reader.report(found.at, format!("`{key}`: {error}"), example);
                None
            }
        }
    }

    fn secret(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<SecretSource> {
        self.parsed::<SecretSource>(
            reader,
            key,
            "write its source, for example \"file:secret\", \"credential:NAME\" or \"prompt\"",
        )
        .map(|source| source.within(self.folder))
    }

    fn hsm(&mut self, reader: &mut Reader<'_>) -> Option<HsmSource> {
        let module = self.path(reader, "module");
        let token = self.parsed(reader, "token", "for example \"label:operator\"");
        let key = self.parsed(reader, "key", "for example \"label:block\"");
        let pin = self.secret(reader, "pin");
        let sessions = self.section.integer(reader, "sessions");
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

    /// Reads a text as `operator.toml`. Returns the problems if there are any.
    fn keys(text: &str) -> Result<Keys, Vec<(Option<usize>, String)>> {
        let mut reader = Reader::new(Path::new("operator.toml"), text);
        let document = reader.parse().expect("TOML");
        let mut root = reader.section("", document.as_table(), None);
        // A folder with files that exist.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let keys = Keys::read(
            &mut reader,
            &mut root,
            folder,
            &Overrides::default(),
            &mut Locations::default(),
        );
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
    fn the_kind_of_key_may_differ_by_role() {
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
        .expect("valid keys");
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
    fn a_node_may_hold_only_the_block_key() {
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
            |table: &str| keys(&format!("{IDENTITY}[keys.block]\n{table}")).expect_err("invalid");
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
                "both `block_key_file` and [keys.block] are set"
            ))
        );
    }
}
