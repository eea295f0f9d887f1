//! Creates a runnable set of files for N operators on one machine.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use federation_chain::{BlockHash, Dialect, SigningRules};
use federation_files::Access;
use federation_genesis::{
    Genesis, InitialAsset, NodeKind, Settings, Sweep, SweepError, UnviableChain, federation_script,
    problems,
};
use federation_multisig::{KeyOrder, MultisigScript, ScriptError, Threshold, ThresholdError};
use federation_signer::{Secret, key_file};
use hex_conservative::DisplayHex;

/// The maximum length of a chain's name in bytes: it becomes the name of a folder.
const MAX_CHAIN_NAME: usize = 64;

/// The federation to create.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every field is a decision of the caller"
)]
pub struct InitPlan {
    /// The folder; it must be empty or missing.
    pub folder: PathBuf,
    /// The number of operators, N.
    pub operators: u8,
    /// The number of signatures that a block needs, M.
    pub threshold: u8,
    /// The block format.
    pub dialect: Dialect,
    /// The chain's name.
    pub chain: String,
    /// The time from one block to the next.
    pub interval: Duration,
    /// The first of three ports for each operator: messenger, node RPC, node peers.
    pub first_port: u16,
    /// Who receives the 21 million coins of the genesis block.
    pub coins: PayTo,
    /// Who receives the fees of every block.
    pub fees: PayTo,
}

/// Who receives money.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum PayTo {
    /// The federation: M of N of the block keys.
    Federation,
    /// Whoever spends it first.
    Anyone,
    /// Nobody: no coins are created, fees are burnt.
    Nobody,
    /// An output script.
    Script(Vec<u8>),
}

/// The coins of the genesis block, in satoshi.
const COINS: u64 = 2_100_000_000_000_000;
/// `OP_RETURN`.
const BURNT: u8 = 0x6a;

