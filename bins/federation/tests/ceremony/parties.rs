//! Five parties and their ceremony.

use std::{
    ffi::OsString,
    fs,
    io::Cursor,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use federation_ceremony::Certificate;
use federation_chain::Dialect;
use federation_local::free_ports;
use federation_messenger_kafka::mock::MockBrokers;
use federation_roster::OperatorId;
use federation_signer_hsm::testing::{SO_PIN, USER_PIN, conf_of, softhsm, token_folder};
use tempfile::TempDir;

use crate::{
    machine::Machine,
    programs::{json, multisig, text},
};

const N: usize = 5;
/// The ports of each party: messenger, node, and RPC, which the bundle puts above the node's.
const PORTS: u16 = 3;
/// Coins at the genesis, in satoshi, if there are any.
pub(crate) const COINS: u64 = 500_000;
const NO_KEYSTORE: &str = "kind = \"file\"";

/// The chain that they agree on.
pub(crate) struct Plan {
    pub(crate) dialect: Dialect,
    keystores: bool,
    coins: bool,
    module: Option<Module>,
    kafka: Option<Kafka>,
}

/// The brokers that all parties use.
enum Kafka {
    Embedded(MockBrokers),
    Real(String),
}

impl Plan {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            keystores: false,
            coins: false,
            module: None,
            kafka: None,
        }
    }

    /// Uses encrypted key files, as the bundles expect; these take some time.
    pub(crate) const fn with_keystores(mut self) -> Self {
        self.keystores = true;
        self
    }

    /// Creates genesis coins, which block 1 sweeps to an agreed output.
    pub(crate) const fn with_coins(mut self) -> Self {
        self.coins = true;
        self
    }

    /// Puts the last party's block key into a hardware module.
    pub(crate) fn with_module(mut self) -> Self {
        self.module = Some(Module::new());
        self
    }

    pub(crate) fn with_kafka(mut self, brokers: MockBrokers) -> Self {
        self.kafka = Some(Kafka::Embedded(brokers));
        self
    }

    /// Uses brokers that are already running.
    pub(crate) fn with_brokers(mut self, brokers: String) -> Self {
        self.kafka = Some(Kafka::Real(brokers));
        self
    }
}

pub(crate) struct Parties {
    root: TempDir,
    plan: Plan,
    ports: Range<u16>,
    identities: Vec<String>,
}

impl Parties {
    /// Creates five machines with their own keys.
    pub(crate) fn new(plan: Plan) -> Self {
        let mut parties = Self {
            root: tempfile::tempdir().expect("a folder"),
            plan,
            ports: free_ports(PORTS * 5).expect("ports"),
            identities: Vec::new(),
        };
        for party in 0..N {
            fs::create_dir(parties.folder(party)).expect("created");
            let identity = parties.make_keys(party);
            parties.identities.push(identity);
        }
        parties
    }

    /// Creates the topics, because embedded brokers do not create them for clients.
    pub(crate) fn make_topics(&self, certificate: &Certificate) {
        if let Some(Kafka::Embedded(kafka)) = &self.plan.kafka {
            let id = certificate.federation().id();
            kafka.config(id, 5, OperatorId::new(0)).expect("topics");
        }
    }

    fn folder(&self, party: usize) -> PathBuf {
        self.root.path().join(format!("machine-{party}"))
    }

    fn run(&self, party: usize, args: &[&str]) -> Output {
        Command::new(multisig())
            .args(args)
            .current_dir(self.folder(party))
            .envs(self.module(party).map(Module::environment))
            .output()
            .expect("it runs")
    }

    /// Returns a party's hardware module, if it has one.
    fn module(&self, party: usize) -> Option<&Module> {
        self.plan.module.as_ref().filter(|_| party == N - 1)
    }

    fn shell(&self, party: usize, line: &str) -> Output {
        self.run(party, &line.split_whitespace().collect::<Vec<_>>())
    }

