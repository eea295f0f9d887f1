//! `federation run --rpconnect`: an operator by the Python program's flags.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use federation_chain::{Dialect, Header, Proof, SigningRules};
use federation_classic::{
    BlockSigner, Config, GuardFile, KeySigner, NodeSigner, Operator, Schedule, TurnGuard,
    wire::{
        Wire,
        kafka::{KafkaConfig, KafkaWire},
        zmq::{ZmqConfig, ZmqWire},
    },
};
use federation_cli::CliError;
use federation_multisig::{MultisigScript, Network};
use federation_ocean_rpc::{Auth, Node, NodeClient, NodeConfig, RpcError};
use federation_operator::{StartError, check_chain_form, log_money_warnings};
use federation_signer::{SoftwareSigner, key_file};
use tokio_util::sync::CancellationToken;

use super::{
    ClassicArgs,
    args::{Common, MessengerType},
    reissuance,
};
use crate::{cli::RunArgs, cures, keys, messenger, run::with_causes, runtime};

/// How many operators the Python program takes for granted without a list.
const OPERATORS: usize = 5;
/// The pause between two tries to reach the node.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an operator that was told to stop may take to do so.
const WINDING_UP: Duration = Duration::from_millis(500);

/// Runs until it is told to stop, or cannot go on.
pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, CliError> {
    let overrides = args.settings.overrides();
    let common = Common {
        store: overrides.store,
        listen: overrides.listen,
        block_key_file: overrides.block_key_file,
        password_file: overrides.node_password_file,
        timeout: overrides.node_timeout,
    };
    check(&args.classic)?;
    runtime::current_thread()?.until_stopped(async |stop| {
        let token = CancellationToken::new();
        let running = operate(&args.classic, &common, token.clone());
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => return ended,
            _ = stop.asked() => token.cancel(),
        }
        tokio::select! {
            ended = running => ended,
            // It still waits for the node, or for a key.
            () = tokio::time::sleep(WINDING_UP) => Ok(ExitCode::SUCCESS),
        }
    })
}

/// What the flags by themselves tell to be wrong.
fn check(args: &ClassicArgs) -> Result<(), CliError> {
    reissuance::check(args)?;
    if args.hsm {
        return Err(CliError::usage(
            "--hsm needs the module, token and key, which the Python program took from elsewhere",
            "describe the key in [keys.block] of operator.toml and run with --config: `federation help one-operator-changes`",
        ));
    }
    if args.msgtype == MessengerType::Zmq && args.nodes.is_empty() {
        return Err(CliError::usage(
            "--msgtype zmq needs the operators' addresses",
            "add --nodes \"host:port,host:port,...\", the same list at all operators",
        ));
    }
    if let Some(script) = given_script(args)? {
        check_threshold(args, &script)?;
    }
    let operators = operators(args);
    Schedule::new(args.blocktime, operators)
        .map_err(|error| CliError::usage(error, "check --blocktime and --nodes"))?;
    match args.msgtype {
        MessengerType::Zmq => ZmqConfig::new(args.nodes.clone(), me(args)).map(drop),
        MessengerType::Kafka => KafkaConfig::new(&args.kafka, operators, me(args)).map(drop),
    }
    .map_err(|error| CliError::usage(error, "check --nodes and --id, which counts from 0"))?;
    if args.rpcpassword.is_some() {
        tracing::warn!(
            "the password of --rpcpassword is seen by every user of this machine: write it to a file and give --node-password-file"
        );
    }
    Ok(())
}

/// The script that the flags name.
fn given_script(args: &ClassicArgs) -> Result<Option<MultisigScript>, CliError> {
    let script = args
        .signblockscript
        .as_deref()
        .map(MultisigScript::from_hex);
    script
        .transpose()
        .map_err(|error| CliError::usage(error, "check --signblockscript"))
}