/// Why no files were created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The folder is not empty.
    #[error("{} is not empty: choose another folder", .0.display())]
    NotEmpty(PathBuf),
    /// M is not a valid threshold.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// M of N does not make a script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// M is not a majority.
    #[error("threshold {threshold} of {operators} is not a majority: use at least {}", .operators / 2 + 1)]
    NoMajority {
        /// M.
        threshold: u8,
        /// N.
        operators: u8,
    },
    /// Nodes do not accept the chain's name.
    #[error(
        "`{0}` is not a valid chain name: use up to {MAX_CHAIN_NAME} letters, digits, `_` and `-`"
    )]
    ChainName(String),
    /// The chain's name is one of the node's built-in chains.
    #[error("`{0}` is one of the node's built-in chains: choose another name")]
    ChainTaken(String),
    /// The interval is zero.
    #[error("the interval is zero: use a second or more")]
    Interval,
    /// No genesis block results from the configuration.
    #[error("nodes cannot create this chain: {0}")]
    Genesis(String),
    /// The coins cannot go to this script.
    #[error("invalid destination of the coins: {0}")]
    Coins(#[from] SweepError),
    /// The chain would not work.
    #[error("this chain cannot work: {0}")]
    UnviableChain(UnviableChain),
    /// Too few ports above the first one.
    #[error("there are not enough ports above {0}: choose a lower first port")]
    Ports(u16),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A key file cannot be written.
    #[error(transparent)]
    Key(#[from] key_file::KeyFileError),
}

/// What follows from the nodes' configuration: the genesis block, and the sweep that the operators must
/// agree on.
struct ChainStart {
    genesis: BlockHash,
    sweep: Option<Sweep>,
}

/// Computes the genesis block of the nodes' configuration, and the sweep of its coins if they need one.
fn start_chain(
    plan: &InitPlan,
    conf: &str,
    script: &MultisigScript,
) -> Result<ChainStart, InitError> {
    let failed = |error: &dyn core::fmt::Display| InitError::Genesis(error.to_string());
    let settings = Settings::parse(plan.dialect.into(), conf).map_err(|error| failed(&error))?;
    let genesis = Genesis::compute(&settings, None).map_err(|error| failed(&error))?;
    let is_for_anyone = genesis.assets().any(InitialAsset::anyone_can_spend);
    let sweep = match pay_script(plan, &plan.coins, script) {
        Some(to) if is_for_anyone => Some(Sweep::new(&genesis, |_| Some(to.clone()))?),
        _ => None,
    };
    let found =
        problems(&settings, &genesis, None, sweep.as_ref()).map_err(|error| failed(&error))?;
    let problem = found.into_iter().find(|problem| {
        !(plan.coins == PayTo::Anyone && matches!(problem, UnviableChain::AnyoneCanSpend { .. }))
    });
    match problem {
        Some(problem) => Err(InitError::UnviableChain(problem)),
        None => Ok(ChainStart {
            genesis: genesis.hash(),
            sweep,
        }),
    }
}

/// Returns the output script of a destination; `None` for anyone and nobody.
fn pay_script(plan: &InitPlan, to: &PayTo, script: &MultisigScript) -> Option<Vec<u8>> {
    match to {
        PayTo::Federation => Some(federation_script(plan.dialect.into(), script.clone())),
        PayTo::Script(script) => Some(script.clone()),
        PayTo::Anyone | PayTo::Nobody => None,
    }
}

/// Creates keys, `federation.toml`, and for each operator a folder with `operator.toml`, keys and the
/// configuration of its node. Returns the script. If block 1 must contain a transaction that sweeps
/// coins, it is written to `federation.toml`, and to `sweep.hex` for `multisig genesis compute`.
///
/// # Errors
/// If the plan does not make a federation or a chain, the folder is not empty, or a file cannot be
/// written.
pub fn write(plan: &InitPlan) -> Result<MultisigScript, InitError> {
    let threshold = Threshold::new(plan.threshold)?;
    if u16::from(plan.threshold) * 2 <= u16::from(plan.operators) {
        return Err(InitError::NoMajority {
            threshold: plan.threshold,
            operators: plan.operators,
        });
    }
    check_chain(&plan.chain, plan.dialect)?;
    if plan.interval.is_zero() {
        return Err(InitError::Interval);
    }
    let last = u32::from(plan.first_port) + 3 * u32::from(plan.operators);
    if last > u32::from(u16::MAX) {
        return Err(InitError::Ports(plan.first_port));
    }
    let block_keys: Vec<Secret> = (0..plan.operators).map(|_| Secret::generate()).collect();
    let identities: Vec<Secret> = (0..plan.operators).map(|_| Secret::generate()).collect();
    let script = MultisigScript::new(
        threshold,
        block_keys.iter().map(Secret::public_key).collect(),
        KeyOrder::AsGiven,
    )?;
    let occupied =
        std::fs::read_dir(&plan.folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(InitError::NotEmpty(plan.folder.clone()));
    }
    let size = SigningRules::required_signature_size(plan.dialect, &script);
    let start = start_chain(plan, &node_conf(plan, 0, &script, size), &script)?;
    create_folder(&plan.folder)?;
    for index in 0..plan.operators {
        let folder = plan.folder.join(format!("operator-{index}"));
        create_folder(&folder)?;
        create_folder(&folder.join("node"))?;
        let key = usize::from(index);
        key_file::create(&folder.join("block.key"), &block_keys[key])?;
        key_file::create(&folder.join("identity.key"), &identities[key])?;
        write_new(&folder.join("operator.toml"), &operator_toml(plan, index))?;
        write_new(
            &folder
                .join("node")
                .join(NodeKind::from(plan.dialect).conf_file()),
            &node_conf(plan, index, &script, size),
        )?;
    }
    let public = federation_toml(plan, &block_keys, &identities, size, &start);
    write_new(&plan.folder.join("federation.toml"), &public)?;
    if let Some(sweep) = &start.sweep {
        let hex = sweep.to_bytes().to_lower_hex_string();
        write_new(&plan.folder.join("sweep.hex"), &(hex + "\n"))?;
    }
    Ok(script)
}

/// Checks a chain's name, which the node uses for a folder and derives the genesis block from.
fn check_chain(name: &str, dialect: Dialect) -> Result<(), InitError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > MAX_CHAIN_NAME || !name.chars().all(is_plain) {
        return Err(InitError::ChainName(name.to_owned()));
    }
    // The node's built-in chains have fixed genesis blocks, without the federation's script.
    let taken: &[&str] = match dialect {
        Dialect::Ocean => &["main", "test", "ocean_main", "gold_main", "regtest"],
        Dialect::Elements | Dialect::Dynafed => &[
            "main",
            "test",
            "signet",
            "regtest",
            "liquidv1",
            "liquidv1test",
            "liquidtestnet",
        ],
    };
    if taken.contains(&name) {
        return Err(InitError::ChainTaken(name.to_owned()));
    }
    Ok(())
}

