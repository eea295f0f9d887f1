//! Making a runnable set of files for N operators on one machine.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use federation_chain::{BlockHash, Dialect, SigningRules};
use federation_multisig::{KeyOrder, MultisigScript, ScriptError, Threshold, ThresholdError};
use federation_signer::{Secret, key_file};

/// The longest name of a chain, in bytes: it becomes the name of a folder.
const MAX_CHAIN_NAME: usize = 64;

/// What to make.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every field is a decision of the caller"
)]
pub struct InitPlan {
    /// The folder; it must be empty or missing.
    pub folder: PathBuf,
    /// N.
    pub operators: u8,
    /// M.
    pub threshold: u8,
    /// The block format.
    pub dialect: Dialect,
    /// The chain's name.
    pub chain: String,
    /// The time from one block to the next.
    pub interval: Duration,
    /// The first of three ports for each operator: messenger, node RPC, node peers.
    pub first_port: u16,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The folder holds something.
    #[error("{} is not empty: choose another folder", .0.display())]
    NotEmpty(PathBuf),
    /// M is no threshold.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// M of N is no script.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// M is no majority.
    #[error("threshold {threshold} of {operators} is not a majority: use at least {}", .operators / 2 + 1)]
    NoMajority {
        /// M.
        threshold: u8,
        /// N.
        operators: u8,
    },
    /// The chain's name is none that a node takes.
    #[error("`{0}` is no name of a chain: use up to {MAX_CHAIN_NAME} letters, digits, `_` and `-`")]
    ChainName(String),
    /// The nodes know a chain of this name already.
    #[error("`{0}` is a chain that the node knows already: choose a name of your own")]
    ChainTaken(String),
    /// Blocks without time between them.
    #[error("the interval is zero: choose one of a second or more")]
    Interval,
    /// The chain has no genesis block.
    #[error("no node makes such a chain: {0}")]
    Genesis(String),
    /// Not enough ports above the first.
    #[error("there are not enough ports from {0} up: choose a lower one")]
    Ports(u16),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key file cannot be written.
    #[error(transparent)]
    Key(#[from] key_file::KeyFileError),
}

/// Makes keys, `federation.toml`, and for each operator a folder with `operator.toml`, keys and the
/// configuration of its node; the script that was made. `genesis` computes the genesis hash of the
/// chain with this script and signature size.
///
/// # Errors
/// If the plan makes no federation, the folder is not empty, or a file cannot be written.
pub fn write<E: core::fmt::Display>(
    plan: &InitPlan,
    genesis: impl FnOnce(&MultisigScript, u32) -> Result<BlockHash, E>,
) -> Result<MultisigScript, InitError> {
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
    let genesis = genesis(&script, size).map_err(|error| InitError::Genesis(error.to_string()))?;
    create_folder(&plan.folder)?;
    for index in 0..plan.operators {
        let folder = plan.folder.join(format!("operator-{index}"));
        create_folder(&folder)?;
        create_folder(&folder.join("node"))?;
        let place = usize::from(index);
        key_file::create(&folder.join("block.key"), &block_keys[place])?;
        key_file::create(&folder.join("identity.key"), &identities[place])?;
        put(&folder.join("operator.toml"), &operator_toml(plan, index))?;
        put(
            &folder.join("node").join(node_file(plan.dialect)),
            &node_conf(plan, index, &script, size),
        )?;
    }
    let public = federation_toml(plan, &block_keys, &identities, size, genesis);
    put(&plan.folder.join("federation.toml"), &public)?;
    Ok(script)
}

/// A name that a node takes, makes a folder of, and derives the genesis block from.
fn check_chain(name: &str, dialect: Dialect) -> Result<(), InitError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > MAX_CHAIN_NAME || !name.chars().all(is_plain) {
        return Err(InitError::ChainName(name.to_owned()));
    }
    // Chains with a genesis block of their own, in which no script of ours stands.
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
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| InitError::File {
        path: path.to_owned(),
        source,
    })
}

fn put(path: &Path, text: &str) -> Result<(), InitError> {
    std::fs::File::create_new(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| InitError::File {
            path: path.to_owned(),
            source,
        })
}

/// Messenger, RPC and peer port of an operator.
const fn ports(plan: &InitPlan, index: u8) -> (u16, u16, u16) {
    let first = plan.first_port + 3 * index as u16;
    (first, first + 1, first + 2)
}

const fn node_file(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ocean => "ocean.conf",
        Dialect::Elements | Dialect::Dynafed => "elements.conf",
    }
}

fn federation_toml(
    plan: &InitPlan,
    block_keys: &[Secret],
    identities: &[Secret],
    size: u32,
    genesis: BlockHash,
) -> String {
    let mut text = format!(
        "# The federation, public and the same for every operator. A changed name, key, order,\n\
         # interval or chain makes another federation; endpoints may change.\n\n\
         chain = \"{}\"\n\
         dialect = \"{}\"            # ocean, elements or dynafed\n\
         genesis = \"{genesis}\"\n\
         threshold = {}                 # signatures that a block needs, more than half\n\
         interval = \"{}ms\"          # from one block to the next\n\
         key_order = \"as-given\"       # of the keys in the script: as-given or lexicographic\n\
         max_block_signature_size = {size}  # con_max_block_sig_size of the chain\n\
         epoch = 0                     # to be raised by all when a roster comes back that was in force before\n",
        plan.chain,
        plan.dialect,
        plan.threshold,
        plan.interval.as_millis(),
    );
    for index in 0..plan.operators {
        let place = usize::from(index);
        text.push_str(&format!(
            "\n[[operator]]\nname = \"operator-{index}\"\nidentity = \"{}\"\nblock_key = \"{}\"\nendpoint = \"127.0.0.1:{}\"\n",
            identities[place].x_only_public_key(),
            block_keys[place].public_key(),
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
        "# One operator, private. Paths are counted from this file's folder.\n\n\
         federation = \"../federation.toml\"\n\
         operator = \"operator-{index}\"\n\
         store = \"store\"                   # what must not be forgotten: back it up, never copy it back\n\
         listen = \"127.0.0.1:{messenger}\"       # where the other operators find this one\n\
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
        "# Start: {} -datadir=<this folder>\nchain={}\nserver=1\nsignblockscript={}\ninitialfreecoins=2100000000000000\ntxindex=1\n",
        match plan.dialect {
            Dialect::Ocean => "oceand",
            _ => "elementsd",
        },
        plan.chain,
        script.to_hex(),
    );
    // Ocean refuses to start with what Elements needs.
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
    // Elements takes these from the chain's section only; Ocean knows no sections.
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
        }
    }

    fn genesis(_: &MultisigScript, _: u32) -> Result<BlockHash, core::convert::Infallible> {
        Ok(BlockHash::from_bytes([7; 32]))
    }

    /// The error of a plan with one thing changed; nothing may have been written.
    fn refused(change: impl FnOnce(&mut InitPlan)) -> InitError {
        let folder = tempfile::tempdir().expect("a folder");
        let mut plan = plan(folder.path());
        change(&mut plan);
        let error = write(&plan, genesis).expect_err("no such federation");
        assert!(!plan.folder.exists(), "{error}");
        error
    }

    #[test]
    fn thresholds_that_make_no_federation_are_refused() {
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
    fn chain_names_that_no_node_takes_are_refused() {
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
    fn no_time_and_no_ports_are_refused() {
        let error = refused(|plan| plan.interval = Duration::ZERO);
        assert!(matches!(error, InitError::Interval), "{error}");
        let error = refused(|plan| plan.first_port = 65530);
        assert!(matches!(error, InitError::Ports(65530)), "{error}");
    }
}