/// Refuses another number of signatures than the script demands.
fn check_threshold(args: &ClassicArgs, script: &MultisigScript) -> Result<(), CliError> {
    let threshold = script.threshold().to_u8();
    if threshold == args.nsigs {
        return Ok(());
    }
    Err(CliError::usage(
        format!(
            "the chain's script demands {threshold} signatures, not {}",
            args.nsigs
        ),
        format!("give --nsigs {threshold}"),
    ))
}

/// How many operators there are.
const fn operators(args: &ClassicArgs) -> usize {
    match args.nodes.len() {
        0 => OPERATORS,
        count => count,
    }
}

/// The own place among them.
fn me(args: &ClassicArgs) -> usize {
    usize::try_from(args.id.unwrap_or_default()).unwrap_or(usize::MAX)
}

async fn operate(
    args: &ClassicArgs,
    common: &Common,
    stop: CancellationToken,
) -> Result<ExitCode, CliError> {
    let client = connect(args, common)?;
    let rules = waiting(|| rules(args, &client)).await?;
    let genesis = waiting(|| async { client.genesis_hash().await.map_err(Trouble::from) }).await?;
    log_money_warnings(&client, rules.dialect(), None, None).await;
    let operators = operators(args);
    let schedule = Schedule::new(args.blocktime, operators)
        .map_err(|error| CliError::usage(error, "check --blocktime and --nodes"))?;
    let config = Config::new(rules.clone(), schedule, me(args));
    let store = common
        .store
        .clone()
        .unwrap_or_else(|| format!("federation-classic-{}", config.me()).into());
    tracing::info!(
        folder = %store.display(),
        "what is signed is remembered here: keep it over restarts, or give --store"
    );
    let guard = GuardFile::open(&store, genesis, config.me())
        .map(TurnGuard::new)
        .map_err(|error| CliError::failure(with_causes(&error), cures::of_classic_guard(&error)))?;
    // Held while the operator runs.
    let (signer, _lock) = signer(common, &client, &rules)?;
    let wire = wire(args, common, operators, config.me()).await?;
    let reissuer = reissuance::reissuer(args, &client).await?;
    let mut operator = Operator::new(config, Arc::new(client), wire, signer, guard);
    if let Some(reissuer) = reissuer {
        operator = operator.with_reissuer(reissuer);
    }
    match operator.run(stop).await {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(CliError::failure(
            with_causes(&error),
            "see the log; nothing was signed after this",
        )),
    }
}

fn connect(args: &ClassicArgs, common: &Common) -> Result<NodeClient, CliError> {
    let host = args.rpconnect.as_deref().unwrap_or_default();
    let port = args.rpcport.unwrap_or_default();
    let url = if host.contains(':') && !host.starts_with('[') {
        format!("http://[{host}]:{port}")
    } else {
        format!("http://{host}:{port}")
    };
    let password = match (&args.rpcpassword, &common.password_file) {
        (Some(password), _) => password.clone(),
        (None, Some(file)) => read_password(file)?,
        (None, None) => {
            return Err(CliError::usage(
                "the node's password is missing",
                "write it to a file and give --node-password-file",
            ));
        }
    };
    let user = args.rpcuser.clone().unwrap_or_default();
    let mut node = NodeConfig::new(url).with_auth(Auth::basic(user, password));
    if let Some(timeout) = common.timeout {
        node = node.with_timeout(timeout);
    }
    NodeClient::new(node).map_err(|error| CliError::usage(error, "check --rpconnect and --rpcport"))
}

fn read_password(file: &Path) -> Result<String, CliError> {
    let failed = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("password file `{}`: {what}", file.display()),
            "put the node's rpcpassword alone into this file",
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.contains('\n') {
        return Err(failed(&"it does not hold one password"));
    }
    Ok(password.to_owned())
}

/// What keeps the node from telling its chain's rules.
enum Trouble {
    Node(RpcError),
    Told(CliError),
}

impl From<RpcError> for Trouble {
    fn from(error: RpcError) -> Self {
        Self::Node(error)
    }
}