fn create_folder(path: &Path) -> Result<(), InitError> {
    federation_files::create_private_folder(path).map_err(|source| InitError::File {
        path: path.to_owned(),
        source,
    })
}

fn write_new(path: &Path, text: &str) -> Result<(), InitError> {
    federation_files::create(path, text.as_bytes(), Access::Umask).map_err(|source| {
        InitError::File {
            path: path.to_owned(),
            source,
        }
    })
}

/// Returns the messenger, RPC and peer ports of an operator.
const fn ports(plan: &InitPlan, index: u8) -> (u16, u16, u16) {
    let first = plan.first_port + 3 * index as u16;
    (first, first + 1, first + 2)
}

fn federation_toml(
    plan: &InitPlan,
    block_keys: &[Secret],
    identities: &[Secret],
    size: u32,
    start: &ChainStart,
) -> String {
    let genesis = start.genesis;
    let mut text = format!(
        "# The federation: public, and identical for all operators. Changing a name, a key, the order,\n\
         # the interval or the chain makes another federation; endpoints may change.\n\n\
         chain = \"{}\"\n\
         dialect = \"{}\"            # ocean, elements or dynafed\n\
         genesis = \"{genesis}\"\n\
         threshold = {}                 # signatures that a block needs: more than half\n\
         interval = \"{}ms\"          # from one block to the next\n\
         key_order = \"as-given\"       # of the keys in the script: as-given or lexicographic\n\
         max_block_signature_size = {size}  # con_max_block_sig_size of the chain\n\
         epoch = 0                     # all operators must raise it when an earlier roster returns\n",
        plan.chain,
        plan.dialect,
        plan.threshold,
        plan.interval.as_millis(),
    );
    if let Some(sweep) = &start.sweep {
        let hex = sweep.to_bytes().to_lower_hex_string();
        text.push_str(&format!(
            "# Block 1 contains this transaction, which takes the first coins before anyone else can.\n\
             sweep = \"{hex}\"\n"
        ));
    }
    for index in 0..plan.operators {
        let key = usize::from(index);
        text.push_str(&format!(
            "\n[[operator]]\nname = \"operator-{index}\"\nidentity = \"{}\"\nblock_key = \"{}\"\nendpoint = \"127.0.0.1:{}\"\n",
            identities[key].x_only_public_key(),
            block_keys[key].public_key(),
            ports(plan, index).0,
        ));
    }
    text
}

fn operator_toml(plan: &InitPlan, index: u8) -> String {
    let (messenger, rpc, _) = ports(plan, index);
    let cookie = match plan.dialect {
        Dialect::Ocean | Dialect::Elements | Dialect::Dynafed => {
            format!("node/{}/.cookie", plan.chain)
        }
    };
    format!(
        "# One operator's settings, private. Paths are relative to this file's folder.\n\n\
         federation = \"../federation.toml\"\n\
         operator = \"operator-{index}\"\n\
         store = \"store\"                   # what must never be lost: back it up, but never restore an old copy\n\
         listen = \"127.0.0.1:{messenger}\"       # the address for the other operators\n\
         block_key_file = \"block.key\"\n\
         identity_key_file = \"identity.key\"\n\n\
         [node]\n\
         url = \"http://127.0.0.1:{rpc}\"\n\
         cookie = \"{cookie}\"\n\
         # user = \"...\"                    # instead of the cookie\n\
         # password_file = \"rpcpassword\"\n\
         # timeout = \"30s\"\n"
    )
}

