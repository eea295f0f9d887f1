//! `federation run --rpconnect`: runs an operator by the Python program's flags.

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
use federation_cli::{CliError, OrHelp, with_causes};
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
use crate::{hints, keys, messenger, runtime, verbs::run::RunArgs};

/// The number of operators that the Python program assumes without a list.
const OPERATORS: usize = 5;
/// The pause between two attempts to reach the node.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a stopped operator may take to end.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs until stopped, or until an error ends the operator.
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
            _ = stop.requested() => token.cancel(),
        }
        tokio::select! {
            ended = running => ended,
            // It is still waiting for the node or for a key.
            () = tokio::time::sleep(STOP_TIMEOUT) => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Checks the flags on their own.
fn check(args: &ClassicArgs) -> Result<(), CliError> {
    reissuance::check(args)?;
    if args.hsm {
        return Err(CliError::usage(
            "--hsm does not name the module, token and key, which the Python program reads from elsewhere",
            "configure the key in [keys.block] of operator.toml and run with --config: `federation help one-operator-changes`",
        ));
    }
    if args.msgtype == MessengerType::Zmq && args.nodes.is_empty() {
        return Err(CliError::usage(
            "--msgtype zmq needs the operators' addresses",
            "add --nodes \"host:port,host:port,...\", the same list for all operators",
        ));
    }
    if let Some(script) = given_script(args)? {
        check_threshold(args, &script)?;
    }
    let operators = operators(args);
    Schedule::new(args.blocktime, operators).or_usage("check --blocktime and --nodes")?;
    match args.msgtype {
        MessengerType::Zmq => ZmqConfig::new(args.nodes.clone(), me(args)).map(drop),
        MessengerType::Kafka => KafkaConfig::new(&args.kafka, operators, me(args)).map(drop),
    }
    .or_usage("check --nodes and --id, which counts from 0")?;
    if args.rpcpassword.is_some() {
        tracing::warn!(
            "every user of this machine can see the password of --rpcpassword: write it to a file and use --node-password-file"
        );
    }
    Ok(())
}

/// Returns the script given by the flags.
fn given_script(args: &ClassicArgs) -> Result<Option<MultisigScript>, CliError> {
    let script = args
        .signblockscript
        .as_deref()
        .map(MultisigScript::from_hex);
    script.transpose().or_usage("check --signblockscript")
}

/// Checks that --nsigs is the script's threshold.
fn check_threshold(args: &ClassicArgs, script: &MultisigScript) -> Result<(), CliError> {
    let threshold = script.threshold().to_u8();
    if threshold == args.nsigs {
        return Ok(());
    }
    Err(CliError::usage(
        format!(
            "the chain's script requires {threshold} signatures, not {}",
            args.nsigs
        ),
        format!("use --nsigs {threshold}"),
    ))
}

/// Returns the number of operators.
const fn operators(args: &ClassicArgs) -> usize {
    match args.nodes.len() {
        0 => OPERATORS,
        count => count,
    }
}

/// Returns this operator's index.
fn me(args: &ClassicArgs) -> usize {
    usize::try_from(args.id.unwrap_or_default()).unwrap_or(usize::MAX)
}

async fn operate(
    args: &ClassicArgs,
    common: &Common,
    stop: CancellationToken,
) -> Result<ExitCode, CliError> {
    let client = connect(args, common)?;
    let rules = retry(|| rules(args, &client)).await?;
    let genesis = retry(|| async { client.genesis_hash().await.map_err(RulesError::from) }).await?;
    log_money_warnings(&client, rules.dialect(), None, None).await;
    let operators = operators(args);
    let schedule =
        Schedule::new(args.blocktime, operators).or_usage("check --blocktime and --nodes")?;
    let config = Config::new(rules.clone(), schedule, me(args));
    let store = common
        .store
        .clone()
        .unwrap_or_else(|| format!("federation-classic-{}", config.me()).into());
    tracing::info!(
        folder = %store.display(),
        "recording signed blocks in this folder: keep it across restarts, or choose another with --store"
    );
    let guard = GuardFile::open(&store, genesis, config.me())
        .map(TurnGuard::new)
        .or_help_for(hints::for_classic_guard)?;
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
            "see the log; nothing was signed afterwards",
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
                "write it to a file and use --node-password-file",
            ));
        }
    };
    let user = args.rpcuser.clone().unwrap_or_default();
    let mut node = NodeConfig::new(url).with_auth(Auth::basic(user, password));
    if let Some(timeout) = common.timeout {
        node = node.with_timeout(timeout);
    }
    NodeClient::new(node).or_usage("check --rpconnect and --rpcport")
}

