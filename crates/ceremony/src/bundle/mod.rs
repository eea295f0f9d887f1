//! The bundle: everything that one operator of a certified chain needs to start its node and its
//! daemon, in one zip file without secrets.
//!
//! ```text
//! Certificate, operator's name, Transport ──> Bundle ──> zip
//!    node/elements.conf or ocean.conf, Ocean's terms     the node
//!    federation.toml, certificate.json, operator.toml    the daemon
//!    docker-compose.yml, systemd/                        to keep both running
//!    README.md, manifest.txt, SHA256SUMS                 for people
//! ```
//!
//! The same certificate, operator, transport and version of this crate produce the same bytes on
//! every machine: names are sorted, times and permissions are fixed, and nothing is compressed. All
//! files except `certificate.json` follow from the agreement alone. That file also holds the parties'
//! signatures, and since a party may sign the same message twice, one ceremony can have two valid
//! certificates. So `SHA256SUMS` omits it, and the [id](Bundle::id) of a bundle, the SHA-256 of
//! `SHA256SUMS`, is the same for all of them.
//!
//! Texts written by the parties, settings and terms, go into the zip verbatim. [`scan`] checks every
//! file for secrets, and reports file and line.
//!
//! The module does no I/O: the caller reads the certificate and writes the zip.
//!
//! ```
//! use federation_ceremony::bundle::{Finding, scan};
//!
//! assert_eq!(scan("node/elements.conf", "chain=fedchain\n", &[]), Ok(()));
//! let finding = scan("node/elements.conf", "chain=x\nrpcpassword=abc\n", &[]).unwrap_err();
//! assert_eq!((finding.file(), finding.line()), ("node/elements.conf", 2));
//! ```

mod archive;
mod compose;
mod error;
mod files;
mod node;
mod operator;
mod readme;
mod scan;
mod systemd;
mod transport;

pub use error::BundleError;
pub use operator::Bundle;
pub use scan::{Finding, Suspicion, scan};
pub use transport::Transport;
