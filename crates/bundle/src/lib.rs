//! The bundle: everything that one operator of a certified chain needs to start its node and its
//! daemon, in one zip that holds no secret.
//!
//! ```text
//! Certificate, operator's name, Transport ──> Bundle ──> zip
//!    node/elements.conf or ocean.conf, Ocean's terms     the node
//!    federation.toml, certificate.json, operator.toml    the daemon
//!    docker-compose.yml, systemd/                        how both are kept running
//!    README.md, manifest.txt, SHA256SUMS                 for people
//! ```
//!
//! The same certificate, operator, transport and version of this crate make the same bytes on every
//! machine: names are sorted, times and permissions fixed, nothing is compressed. Everything but
//! `certificate.json` follows from what the parties agreed on alone. That file holds their
//! signatures, too, and a party may sign one message twice, so that two true certificates of one
//! ceremony differ; therefore `SHA256SUMS` leaves it out, and the [id](Bundle::id) of a bundle,
//! which is the SHA-256 of `SHA256SUMS`, is the same whichever of them it was built from.
//!
//! What parties wrote themselves, settings and terms, goes into the zip word for word. A [`scan`]
//! over every file refuses what looks like a secret, with the file and the line.
//!
//! The crate does no I/O: a program reads the certificate and writes the zip.
//!
//! ```
//! use federation_bundle::{Finding, scan};
//!
//! assert_eq!(scan("node/elements.conf", "chain=fedchain\n", &[]), Ok(()));
//! let finding = scan("node/elements.conf", "chain=x\nrpcpassword=abc\n", &[]).unwrap_err();
//! assert_eq!((finding.file(), finding.line()), ("node/elements.conf", 2));
//! ```

mod archive;
mod bundle;
mod compose;
mod error;
mod files;
mod node;
mod readme;
mod scan;
mod systemd;
mod transport;

pub use bundle::Bundle;
pub use error::BundleError;
pub use scan::{Finding, Suspicion, scan};
pub use transport::Transport;
