//! Loading a chain from its files.

use std::path::Path;

use federation_cli::CliError;
use federation_files::read_bounded;
use federation_genesis::{
    ChainWarning, Genesis, Manifest, NodeKind, Settings, Sweep, Terms, UnviableChain, problems,
    warnings,
};
use hex_conservative::FromHex;

use crate::cli::ChainArgs;

/// The maximum length of a configuration, terms or a transaction.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A chain, with everything computed from its files.
pub(crate) struct Chain {
    pub(crate) settings: Settings,
    pub(crate) genesis: Genesis,
    pub(crate) manifest: Manifest,
    /// The reasons why it could not work.
    pub(crate) problems: Vec<UnviableChain>,
    /// Money that anyone can take.
    pub(crate) warnings: Vec<ChainWarning>,
}

impl Chain {
    /// Reads the files that the arguments name.
    pub(crate) fn load(args: &ChainArgs) -> Result<Self, CliError> {
        let sweep = args.sweep.as_deref().map(read_sweep).transpose()?;
        let mut chain = Self::read(
            args.node.into(),
            &args.conf,
            args.datadir.as_deref(),
            sweep.as_ref(),
        )?;
        if args.insecure_anyone_can_spend {
            chain.problems.retain(|problem| {
                !matches!(
                    problem,
                    UnviableChain::AnyoneCanSpend { .. } | UnviableChain::ObeysAnyone { .. }
                )
            });
        }
        Ok(chain)
    }

    /// Reads a configuration and, for Ocean, the terms in the data folder.
    pub(crate) fn read(
        node: NodeKind,
        conf: &Path,
        datadir: Option<&Path>,
        sweep: Option<&Sweep>,
    ) -> Result<Self, CliError> {
        let name = conf.display();
        let settings = read_settings(node, conf)?;
        let terms = match node {
            NodeKind::Elements => None,
            NodeKind::Ocean => {
                let beside = conf.parent().unwrap_or(Path::new("."));
                read_terms(datadir.unwrap_or(beside), settings.chain())?
            }
        };
        let unfit = |error| {
            CliError::failure(
                format!("{name}: {error}"),
                "change the setting: a federation cannot run such a chain",
            )
        };
        let genesis = Genesis::compute(&settings, terms.as_ref()).map_err(unfit)?;
        let problems = problems(&settings, &genesis, terms.as_ref(), sweep).map_err(unfit)?;
        let warnings = warnings(&settings, &genesis, sweep);
        let manifest = Manifest::new(&settings, &genesis, terms.as_ref(), sweep);
        Ok(Self {
            settings,
            genesis,
            manifest,
            problems,
            warnings,
        })
    }

    /// Fails if the chain could not work.
    pub(crate) fn refuse_problems(&self) -> Result<(), CliError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let reasons: Vec<_> = self.problems.iter().map(ToString::to_string).collect();
        Err(CliError::failure(
            format!(
                "this chain could not work:\n       {}",
                reasons.join("\n       ")
            ),
            "change the configuration before starting any node with it",
        ))
    }
}

/// Reads the settings in a node's configuration.
fn read_settings(node: NodeKind, conf: &Path) -> Result<Settings, CliError> {
    let text = String::from_utf8(read(conf)?).map_err(|_| {
        CliError::failure(
            format!("`{}` is not UTF-8 text", conf.display()),
            "give the node's configuration file with --conf",
        )
    })?;
    let name = conf.display();
    Settings::parse(node, &text).map_err(|invalid| {
        let lines: Vec<_> = invalid
            .errors()
            .iter()
            .map(|error| format!("{name}: {error}"))
            .collect();
        CliError::failure(
            lines.join("\n       "),
            "correct this before starting any node",
        )
    })
}

/// Reads the configuration of a chain that is only proposed, and the text of its terms.
pub(crate) fn read_proposed(
    node: NodeKind,
    conf: &Path,
    datadir: Option<&Path>,
) -> Result<(Settings, Option<String>), CliError> {
    let settings = read_settings(node, conf)?;
    let beside = conf.parent().unwrap_or(Path::new("."));
    let folder = datadir.unwrap_or(beside);
    for name in Terms::paths(settings.chain()) {
        let path = folder.join(name);
        if node == NodeKind::Ocean && path.exists() {
            let text = String::from_utf8(read(&path)?).map_err(|_| {
                CliError::failure(
                    format!("`{}` is not UTF-8 text", path.display()),
                    "give the terms in UTF-8",
                )
            })?;
            if !text.is_empty() {
                return Ok((settings, Some(text)));
            }
        }
    }
    Ok((settings, None))
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("cannot read `{}`: {what}", path.display()),
            "check the path, and that you may read it",
        )
    };
    read_bounded(path, MAX_BYTES).map_err(|error| failed(&error))
}

fn read_terms(datadir: &Path, chain: &str) -> Result<Option<Terms>, CliError> {
    for name in Terms::paths(chain) {
        let path = datadir.join(name);
        // The node treats a file that it cannot open as missing; here it is an error.
        if path.exists()
            && let Some(terms) = Terms::from_file(&read(&path)?)
        {
            return Ok(Some(terms));
        }
    }
    Ok(None)
}

fn read_sweep(path: &Path) -> Result<Sweep, CliError> {
    let wrong = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("`{}`: {what}", path.display()),
            "give a file with one transaction in hex",
        )
    };
    let text = String::from_utf8(read(path)?).map_err(|error| wrong(&error))?;
    let bytes = Vec::from_hex(text.trim_ascii()).map_err(|error| wrong(&error))?;
    Sweep::from_bytes(&bytes).map_err(|error| wrong(&error))
}
