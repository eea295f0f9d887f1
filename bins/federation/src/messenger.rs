//! Starting the messenger of the configuration.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use federation_cli::{CliError, OrHelp};
use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaConfig, KafkaProcess};
use federation_messenger_zmq::{Endpoint, ZmqConfig, ZmqMessenger};
use federation_operator::{
    config::{Config, ConfigProblem, KafkaAccess, MessengerAccess, Setting},
    status::MessengerReport,
};
use federation_roster::OperatorId;

use crate::args::LogFormat;

/// The help for a Kafka client that does not start.
const CHECK_KAFKA: &str =
    "check [kafka] in operator.toml; see `federation help the-messenger` for an example";

/// Reports the state of the connections.
pub(crate) type Reporter = Box<dyn Fn() -> MessengerReport + Send>;

/// Starts the messenger.
pub(crate) async fn start(config: &Config) -> Result<Arc<dyn Messenger>, CliError> {
    Ok(start_with_report(config).await?.0)
}

/// Starts the messenger, and returns it with its reporter.
pub(crate) async fn start_with_report(
    config: &Config,
) -> Result<(Arc<dyn Messenger>, Reporter), CliError> {
    match &config.messenger {
        MessengerAccess::Zmq {
            listen,
            per_address,
        } => {
            let messenger = ZmqMessenger::bind(zmq(config, listen, *per_address)?)
                .await
                .or_help("check `listen`, and whether another daemon uses the port")?;
            let messenger = Arc::new(messenger);
            let reported = messenger.clone();
            Ok((messenger, Box::new(move || links(reported.as_ref()))))
        }
        MessengerAccess::Kafka(access) => {
            let messenger = Arc::new(start_kafka(config, access).await?);
            let reported = messenger.clone();
            Ok((messenger, Box::new(move || brokers(&reported))))
        }
        other => Err(CliError::failure(
            format!("unsupported messenger {other:?}"),
            "set `messenger` to \"zmq\" or \"kafka\"",
        )),
    }
}

fn links(messenger: &dyn Messenger) -> MessengerReport {
    let links = messenger.stats().peers;
    let up = links.iter().filter(|link| link.connected).count();
    MessengerReport {
        kind: "zmq".to_owned(),
        connected: up > 0,
        up,
        of: links.len(),
        faults: Vec::new(),
    }
}

fn brokers(messenger: &KafkaProcess) -> MessengerReport {
    let health = messenger.health();
    let unreached = health.brokers.iter().filter_map(|broker| {
        let reason = broker.fault.as_ref()?;
        Some(format!("broker {}: {reason}", broker.address))
    });
    let others = health
        .faults
        .iter()
        .map(|fault| format!("Kafka, {}: {}", fault.subject, fault.reason));
    MessengerReport {
        kind: "kafka".to_owned(),
        connected: messenger.is_connected(),
        up: health
            .brokers
            .iter()
            .filter(|broker| broker.connected)
            .count(),
        of: health.brokers.len(),
        faults: unreached.chain(others).collect(),
    }
}

/// Starts the Kafka client in its own process: C code parses the brokers' answers, and must not do so in
/// the process that holds the keys.
pub(crate) async fn start_kafka(
    config: &Config,
    access: &KafkaAccess,
) -> Result<KafkaProcess, CliError> {
    let kafka = kafka(config, access)?;
    let (program, arguments) = kafka_client();
    KafkaProcess::start(kafka, program, arguments)
        .await
        .or_help(CHECK_KAFKA)
}

/// Returns the program to run as a Kafka client's process, and its arguments.
pub(crate) fn kafka_client() -> (PathBuf, Vec<&'static str>) {
    let (verbose, format) = LOG.get().copied().unwrap_or((false, LogFormat::Text));
    let mut arguments = vec!["kafka-client"];
    if !verbose {
        arguments.push("--quiet");
    }
    if format == LogFormat::Json {
        arguments.extend(["--log-format", "json"]);
    }
    (this_program(), arguments)
}

/// The log settings of this process, which its Kafka client uses too.
static LOG: OnceLock<(bool, LogFormat)> = OnceLock::new();

/// Stores the log settings of this process.
pub(crate) fn set_log(verbose: bool, format: LogFormat) {
    let _ = LOG.set((verbose, format));
}

/// Returns the file of this program, even if it has been replaced by a newer version.
fn this_program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|file| file.exists())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Checks all settings as [`start`] does, without starting anything, and returns the problems.
pub(crate) fn check(config: &Config) -> Vec<ConfigProblem> {
    let wrong = |setting, error: &CliError| config.problem(setting, error.what(), error.help());
    match &config.messenger {
        MessengerAccess::Zmq { listen, .. } => {
            let operators = config.federation.ids().filter_map(|id| {
                let operator = config.federation.member(id)?;
                Some((Setting::Endpoint(id), operator.endpoint.as_str()))
            });
            std::iter::once((Setting::Listen, listen.as_str()))
                .chain(operators)
                .filter_map(|(setting, text)| Some(wrong(setting, &endpoint(text).err()?)))
                .collect()
        }
        // A problem with a secret's file names that file.
        MessengerAccess::Kafka(access) => match access.all_settings() {
            Err(report) => report.problems,
            Ok(_) => kafka(config, access)
                .err()
                .map(|error| wrong(Setting::Kafka, &error))
                .into_iter()
                .collect(),
        },
        _ => Vec::new(),
    }
}

fn endpoint(text: &str) -> Result<Endpoint, CliError> {
    text.parse::<Endpoint>().or_help("write it as host:port")
}

fn zmq(config: &Config, listen: &str, per_address: Option<u16>) -> Result<ZmqConfig, CliError> {
    // This operator's own endpoint too, unless it is plainly this process: if another daemon with the
    // same keys answers there, this one receives its messages and stops (R24).
    let is_peer = |id: &OperatorId, endpoint: &str| *id != config.me || endpoint != listen;
    let operators = config
        .federation
        .ids()
        .filter_map(|id| Some((id, config.federation.member(id)?)))
        .filter(|(id, operator)| is_peer(id, &operator.endpoint))
        .map(|(id, operator)| Ok((id, endpoint(&operator.endpoint)?)))
        .collect::<Result<Vec<_>, CliError>>()?;
    let mut zmq = ZmqConfig::new(endpoint(listen)?, config.federation.id())
        .with_operator(config.me)
        .with_operators(operators);
    if let Some(connections) = per_address {
        zmq = zmq.with_max_per_address(connections.into());
    }
    Ok(zmq)
}

fn kafka(config: &Config, access: &KafkaAccess) -> Result<KafkaConfig, CliError> {
    let settings = access.all_settings().or_plain()?;
    let federation = &config.federation;
    let size = u8::try_from(federation.size()).unwrap_or(u8::MAX);
    let mut kafka = KafkaConfig::new(&access.brokers, federation.id(), size, config.me)
        .and_then(|kafka| kafka.with_settings(settings))
        .or_help(CHECK_KAFKA)?;
    if let Some(prefix) = &access.topic_prefix {
        kafka = kafka.with_topic_prefix(prefix).or_help(CHECK_KAFKA)?;
    }
    if let Some(replication) = access.replication {
        kafka = kafka.with_replication(replication);
    }
    if let Some(retention) = access.retention {
        kafka = kafka.with_retention(retention);
    }
    Ok(kafka)
}
