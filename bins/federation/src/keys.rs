//! Opening the operator's keys: key files, keystores, hardware modules and node wallets.

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::Arc,
};

use federation_cli::{CliError, OrHelp};
use federation_keystore::{Passphrase, is_keystore, open_as};
use federation_multisig::{Network, PublicKey};
use federation_ocean_rpc::NodeClient;
use federation_operator::config::Config;
use federation_roster::XOnlyPublicKey;
use federation_signer::{
    HsmSource, IdentitySigner, KeyRole, KeySource, Secret, SecretSourceError, Signer,
    SoftwareIdentity, SoftwareSigner, SoftwareSpender, SpendSigner, SystemFault, key_file,
};
use federation_signer_hsm::{HsmConfig, HsmKey, HsmSigner, HsmSpender, Pin};
use federation_signer_node::NodeWalletSigner;

use crate::key_lock::{KeyLock, lock_key};

/// The keys that an operator signs with.
pub(crate) struct Keys {
    pub(crate) block: Box<dyn Signer>,
    pub(crate) identity: Box<dyn IdentitySigner>,
    /// To be held while the operator runs.
    pub(crate) locks: Locks,
}

/// Keeps other daemons on this machine from using the block key, until dropped.
pub(crate) struct Locks {
    _file: Option<File>,
    _key: KeyLock,
}

/// Opens both keys; prompts for pass phrases and PINs where the file says so.
pub(crate) async fn open(config: &Config, node: &NodeClient) -> Result<Keys, CliError> {
    let (block, locks) = take_block(config, node).await?;
    Ok(Keys {
        block,
        identity: open_identity(config)?,
        locks,
    })
}

/// Opens the block key and locks it for this process.
pub(crate) async fn take_block(
    config: &Config,
    node: &NodeClient,
) -> Result<(Box<dyn Signer>, Locks), CliError> {
    let lock = match &config.keys.block {
        KeySource::File(file) => lock(file)?,
        KeySource::Keystore(keystore) => lock(&keystore.file)?,
        // There is no file to lock: only the lock on the key itself and that of the guard remain.
        KeySource::Hsm(_) | KeySource::Node { .. } => None,
    };
    let block = open_block(config, node).await?;
    let locks = Locks {
        _file: lock,
        _key: lock_key(&block.public_key())?,
    };
    Ok((block, locks))
}

/// Opens the block key without a lock: the caller must not sign blocks with it.
pub(crate) async fn open_block(
    config: &Config,
    node: &NodeClient,
) -> Result<Box<dyn Signer>, CliError> {
    let network = Network::named(&config.chain).unwrap_or(Network::ELEMENTS_CUSTOM);
    let source = &config.keys.block;
    Ok(match source {
        KeySource::Hsm(hsm) => {
            let key = open_hsm(hsm, KeyRole::Block, Some(own_key(config)?)).await?;
            Box::new(HsmSigner::new(key))
        }
        KeySource::Node { wallet } => Box::new(open_wallet(config, node, wallet.as_deref())?),
        KeySource::File(_) | KeySource::Keystore(_) => {
            let secret = open_file(source, KeyRole::Block, &network)?;
            Box::new(SoftwareSigner::new(secret))
        }
    })
}

/// Creates a signer for a block key in the node's wallet, without contacting the node.
pub(crate) fn open_wallet(
    config: &Config,
    node: &NodeClient,
    wallet: Option<&str>,
) -> Result<NodeWalletSigner, CliError> {
    let client = match wallet {
        Some(wallet) => node.wallet(wallet),
        None => Ok(node.clone()),
    }
    .or_help("check `wallet` in [keys.block]")?;
    let rules = config.federation.rules();
    Ok(NodeWalletSigner::new(client, rules, own_key(config)?))
}

/// Checks that a block key is this operator's.
pub(crate) fn check_block(config: &Config, found: &PublicKey) -> Result<(), CliError> {
    if own_key(config)? == *found {
        return Ok(());
    }
    Err(not_in_roster(&found))
}

/// Checks that an identity key is this operator's.
pub(crate) fn check_identity(config: &Config, found: &XOnlyPublicKey) -> Result<(), CliError> {
    let own = config.federation.member(config.me);
    if own.is_some_and(|own| own.identity == *found) {
        return Ok(());
    }
    Err(not_in_roster(found))
}

fn not_in_roster(found: &dyn core::fmt::Display) -> CliError {
    CliError::failure(
        format!("{found} is not this operator's key in the roster"),
        "configure the key that you joined the federation with",
    )
}

/// Opens the identity key; prompts for its pass phrase where the file says so.
pub(crate) fn open_identity(config: &Config) -> Result<Box<dyn IdentitySigner>, CliError> {
    let network = Network::named(&config.chain).unwrap_or(Network::ELEMENTS_CUSTOM);
    let identity = open_file(&config.keys.identity, KeyRole::Identity, &network)?;
    Ok(Box::new(SoftwareIdentity::new(identity)))
}