/// Asks until the node is there; what does not pass by waiting is told.
async fn waiting<T, F>(ask: impl Fn() -> F) -> Result<T, CliError>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let mut told = false;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(Trouble::Told(error)) => return Err(error),
            Err(Trouble::Node(error)) if error.is_transient() => {
                if !core::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "waiting for the node");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(Trouble::Node(error)) => {
                return Err(CliError::failure(
                    error,
                    "check --rpconnect, --rpcport, --rpcuser and the password",
                ));
            }
        }
    }
}

/// The chain's rules, as its best block has them.
async fn rules(args: &ClassicArgs, client: &NodeClient) -> Result<SigningRules, Trouble> {
    let told =
        |what: &dyn core::fmt::Display, cure: &str| Trouble::Told(CliError::failure(what, cure));
    let dialect = client.dialect().await?;
    let info = client.blockchain_info().await?;
    check_chain_form(client, dialect, &info)
        .await
        .map_err(|error| match error {
            StartError::Node(error) => Trouble::Node(error),
            other => told(&other, &cures::of_start(&other)),
        })?;
    let header = client.header(info.best_block_hash).await?;
    let header = Header::decode(dialect, &header)
        .map_err(|error| told(&error, "check that the node is of a signed chain"))?;
    let script = match given_script(args).map_err(Trouble::Told)? {
        Some(script) => script,
        None => {
            let bytes = match &header.fields().proof {
                Proof::Dynafed { witness, .. } => witness.last().cloned().unwrap_or_default(),
                _ if dialect == Dialect::Dynafed => Vec::new(),
                _ => header.signing_script().to_vec(),
            };
            MultisigScript::from_bytes(&bytes).map_err(|error| {
                told(
                    &format_args!("the chain's best block tells no M-of-N script: {error}"),
                    "give the chain's script with --signblockscript",
                )
            })?
        }
    };
    check_threshold(args, &script).map_err(Trouble::Told)?;
    let needed = SigningRules::required_signature_size(dialect, &script);
    let size = info.max_block_witness.unwrap_or(needed).max(needed);
    SigningRules::new(dialect, script, size)
        .map_err(|error| told(&error, "check the chain's con_max_block_sig_size"))
}

/// The own signer, and the lock of its key file.
fn signer(
    common: &Common,
    client: &NodeClient,
    rules: &SigningRules,
) -> Result<(Arc<dyn BlockSigner>, Option<std::fs::File>), CliError> {
    let Some(file) = &common.block_key_file else {
        return Ok((Arc::new(NodeSigner::new(client.clone(), rules)), None));
    };
    let cure = "give the file that holds this operator's key";
    let key = key_file::read(file, &Network::ELEMENTS_CUSTOM)
        .map_err(|error| CliError::failure(with_causes(&error), cure))?;
    if rules.script().position(&key.public_key()).is_none() {
        let what = format!("the key in {} is none of the chain's", file.display());
        return Err(CliError::failure(what, cure));
    }
    let signer = KeySigner::new(Arc::new(SoftwareSigner::new(key)));
    Ok((Arc::new(signer), keys::lock(file)?))
}

async fn wire(
    args: &ClassicArgs,
    common: &Common,
    operators: usize,
    me: usize,
) -> Result<Arc<dyn Wire>, CliError> {
    let failed = |error: federation_classic::wire::WireError| {
        CliError::failure(with_causes(&error), "check --nodes, --id and --kafka")
    };
    match args.msgtype {
        MessengerType::Zmq => {
            let mut config = ZmqConfig::new(args.nodes.clone(), me).map_err(failed)?;
            if let Some(listen) = &common.listen {
                config = config.with_listen(listen);
            }
            Ok(Arc::new(ZmqWire::bind(&config).await.map_err(failed)?))
        }
        MessengerType::Kafka => {
            let config = KafkaConfig::new(&args.kafka, operators, me).map_err(failed)?;
            let (program, arguments) = messenger::kafka_client();
            let started = KafkaWire::start(config, program, arguments).await;
            Ok(Arc::new(started.map_err(failed)?))
        }
    }
}