fn read_password(file: &Path) -> Result<String, CliError> {
    let failed = |what: &dyn core::fmt::Display| {
        CliError::failure(
            format!("password file `{}`: {what}", file.display()),
            "write only the node's rpcpassword into this file",
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.contains('\n') {
        return Err(failed(&"expected a single password"));
    }
    Ok(password.to_owned())
}

/// Why the chain's rules could not be determined.
enum RulesError {
    Node(RpcError),
    Fatal(CliError),
}

impl From<RpcError> for RulesError {
    fn from(error: RpcError) -> Self {
        Self::Node(error)
    }
}

/// Retries a call until the node answers; an error that waiting cannot fix is returned.
async fn retry<T, F>(call: impl Fn() -> F) -> Result<T, CliError>
where
    F: Future<Output = Result<T, RulesError>>,
{
    let mut warned = false;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(RulesError::Fatal(error)) => return Err(error),
            Err(RulesError::Node(error)) if error.is_transient() => {
                if !core::mem::replace(&mut warned, true) {
                    tracing::warn!(%error, "waiting for the node");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(RulesError::Node(error)) => {
                return Err(CliError::failure(
                    error,
                    "check --rpconnect, --rpcport, --rpcuser and the password",
                ));
            }
        }
    }
}

/// Reads the chain's rules from its tip.
async fn rules(args: &ClassicArgs, client: &NodeClient) -> Result<SigningRules, RulesError> {
    let fatal = |what: &dyn core::fmt::Display, help: &str| {
        RulesError::Fatal(CliError::failure(what, help))
    };
    let dialect = client.dialect().await?;
    let info = client.blockchain_info().await?;
    check_chain_form(client, dialect, &info)
        .await
        .map_err(|error| match error {
            StartError::Node(error) => RulesError::Node(error),
            other => fatal(&other, &hints::for_start(&other)),
        })?;
    let header = client.header(info.best_block_hash).await?;
    let header = Header::decode(dialect, &header).map_err(|error| {
        fatal(
            &error,
            "check that the node is on a chain with signed blocks",
        )
    })?;
    let script = match given_script(args).map_err(RulesError::Fatal)? {
        Some(script) => script,
        None => {
            let bytes = match &header.fields().proof {
                Proof::Dynafed { witness, .. } => witness.last().cloned().unwrap_or_default(),
                _ if dialect == Dialect::Dynafed => Vec::new(),
                _ => header.signing_script().to_vec(),
            };
            MultisigScript::from_bytes(&bytes).map_err(|error| {
                fatal(
                    &format_args!("the chain's tip does not contain its M-of-N script: {error}"),
                    "pass the chain's script with --signblockscript",
                )
            })?
        }
    };
    check_threshold(args, &script).map_err(RulesError::Fatal)?;
    let needed = SigningRules::required_signature_size(dialect, &script);
    let size = info.max_block_witness.unwrap_or(needed).max(needed);
    SigningRules::new(dialect, script, size)
        .map_err(|error| fatal(&error, "check the chain's con_max_block_sig_size"))
}

/// Opens this operator's signer, and locks its key file.
fn signer(
    common: &Common,
    client: &NodeClient,
    rules: &SigningRules,
) -> Result<(Arc<dyn BlockSigner>, Option<std::fs::File>), CliError> {
    let Some(file) = &common.block_key_file else {
        return Ok((Arc::new(NodeSigner::new(client.clone(), rules)), None));
    };
    let help = "pass the file that contains this operator's key";
    let key = key_file::read(file, &Network::ELEMENTS_CUSTOM).or_help(help)?;
    if rules.script().position(&key.public_key()).is_none() {
        let what = format!("the key in {} is not in the chain's script", file.display());
        return Err(CliError::failure(what, help));
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
    let help = "check --nodes, --id and --kafka";
    match args.msgtype {
        MessengerType::Zmq => {
            let mut config = ZmqConfig::new(args.nodes.clone(), me).or_help(help)?;
            if let Some(listen) = &common.listen {
                config = config.with_listen(listen);
            }
            Ok(Arc::new(ZmqWire::bind(&config).await.or_help(help)?))
        }
        MessengerType::Kafka => {
            let config = KafkaConfig::new(&args.kafka, operators, me).or_help(help)?;
            let (program, arguments) = messenger::kafka_client();
            let started = KafkaWire::start(config, program, arguments).await;
            Ok(Arc::new(started.or_help(help)?))
        }
    }
}
