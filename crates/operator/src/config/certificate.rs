//! `certificate`: what all parties of a ceremony have agreed on, against what `federation.toml` says.
//!
//! The key can stand in `federation.toml`, which is the same for all, and in `operator.toml`, which
//! goes before it. The certificate is verified offline; every part of the federation that makes its
//! id, but for the epoch, and the chain's name, must be the certified one. Endpoints are not compared:
//! operators move. Nor is the epoch: a ceremony makes epoch 0, and it is raised later on, when a roster
//! comes back. Two operators in different epochs do not hear each other, so no block can come of it.
//! [`Operator::start`](crate::Operator::start) compares the node.

use std::{path::Path, sync::Arc};

use federation_ceremony::{Certificate, MAX_CERTIFICATE};
use federation_chain::Dialect;
use federation_genesis::Sweep;
use federation_roster::{Federation, Operator};
use hex_conservative::DisplayHex;

use super::{federation_file::FederationFile, report::Problem, text};

/// What to do when anything differs.
const CURE: &str = "take federation.toml and certificate.json from one bundle, that of this chain";

/// Something that `federation.toml` says otherwise than the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    name: String,
    here: String,
    certified: String,
}

/// Reads and verifies the certificate at this path, and compares `federation.toml` with it.
pub(super) fn check(
    path: &Path,
    public: &Path,
    file: &FederationFile,
    problems: &mut Vec<Problem>,
) -> Option<Arc<Certificate>> {
    let note = |file: &Path, message: String, cure: &str| Problem {
        file: file.to_owned(),
        line: None,
        column: None,
        message,
        cure: cure.to_owned(),
    };
    let limit = MAX_CERTIFICATE as u64;
    let certificate = text::read_within(path, limit).and_then(|text| {
        Certificate::parse(&text).map_err(|error| {
            note(
                path,
                error.to_string(),
                "take the certificate from another operator; use none that does not verify",
            )
        })
    });
    let certificate = match certificate {
        Ok(certificate) => certificate,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let found = differences(file, &certificate);
    for Difference {
        name,
        here,
        certified,
    } in &found
    {
        let message = format!("`{name}` is {here}, the certificate says {certified}");
        problems.push(note(public, message, CURE));
    }
    found.is_empty().then(|| Arc::new(certificate))
}

/// Everything in which the files and the certificate differ.
fn differences(file: &FederationFile, certificate: &Certificate) -> Vec<Difference> {
    let federation = &*file.federation;
    let mut found = Vec::new();
    let mut compare = |name: String, here: String, certified: String| {
        if here != certified {
            found.push(Difference {
                name,
                here,
                certified,
            });
        }
    };
    let certified = certificate.federation();
    let (rules, certified_rules) = (federation.rules(), certified.rules());
    compare(
        "chain".to_owned(),
        file.chain.clone(),
        certificate.chain_name().to_owned(),
    );
    let mut of = |name: &str, read: &dyn Fn(&Federation) -> String| {
        compare(name.to_owned(), read(federation), read(certified));
    };
    of("dialect", &|f| f.rules().dialect().to_string());
    of("genesis", &|f| f.genesis().to_string());
    of("threshold", &|f| f.threshold().to_string());
    of("interval", &|f| format!("{} ms", f.interval().as_millis()));
    // Ocean has no such limit.
    if rules.dialect() != Dialect::Ocean {
        of("max_block_signature_size", &|f| {
            f.rules().max_signature_size().to_string()
        });
    }
    of("number of operators", &|f| f.size().to_string());
    let (own, others) = (federation.operators(), certified.operators());
    for (place, (here, there)) in own.iter().zip(others).enumerate() {
        let mut of = |name: &str, read: &dyn Fn(&Operator) -> String| {
            compare(
                format!("{name} of operator {} in the list", place + 1),
                read(here),
                read(there),
            );
        };
        of("name", &|o| o.name.clone());
        of("identity", &|o| o.identity.to_string());
        of("block_key", &|o| o.block_key.to_string());
    }
    // Where all of the above is alike, an order of keys remains that makes another script.
    compare(
        "signblockscript".to_owned(),
        rules.signing_script().to_lower_hex_string(),
        certified_rules.signing_script().to_lower_hex_string(),
    );
    let txid = |sweep: Option<&Sweep>| {
        sweep.map_or_else(|| "none".to_owned(), |sweep| sweep.txid().to_string())
    };
    compare(
        "sweep".to_owned(),
        txid(file.sweep.as_ref()),
        txid(certificate.sweep()),
    );
    // A chain of a ceremony begins with `agreed`, and the older protocol would weaken it.
    compare(
        "protocol.classic_until".to_owned(),
        file.classic_until
            .map_or_else(|| "none".to_owned(), |height| height.to_string()),
        "none".to_owned(),
    );
    found
}

#[cfg(test)]
mod tests;
