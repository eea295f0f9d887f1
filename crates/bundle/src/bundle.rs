//! The bundle of one operator.

use core::fmt::Write;
use std::collections::BTreeMap;

use bitcoin::hashes::{Hash, sha256};
use federation_ceremony::{Certificate, Digest, KeyUse, Party};
use federation_genesis::NodeKind;
use secp256k1::XOnlyPublicKey;

use crate::{
    BundleError, Transport, archive, compose, files,
    node::{self, Ports},
    readme, scan, systemd,
};

/// What the certificate is called in the bundle.
pub(crate) const CERTIFICATE: &str = "certificate.json";
/// What the list of hashes is called.
const SUMS: &str = "SHA256SUMS";

/// What all files are made of.
pub(crate) struct Parts<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) me: &'a Party,
    /// Its place in the roster, from 0.
    pub(crate) place: usize,
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
            .filter(|(place, _)| *place != self.place)
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
    /// The bundle of the operator of this name.
    ///
    /// # Errors
    /// If there is no such operator, something cannot stand in the files, or anything in them looks
    /// like a secret.
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
        let Some((place, me)) = found.and_then(|place| Some((place, operators.get(place)?))) else {
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
            place,
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
        // Made of a hash, and a seed to anybody who does not know that.
        let words = certificate.chain().words();
        for (name, text) in &all {
            scan(name, &text.replace(&words, "words"), &public)?;
        }
        Ok(Self {
            operator: operator.to_owned(),
            files: all,
        })
    }

    /// Whose it is.
    #[must_use]
    pub fn operator(&self) -> &str {
        &self.operator
    }

    /// The files by their names, with `/` between folders.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter();
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// SHA-256 of the file `SHA256SUMS`, which has the hash of every other file but that of
    /// `certificate.json`: who signed what of the same agreement twice leaves it alone.
    #[must_use]
    pub fn id(&self) -> Digest {
        let sums = self.files.get(SUMS).map(String::as_bytes);
        Digest::from_bytes(sha256::Hash::hash(sums.unwrap_or_default()).to_byte_array())
    }

    /// The zip.
    ///
    /// # Errors
    /// If it cannot be made, which is a fault of the program.
    pub fn to_zip(&self) -> Result<Vec<u8>, BundleError> {
        archive::zip(&self.files)
    }
}

/// A line for each file, as `sha256sum --check` reads it.
fn sums(files: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, content) in files {
        let hash = sha256::Hash::hash(content.as_bytes());
        // A text cannot refuse to be written to.
        let _ = writeln!(text, "{hash}  {name}");
    }
    text
}

/// The name becomes that of a folder and of services.
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

/// Every public key of the certificate, so that its private half is known when it is seen.
fn public_keys(certificate: &Certificate) -> Vec<XOnlyPublicKey> {
    let of = |party: &Party| {
        let keys = party.join().keys.iter();
        let mut keys: Vec<_> = keys.map(|key| key.key.x_only_public_key().0).collect();
        keys.push(party.member().identity);
        keys
    };
    certificate.operators().iter().flat_map(of).collect()
}
