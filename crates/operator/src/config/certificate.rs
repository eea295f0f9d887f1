//! `certificate`: compares `federation.toml` with what all parties of a ceremony agreed on.
//!
//! The key may be in `federation.toml`, which is the same for all operators, or in `operator.toml`,
//! which takes precedence. The certificate is verified offline. The chain's name and everything that
//! the federation's id is derived from must match it, except the epoch: a ceremony creates epoch 0,
//! and the epoch is raised later, when an earlier roster returns. Operators in different epochs ignore
//! each other's messages, so a mismatch cannot produce a block. Endpoints are not compared, because
//! operators move. The node is compared by [`Operator::start`](crate::Operator::start).

use std::{path::Path, sync::Arc};

use federation_ceremony::{Certificate, MAX_CERTIFICATE};
use federation_chain::Dialect;
use federation_genesis::Sweep;
use federation_roster::{Federation, Member};
use hex_conservative::DisplayHex;

use super::{federation_file::FederationFile, report::ConfigProblem, text};

/// The help for any difference.
const HELP: &str = "take federation.toml and certificate.json from this chain's bundle";

/// A setting whose value in `federation.toml` is not the certified one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    name: String,
    here: String,
    certified: String,
}

/// Reads and verifies the certificate at this path and compares `federation.toml` with it.
pub(super) fn check(
    path: &Path,
    public: &Path,
    file: &FederationFile,
    problems: &mut Vec<ConfigProblem>,
) -> Option<Arc<Certificate>> {
    let problem = |file: &Path, message: String, help: &str| ConfigProblem {
        file: file.to_owned(),
        line: None,
        column: None,
        message,
        help: help.to_owned(),
    };
    let certificate = text::read_within(path, MAX_CERTIFICATE).and_then(|text| {
        Certificate::parse(&text).map_err(|error| {
            problem(
                path,
                error.to_string(),
                "get the certificate from another operator; never use one that does not verify",
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
        problems.push(problem(public, message, HELP));
    }
    found.is_empty().then(|| Arc::new(certificate))
}

/// Returns every difference between the files and the certificate.
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
    // Ocean does not limit the size of signatures.
    if rules.dialect() != Dialect::Ocean {
        of("max_block_signature_size", &|f| {
            f.rules().max_signature_size().to_string()
        });
    }
    of("number of operators", &|f| f.size().to_string());
    let (own, others) = (federation.members(), certified.members());
    for (index, (here, there)) in own.iter().zip(others).enumerate() {
        let mut of = |name: &str, read: &dyn Fn(&Member) -> String| {
            compare(
                format!("{name} of operator {} in the list", index + 1),
                read(here),
                read(there),
            );
        };
        of("name", &|o| o.name.clone());
        of("identity", &|o| o.identity.to_string());
        of("block_key", &|o| o.block_key.to_string());
    }
    // Even if all of the above is equal, another key order makes another script.
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
    // A ceremony's chain starts with the protocol `agreed`; the older one would weaken it.
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
