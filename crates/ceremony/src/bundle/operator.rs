//! The bundle of one operator.

use core::fmt::Write;
use std::collections::BTreeMap;

use crate::{Certificate, Digest, KeyUse, Party};
use bitcoin::hashes::{Hash, sha256};
use federation_genesis::NodeKind;
use secp256k1::XOnlyPublicKey;

use super::{
    BundleError, Transport, archive, compose, files,
    node::{self, Ports},
    readme, scan, systemd,
};

/// The name of the certificate in the bundle.
pub(crate) const CERTIFICATE: &str = "certificate.json";
/// The name of the list of hashes.
const SUMS: &str = "SHA256SUMS";

/// The data from which all files are made.
pub(crate) struct Parts<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) me: &'a Party,
    /// Its index in the roster, from 0.
    pub(crate) index: usize,
    pub(crate) transport: &'a Transport,
    pub(crate) ports: Ports,
}

impl Parts<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.me.member().name
    }

    pub(crate) fn chain(&self) -> &str {
        self.certificate.chain_name()
    }

    pub(crate) fn kind(&self) -> NodeKind {
        self.certificate.chain().settings().node()
    }

    pub(crate) fn others(&self) -> impl Iterator<Item = &Party> {
        let everybody = self.certificate.operators().iter().enumerate();
        everybody
            .filter(|(index, _)| *index != self.index)
            .map(|(_, party)| party)
    }

    /// Whether the parties hold coins of a parent chain.
    pub(crate) fn has_peg(&self) -> bool {
        self.me.key(KeyUse::Peg).is_some()
    }
}

/// Everything that one operator needs to start, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    operator: String,
    files: BTreeMap<String, String>,
}

impl Bundle {
    /// Creates the bundle of the operator with this name.
    ///
    /// # Errors
    /// If there is no such operator, a value is not usable in the files, or anything in them looks like
    /// a secret.
    pub fn new(
        certificate: &Certificate,
        operator: &str,
        transport: &Transport,
    ) -> Result<Self, BundleError> {
        transport.check()?;
        check_chain_name(certificate.chain_name())?;
        let operators = certificate.operators();
        let found = operators
            .iter()
            .position(|party| party.member().name == operator);
        let Some((index, me)) = found.and_then(|index| Some((index, operators.get(index)?))) else {
            return Err(BundleError::NoOperator {
                name: operator.to_owned(),
                known: operators
                    .iter()
                    .map(|party| party.member().name.clone())
                    .collect(),
            });
        };
        let parts = Parts {
            certificate,
            me,
            index,
            transport,
            ports: Ports::of(me, transport),
        };
        let mut all = node::files(&parts);
        all.extend(files::all(&parts));
        all.extend(systemd::files(&parts));
        all.insert("docker-compose.yml".to_owned(), compose::file(&parts));
        all.insert(
            "manifest.txt".to_owned(),
            certificate.chain().manifest().to_owned(),
        );
        all.insert("README.md".to_owned(), readme::file(&parts));
        all.insert(SUMS.to_owned(), sums(&all));
        all.insert(CERTIFICATE.to_owned(), certificate.to_text());
        let public = public_keys(certificate);
        // The words encode a hash, but look like a seed.
        let words = certificate.chain().words();
        for (name, text) in &all {
            scan(name, &text.replace(&words, "words"), &public)?;
        }
        Ok(Self {
            operator: operator.to_owned(),
            files: all,
        })
    }

    /// The name of the operator.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The names and contents of the files, with `/` between folders.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter();
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The SHA-256 of the file `SHA256SUMS`, which has the hash of every other file except
    /// `certificate.json`. So it does not change if a party signs the same agreement twice.
    #[must_use]
    pub fn id(&self) -> Digest {
        let sums = self.files.get(SUMS).map(String::as_bytes);
        Digest::from_bytes(sha256::Hash::hash(sums.unwrap_or_default()).to_byte_array())
    }

    /// The bundle as a zip file.
    ///
    /// # Errors
    /// If it cannot be created, which is a bug.
    pub fn to_zip(&self) -> Result<Vec<u8>, BundleError> {
        archive::zip(&self.files)
    }
}

/// One line per file, in the format of `sha256sum --check`.
fn sums(files: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, content) in files {
        let hash = sha256::Hash::hash(content.as_bytes());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{hash}  {name}");
    }
    text
}

/// Checks that the name is usable for a folder and for services.
fn check_chain_name(name: &str) -> Result<(), BundleError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let first = name.chars().next();
    let fine = name.len() <= 64
        && name.chars().all(plain)
        && first.is_some_and(|first| first.is_ascii_alphanumeric());
    if fine {
        Ok(())
    } else {
        Err(BundleError::ChainName(name.to_owned()))
    }
}

/// All public keys in the certificate, whose private halves the scan looks for.
fn public_keys(certificate: &Certificate) -> Vec<XOnlyPublicKey> {
    let of = |party: &Party| {
        let keys = party.join().keys.iter();
        let mut keys: Vec<_> = keys.map(|key| key.key.x_only_public_key().0).collect();
        keys.push(party.member().identity);
        keys
    };
    certificate.operators().iter().flat_map(of).collect()
}