    /// Creates both keys, and returns the public identity key.
    fn make_keys(&self, party: usize) -> String {
        let folder = self.folder(party);
        if self.plan.keystores {
            put_secret(&folder.join("passphrase"), "four words of my own");
            let new = "key new --json --passphrase file:passphrase --role";
            json(&self.shell(party, &format!("{new} block block.key")));
            let made = json(&self.shell(party, &format!("{new} identity identity.key")));
            return made["public_key"].as_str().expect("a key").to_owned();
        }
        if let Some(module) = self.module(party) {
            let (library, pin) = (module.library(), module.pin());
            let line =
                format!("hsm keygen --module {library} --token {TOKEN} --pin {pin} --label block");
            text(&self.shell(party, &line));
        }
        let mut public = String::new();
        for role in ["block", "identity"] {
            let line = format!("new -m 1 -n 1 --insecure-plain --json --out {role}");
            let made = json(&self.shell(party, &line));
            made["keys"][0].as_str().expect("a key")[2..].clone_into(&mut public);
            let made = folder.join(role).join("block-1.key");
            fs::rename(made, folder.join(format!("{role}.key"))).expect("renamed");
        }
        public
    }

    fn me(&self) -> &'static str {
        if self.plan.keystores {
            "--identity-key identity.key --passphrase file:passphrase"
        } else {
            "--identity-key identity.key"
        }
    }

    /// Runs a verb that writes a file for all others, and returns its path.
    fn sent(&self, party: usize, line: &str) -> PathBuf {
        let answer = json(&self.shell(party, line));
        self.folder(party)
            .join(answer["file"].as_str().expect("a file"))
    }

    fn give_all(&self, files: &[PathBuf]) {
        for party in 0..N {
            let mut args = vec!["ceremony", "add"];
            args.extend(files.iter().map(|file| file.to_str().expect("a name")));
            text(&self.run(party, &args));
        }
    }

    /// Runs the whole ceremony, and returns the certificate, which is the same on each machine.
    pub(crate) fn hold_the_ceremony(&self) -> Certificate {
        let (node, conf) = match self.plan.dialect {
            Dialect::Dynafed => ("elements", "chain=fedchain\n"),
            Dialect::Elements => ("elements", "chain=fedchain\nevbparams=dynafed:-2:::\n"),
            Dialect::Ocean => ("ocean", "chain=fedchain\nembedcontract=0\n"),
        };
        let (conf, sweep) = if self.plan.coins {
            let to = "07".repeat(32);
            let conf = format!("{conf}initialfreecoins={COINS}\n");
            (conf, format!(" --sweep-coins 0020{to}"))
        } else {
            (conf.to_owned(), String::new())
        };
        fs::write(self.folder(0).join("chain.conf"), conf).expect("written");
        let me = self.me();
        let mut line = format!(
            "ceremony init --json --node {node} --conf chain.conf -m 3 --interval 2 {me}{sweep}"
        );
        for (party, key) in self.identities.iter().enumerate() {
            line += &format!(" --member party-{party}={key}");
        }
        self.give_all(&[self.sent(0, &line)]);
        let joins: Vec<_> = (0..N).map(|party| self.join(party)).collect();
        self.give_all(&joins);
        let status = json(&self.shell(0, "ceremony status --json"));
        let words = status["chain"]["words"].as_str().expect("words");
        let approvals: Vec<_> = (0..N)
            .map(|party| {
                let mut args: Vec<_> = "ceremony approve --json".split(' ').collect();
                args.extend(me.split(' '));
                args.extend(["--words", words]);
                let answer = json(&self.run(party, &args));
                self.folder(party)
                    .join(answer["file"].as_str().expect("a file"))
            })
            .collect();
        self.give_all(&approvals);
        let certificates: Vec<_> = (0..N)
            .map(|party| {
                text(&self.shell(party, "ceremony finish"));
                let path = self.folder(party).join("ceremony/certificate.json");
                fs::read_to_string(path).expect("it exists")
            })
            .collect();
        assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]));
        Certificate::parse(&certificates[0]).expect("it verifies")
    }

    fn join(&self, party: usize) -> PathBuf {
        let first = self.ports.start + PORTS * u16::try_from(party).expect("small");
        let me = self.me();
        let block = match self.module(party) {
            None => "--block-key block.key".to_owned(),
            Some(module) => format!(
                "--block-hsm-key label:block --module {} --token {TOKEN} --pin {}",
                module.library(),
                module.pin()
            ),
        };
        self.sent(
            party,
            &format!(
                "ceremony join --json {me} {block} --endpoint 127.0.0.1:{first} --node-address 127.0.0.1:{}",
                first + 1
            ),
        )
    }

    /// Each party builds its bundle, identical to one built by another party, unpacks it, and adds its keys.
    pub(crate) fn unpack_bundles(&self) -> Vec<Machine> {
        let messenger = match &self.plan.kafka {
            None => String::new(),
            Some(Kafka::Embedded(kafka)) => {
                let brokers = kafka.brokers().expect("their addresses").join(",");
                format!("--messenger kafka --brokers {brokers}")
            }
            Some(Kafka::Real(brokers)) => format!("--messenger kafka --brokers {brokers}"),
        };
        let bundle = |party: usize, maker: usize| {
            let out = format!("bundle-of-{party}.zip");
            let line = format!("ceremony bundle --operator party-{party} --out {out} {messenger}");
            text(&self.shell(maker, &line));
            fs::read(self.folder(maker).join(out)).expect("it exists")
        };
        (0..N)
            .map(|party| {
                let zip = bundle(party, party);
                assert_eq!(
                    zip,
                    bundle(party, (party + 1) % N),
                    "the same from every maker"
                );
                let folder = self.folder(party).join("unpacked");
                let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
                archive.extract(&folder).expect("unpacked");
                self.put_keys(party, &folder);
                Machine::new(folder, self.module(party).map(Module::environment))
            })
            .collect()
    }

    fn put_keys(&self, party: usize, folder: &Path) {
        let keys = folder.join("keys");
        fs::create_dir(&keys).expect("created");
        for key in ["block.key", "identity.key"] {
            fs::copy(self.folder(party).join(key), keys.join(key)).expect("copied");
        }
        if self.plan.keystores {
            fs::copy(
                self.folder(party).join("passphrase"),
                keys.join("passphrase"),
            )
            .expect("copied");
            return;
        }
        // The template is for keystores; these are plain files.
        let path = folder.join("operator.toml");
        let text = fs::read_to_string(&path).expect("it exists");
        let text = match self.module(party) {
            None => text,
            Some(module) => text.replace(
                "kind = \"keystore\"\nfile = \"keys/block.key\"\npassphrase = \"file:keys/passphrase\"\n",
                &module.lines(),
            ),
        };
        let text = text
            .replace("kind = \"keystore\"", NO_KEYSTORE)
            .replace("\npassphrase = \"file:keys/passphrase\"", "");
        fs::write(path, text).expect("written");
    }
}

