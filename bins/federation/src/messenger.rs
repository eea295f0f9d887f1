//! The messenger that the configuration asks for.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use federation_cli::CliError;
use federation_messenger::Messenger;
use federation_messenger_kafka::{KafkaConfig, KafkaError, KafkaProcess};
use federation_messenger_zmq::{Endpoint, ZmqConfig, ZmqMessenger};
use federation_operator::{
    config::{Config, KafkaAccess, MessengerAccess, Problem, Setting},
    status::MessengerReport,
};
use federation_roster::OperatorId;

use crate::{cli::LogFormat, run::with_causes};

/// What tells how the way to the others is.
pub(crate) type Reporter = Box<dyn Fn() -> MessengerReport + Send>;

/// Starts it.
pub(crate) async fn start(config: &Config) -> Result<Arc<dyn Messenger>, CliError> {
    Ok(start_told(config).await?.0)
}

/// Starts it, with what tells of it.
pub(crate) async fn start_told(
    config: &Config,
) -> Result<(Arc<dyn Messenger>, Reporter), CliError> {
    match &config.messenger {
        MessengerAccess::Zmq {
            listen,
            per_address,
        } => {
            let messenger = ZmqMessenger::bind(zmq(config, listen, *per_address)?)
                .await
                .map_err(|error| {
                    CliError::failure(
                        with_causes(&error),
                        "check `listen`, and whether another daemon has the port",
                    )
                })?;
            let messenger = Arc::new(messenger);
            let told = messenger.clone();
            Ok((messenger, Box::new(move || links(told.as_ref()))))
        }
        MessengerAccess::Kafka(access) => {
            let messenger = Arc::new(start_kafka(config, access).await?);
            let told = messenger.clone();
            Ok((messenger, Box::new(move || brokers(&told))))
        }
        other => Err(CliError::failure(
            format!("this program has no messenger for {other:?}"),
            "choose zmq or kafka",
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

/// Starts Kafka's client, in a process of its own: what brokers answer is read by C code, and the
/// keys are in this process.
pub(crate) async fn start_kafka(
    config: &Config,
    access: &KafkaAccess,
) -> Result<KafkaProcess, CliError> {
    let kafka = kafka(config, access)?;
    let (program, arguments) = kafka_client();
    KafkaProcess::start(kafka, program, arguments)
        .await
        .map_err(kafka_failed)
}

/// The program that is the process of a Kafka client, and its arguments.
pub(crate) fn kafka_client() -> (PathBuf, Vec<&'static str>) {
    let (told, format) = LOG.get().copied().unwrap_or((false, LogFormat::Text));
    let mut arguments = vec!["kafka-client"];
    if !told {
        arguments.push("--quiet");
    }
    if format == LogFormat::Json {
        arguments.extend(["--log-format", "json"]);
    }
    (this_program(), arguments)
}

/// How the log of this process is, for that of the client.
static LOG: OnceLock<(bool, LogFormat)> = OnceLock::new();

/// Notes whether this process tells what it does, and how.
pub(crate) fn note_log(told: bool, format: LogFormat) {
    let _ = LOG.set((told, format));
}

/// The file of this program, also if a newer one has taken its place.
fn this_program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|file| file.exists())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Reads all settings as [`start`] does, and starts nothing: what is wrong with them.
pub(crate) fn check(config: &Config) -> Vec<Problem> {
    let wrong = |setting, error: &CliError| config.problem(setting, error.what(), error.cure());
    match &config.messenger {
        MessengerAccess::Zmq { listen, .. } => {
            let operators = config.federation.ids().filter_map(|id| {
                let operator = config.federation.operator(id)?;
                Some((Setting::Endpoint(id), operator.endpoint.as_str()))
            });
            std::iter::once((Setting::Listen, listen.as_str()))
                .chain(operators)
                .filter_map(|(setting, text)| Some(wrong(setting, &endpoint(text).err()?)))
                .collect()
        }
        // What is wrong with a file of a secret is about that file.
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
    text.parse::<Endpoint>()
        .map_err(|error| CliError::failure(error, "write host:port"))
}

fn zmq(config: &Config, listen: &str, per_address: Option<u16>) -> Result<ZmqConfig, CliError> {
    // The place where the others hear this operator, too, if it is not plainly this process: should
    // another daemon with the same keys answer there, this one hears it and stops (R24).
    let is_peer = |id: &OperatorId, endpoint: &str| *id != config.me || endpoint != listen;
    let operators = config
        .federation
        .ids()
        .filter_map(|id| Some((id, config.federation.operator(id)?)))
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
    let settings = access
        .all_settings()
        .map_err(|report| CliError::plain(report.to_string()))?;
    let federation = &config.federation;
    let size = u8::try_from(federation.size()).unwrap_or(u8::MAX);
    let mut kafka = KafkaConfig::new(&access.brokers, federation.id(), size, config.me)
        .and_then(|kafka| kafka.with_settings(settings))
        .map_err(kafka_failed)?;
    if let Some(prefix) = &access.topic_prefix {
        kafka = kafka.with_topic_prefix(prefix).map_err(kafka_failed)?;
    }
    if let Some(replication) = access.replication {
        kafka = kafka.with_replication(replication);
    }
    if let Some(retention) = access.retention {
        kafka = kafka.with_retention(retention);
    }
    Ok(kafka)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn kafka_failed(error: KafkaError) -> CliError {
    CliError::failure(
        with_causes(&error),
        "check [kafka] in operator.toml; `federation help the-messenger` has an example",
    )
}