/// Opens the key that spends reissuance tokens, if the operator has one.
pub(crate) async fn open_reissuance(
    config: &Config,
) -> Result<Option<Arc<dyn SpendSigner>>, CliError> {
    let network = Network::named(&config.chain).unwrap_or(Network::ELEMENTS_CUSTOM);
    let Some(source) = &config.keys.reissuance else {
        return Ok(None);
    };
    let role = KeyRole::Reissuance;
    Ok(Some(match source {
        KeySource::Hsm(hsm) => Arc::new(HsmSpender::new(open_hsm(hsm, role, None).await?)),
        _ => Arc::new(SoftwareSpender::new(open_file(source, role, &network)?)),
    }))
}

/// Returns this operator's block key according to the roster.
fn own_key(config: &Config) -> Result<PublicKey, CliError> {
    config
        .federation
        .member(config.me)
        .map(|operator| operator.block_key)
        .ok_or_else(|| {
            CliError::failure(
                "this operator is not in the roster",
                "check `operator` in operator.toml",
            )
        })
}

/// Locks the key file for this process, so that no daemon with another store uses the key.
pub(crate) fn lock(path: &Path) -> Result<Option<File>, CliError> {
    let file = File::open(path).map_err(|error| {
        CliError::failure(
            format!("key file `{}`: {error}", path.display()),
            hint(
                &error,
                "configure the file that contains this operator's key",
            ),
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(CliError::failure(
            format!("key file `{}` is in use by another daemon", path.display()),
            "stop that daemon: two daemons with one key could sign two blocks at one height",
        )),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "no lock on the key file: not supported by its file system");
            Ok(None)
        }
    }
}

/// Reads a key that is kept in memory.
fn open_file(source: &KeySource, role: KeyRole, network: &Network) -> Result<Secret, CliError> {
    match source {
        KeySource::File(file) if is_keystore(file) => Err(CliError::failure(
            format!("`{}` is an encrypted keystore", file.display()),
            format!("configure it in a [keys.{role}] table with `kind = \"keystore\"`"),
        )),
        KeySource::File(file) => key_file::read(file, network).or_help_for(|error| {
            hint(
                error,
                "configure the file that contains this operator's key",
            )
        }),
        KeySource::Keystore(keystore) => {
            let what = format!("the pass phrase of {}", keystore.file.display());
            let passphrase = keystore.passphrase.read(&what).or_help_for(|error| {
                secret_hint(error, &format!("check `passphrase` in [keys.{role}]"))
            })?;
            open_as(&keystore.file, role, &Passphrase::new(passphrase))
                .or_help_for(|error| hint(error, &format!("check [keys.{role}]")))
        }
        KeySource::Hsm(_) | KeySource::Node { .. } => Err(CliError::failure(
            format!("the {role} key cannot be of kind {}", source.kind()),
            "use kind \"keystore\" or \"file\"",
        )),
    }
}

/// Returns the help for a file that cannot be used: that for the system's error, if there was one.
fn hint(error: &(dyn core::error::Error + 'static), otherwise: &str) -> String {
    match SystemFault::beneath(error) {
        Some(SystemFault::Missing | SystemFault::Other) | None => otherwise.to_owned(),
        Some(fault) => fault.cure().to_owned(),
    }
}

/// Returns the help for a secret that cannot be read.
fn secret_hint(error: &SecretSourceError, otherwise: &str) -> String {
    match error {
        SecretSourceError::NoVariable { name, .. } if name == "CREDENTIALS_DIRECTORY" => {
            "systemd passes credentials only to its services: run this command in the unit, as ExecStartPre= with the same LoadCredential=".to_owned()
        }
        error => hint(error, otherwise),
    }
}

/// Opens a key in a hardware module. `expected` is its public key, for tokens that do not reveal it.
async fn open_hsm(
    source: &HsmSource,
    role: KeyRole,
    expected: Option<PublicKey>,
) -> Result<HsmKey, CliError> {
    let help = format!(
        "check [keys.{role}], and test the module with `multisig hsm test`: `federation help hardware-modules`"
    );
    let what = format!("the PIN of token {}", source.token);
    let pin = Pin::read(&source.pin, &what, &source.module, &source.token).or_help(&help)?;
    let mut config = HsmConfig::new(
        &source.module,
        source.token.clone(),
        source.key.clone(),
        pin,
    );
    if let Some(sessions) = source.sessions {
        config = config.with_sessions(sessions.try_into().unwrap_or(HsmConfig::MAX_SESSIONS));
    }
    if let Some(timeout) = source.timeout {
        config = config.with_timeout(timeout);
    }
    if let Some(expected) = expected {
        config = config.with_public_key(expected);
    }
    HsmKey::open(config).await.or_help(&help)
}
