//! `multisig ceremony bundle`: a zip with everything that one operator needs to start.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use elements::hashes::sha256;
use federation_ceremony::{
    Certificate,
    bundle::{Bundle, BundleError, Transport},
};
use federation_cli::{CliError, out};
use federation_files::{Access, ReadError, read_bounded};
use serde_json::json;

use crate::ceremony::CERTIFICATE;

/// Makes a zip for one operator: node configuration, federation.toml, operator.toml, certificate,
/// Docker and systemd files. It contains no secrets, and is the same wherever it is made.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The folder of the ceremony, with its certificate.
    #[arg(long, value_name = "FOLDER", default_value = "ceremony")]
    folder: PathBuf,
    /// The certificate, if it is in another place.
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    certificate: Option<PathBuf>,
    /// The operator that the bundle is for [default: you, if `multisig ceremony status` knows who you
    /// are].
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: Option<String>,
    /// The zip file to write [default: NAME.zip].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How the operators communicate; all must use the same.
    #[arg(long, value_enum, default_value = "zmq")]
    messenger: MessengerArg,
    /// Kafka's brokers, host:port, separated by commas [default: one broker per operator, at the
    /// endpoints of the ceremony].
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    brokers: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Messengers on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MessengerArg {
    /// ZeroMQ, with a connection between every two operators.
    Zmq,
    /// Kafka.
    Kafka,
}

impl BundleArgs {
    /// The folder of the ceremony.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        let in_folder = || self.folder.join(CERTIFICATE);
        self.certificate.clone().unwrap_or_else(in_folder)
    }
}

/// Makes the bundle, without overwriting another file.
pub(crate) fn run(
    args: &BundleArgs,
    certificate: &Certificate,
    operator: &str,
) -> Result<(), CliError> {
    let transport = match (args.messenger, args.brokers.is_empty()) {
        (MessengerArg::Zmq, true) => Transport::Zmq,
        (MessengerArg::Kafka, true) => Transport::KafkaPerOperator,
        (MessengerArg::Kafka, false) => Transport::Kafka(args.brokers.clone()),
        (MessengerArg::Zmq, false) => {
            return Err(CliError::usage(
                "--brokers is given, but the messenger is not Kafka",
                "add --messenger kafka, or omit --brokers",
            ));
        }
    };
    let bundle = Bundle::new(certificate, operator, &transport).map_err(|error| match &error {
        BundleError::NoOperator { .. } => {
            CliError::usage(error, "name one of these with --operator")
        }
        BundleError::Broker(_) => CliError::usage(error, "correct --brokers"),
        _ => CliError::failure(
            error,
            "nothing was written; see `multisig help 6-the-bundle-each-party`",
        ),
    })?;
    let zip = bundle
        .to_zip()
        .map_err(|error| CliError::failure(error, "report this as a bug of the program"))?;
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.zip", bundle.operator())));
    let is_new = put(&path, &zip)?;
    let hash = sha256::Hash::hash(&zip).to_string();
    if args.json {
        return out::json(&json!({
            "operator": bundle.operator(),
            "file": path,
            "written": is_new,
            "id": bundle.id().to_string(),
            "sha256": hash,
            "agreed": certificate.agreed_hash().to_string(),
            "files": bundle.files().map(|(name, _)| name).collect::<Vec<_>>(),
        }));
    }
    let done = if is_new { "wrote" } else { "unchanged" };
    out::line(&format!("{done:<9} {}", path.display()))?;
    out::line(&format!("bundle    {}", bundle.id()))?;
    out::line(&format!("sha256    {hash}"))?;
    out::line(&format!(
        "next      unzip {} -d {}, then follow README.md there",
        path.display(),
        bundle.operator()
    ))
}

/// Writes the file atomically, and returns whether it is new. A different file of that name is kept.
fn put(path: &Path, bytes: &[u8]) -> Result<bool, CliError> {
    let failed = |error: std::io::Error| {
        CliError::failure(
            format!("cannot write `{}`: {error}", path.display()),
            "check that you may write there",
        )
    };
    match read_bounded(path, bytes.len()) {
        Ok(known) if known == bytes => return Ok(false),
        Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound => {}
        _ => {
            return Err(CliError::failure(
                format!(
                    "`{}` exists already and is a different file",
                    path.display()
                ),
                "choose another name with --out, or remove the file",
            ));
        }
    }
    federation_files::create(path, bytes, Access::Umask).map_err(failed)?;
    Ok(true)
}