/// A token for one key.
struct Module {
    folder: TempDir,
}

const TOKEN: &str = "label:operator";

impl Module {
    fn new() -> Self {
        let module = Self {
            folder: token_folder(),
        };
        put_secret(&module.folder.path().join("pin"), USER_PIN);
        put_secret(&module.folder.path().join("so-pin"), SO_PIN);
        let line = format!(
            "hsm init-token --module {} --label operator --so-pin file:so-pin --pin file:pin",
            module.library()
        );
        let made = Command::new(multisig())
            .args(line.split(' '))
            .current_dir(module.folder.path())
            .envs([module.environment()])
            .output();
        text(&made.expect("it runs"));
        module
    }

    /// The environment variable by which the library finds the token.
    fn environment(&self) -> (&'static str, OsString) {
        ("SOFTHSM2_CONF", conf_of(self.folder.path()).into())
    }

    fn library(&self) -> String {
        softhsm().display().to_string()
    }

    fn pin(&self) -> String {
        format!("file:{}", self.folder.path().join("pin").display())
    }

    /// The lines of `operator.toml` for the key.
    fn lines(&self) -> String {
        format!(
            "kind = \"hsm\"\nmodule = \"{}\"\ntoken = \"{TOKEN}\"\nkey = \"label:block\"\npin = \"{}\"\n",
            self.library(),
            self.pin()
        )
    }
}

fn put_secret(path: &Path, secret: &str) {
    use std::os::unix::fs::PermissionsExt;

    fs::write(path, secret).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions changed");
}