fn node_conf(plan: &InitPlan, index: u8, script: &MultisigScript, size: u32) -> String {
    let (_, rpc, p2p) = ports(plan, index);
    let mut text = format!(
        "# Start: {} -datadir=<this folder>\nchain={}\nserver=1\nsignblockscript={}\ntxindex=1\n",
        NodeKind::from(plan.dialect).daemon(),
        plan.chain,
        script.to_hex(),
    );
    if plan.coins != PayTo::Nobody {
        text.push_str(&format!("initialfreecoins={COINS}\n"));
        // Elements does not have this setting; a sweep in block 1 has the same effect.
        let to = pay_script(plan, &plan.coins, script).filter(|_| plan.dialect == Dialect::Ocean);
        if let Some(to) = to {
            let to = to.to_lower_hex_string();
            text.push_str(&format!("initialfreecoinsdestination={to}\n"));
        }
    }
    let fees = match &plan.fees {
        PayTo::Nobody => Some(vec![BURNT]),
        to => pay_script(plan, to, script),
    };
    if let Some(to) = fees {
        let to = to.to_lower_hex_string();
        text.push_str(&format!("con_mandatorycoinbase={to}\n"));
    }
    // Ocean refuses to start with the settings that Elements needs.
    if plan.dialect == Dialect::Ocean {
        text.push_str("embedcontract=0\n");
    } else {
        text.push_str(&format!(
            "con_max_block_sig_size={size}\ncon_blocksubsidy=0\nvalidatepegin=0\n"
        ));
    }
    if plan.dialect == Dialect::Elements {
        text.push_str("evbparams=dynafed:-2:::\n");
    }
    // Elements reads these from the chain's section only; Ocean does not support sections.
    if plan.dialect != Dialect::Ocean {
        text.push_str(&format!("\n[{}]\n", plan.chain));
    }
    text.push_str(&format!(
        "rpcport={rpc}\nport={p2p}\nbind=127.0.0.1\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\n"
    ));
    for other in (0..plan.operators).filter(|other| *other != index) {
        text.push_str(&format!("addnode=127.0.0.1:{}\n", ports(plan, other).2));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(folder: &Path) -> InitPlan {
        InitPlan {
            folder: folder.join("fed"),
            operators: 3,
            threshold: 2,
            dialect: Dialect::Dynafed,
            chain: "fedchain".to_owned(),
            interval: Duration::from_secs(60),
            first_port: 21000,
            coins: PayTo::Federation,
            fees: PayTo::Federation,
        }
    }

    /// Returns the error for a plan with one change, after checking that nothing was written.
    fn refused(change: impl FnOnce(&mut InitPlan)) -> InitError {
        let folder = tempfile::tempdir().expect("a folder");
        let mut plan = plan(folder.path());
        change(&mut plan);
        let error = write(&plan).expect_err("an invalid plan");
        assert!(!plan.folder.exists(), "{error}");
        error
    }

    #[test]
    fn invalid_thresholds_are_refused() {
        for threshold in [0, 21, 128, 200, 255] {
            let error = refused(|plan| plan.threshold = threshold);
            assert!(matches!(error, InitError::Threshold(_)), "{error}");
        }
        let error = refused(|plan| plan.threshold = 1);
        assert!(matches!(error, InitError::NoMajority { .. }), "{error}");
        let error = refused(|plan| plan.threshold = 4);
        assert!(matches!(error, InitError::Script(_)), "{error}");
    }

    #[test]
    fn chain_names_that_nodes_do_not_accept_are_refused() {
        for name in ["", "a\"b", "a b", "../x", "a\nb", "\u{e9}", &"x".repeat(65)] {
            let error = refused(|plan| plan.chain = name.to_owned());
            assert!(matches!(error, InitError::ChainName(_)), "{error}");
        }
        for name in ["main", "liquidv1"] {
            let error = refused(|plan| plan.chain = name.to_owned());
            assert!(matches!(error, InitError::ChainTaken(_)), "{error}");
        }
    }

    #[test]
    fn a_zero_interval_and_too_few_ports_are_refused() {
        let error = refused(|plan| plan.interval = Duration::ZERO);
        assert!(matches!(error, InitError::Interval), "{error}");
        let error = refused(|plan| plan.first_port = 65530);
        assert!(matches!(error, InitError::Ports(65530)), "{error}");
    }

    /// Writes a changed plan and returns the nodes' settings, the sweep, the script and
    /// `federation.toml`.
    fn written(
        change: impl FnOnce(&mut InitPlan),
    ) -> (Settings, Option<Sweep>, MultisigScript, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut plan = plan(folder.path());
        change(&mut plan);
        let script = write(&plan).expect("a federation");
        let read = |name: &str| std::fs::read_to_string(plan.folder.join(name));
        let node = NodeKind::from(plan.dialect);
        let conf = format!("operator-2/node/{}", node.conf_file());
        let settings = Settings::parse(node, &read(&conf).expect("a file"));
        let sweep = read("sweep.hex").ok().map(|hex| {
            let bytes = hex_conservative::FromHex::from_hex(hex.trim());
            let bytes: Vec<u8> = bytes.expect("hex");
            Sweep::from_bytes(&bytes).expect("a sweep")
        });
        let public = read("federation.toml").expect("a file");
        (settings.expect("settings"), sweep, script, public)
    }

    #[test]
    fn the_chain_works_and_only_the_federation_can_spend_its_money() {
        for dialect in Dialect::ALL {
            let (settings, sweep, script, public) = written(|plan| plan.dialect = dialect);
            let genesis = Genesis::compute(&settings, None).expect("a genesis");
            assert!(public.contains(&genesis.hash().to_string()), "{public}");
            assert_eq!(
                problems(&settings, &genesis, None, sweep.as_ref()),
                Ok(vec![])
            );
            let warnings = federation_genesis::warnings(&settings, &genesis, sweep.as_ref());
            assert_eq!(warnings, [], "{dialect}");
            // Elements has no setting for the coins' destination: block 1 sweeps them.
            assert_eq!(sweep.is_some(), dialect != Dialect::Ocean);
            let own = federation_script(dialect.into(), script).to_lower_hex_string();
            if let Some(sweep) = sweep {
                let hex = sweep.to_bytes().to_lower_hex_string();
                assert!(hex.contains(&own), "{hex}");
                assert!(public.contains(&format!("sweep = \"{hex}\"")), "{public}");
            }
            let fees = settings
                .iter()
                .find(|one| one.name == "con_mandatorycoinbase");
            assert_eq!(fees.expect("a setting").values, [own]);
        }
    }

    #[test]
    fn coins_and_fees_go_to_the_given_destinations() {
        let to = [&[0, 20][..], &[7; 20]].concat();
        for dialect in Dialect::ALL {
            let (settings, sweep, ..) = written(|plan| {
                plan.dialect = dialect;
                (plan.coins, plan.fees) = (PayTo::Script(to.clone()), PayTo::Nobody);
            });
            let conf = settings.to_conf();
            assert!(conf.contains("con_mandatorycoinbase=6a\n"), "{conf}");
            let hex = to.to_lower_hex_string();
            let bytes = sweep.map(|sweep| sweep.to_bytes().to_lower_hex_string());
            assert!(conf.contains(&hex) || bytes.expect("a sweep").contains(&hex));
            let (settings, sweep, ..) = written(|plan| {
                plan.dialect = dialect;
                (plan.coins, plan.fees) = (PayTo::Nobody, PayTo::Anyone);
            });
            let conf = settings.to_conf();
            assert!(!conf.contains("coin"), "{conf}");
            assert_eq!(sweep, None);
            let (settings, sweep, ..) = written(|plan| {
                plan.dialect = dialect;
                (plan.coins, plan.fees) = (PayTo::Anyone, PayTo::Anyone);
            });
            assert!(
                settings
                    .to_conf()
                    .contains("initialfreecoins=2100000000000000\n")
            );
            assert_eq!(sweep, None);
        }
    }

    #[test]
    fn a_script_that_anyone_can_spend_must_be_requested_as_anyone() {
        let error = refused(|plan| plan.coins = PayTo::Script(vec![0x51]));
        assert!(matches!(error, InitError::Coins(_)), "{error}");
        let error = refused(|plan| plan.fees = PayTo::Script(vec![0x51]));
        assert!(matches!(error, InitError::UnviableChain(_)), "{error}");
    }
}
