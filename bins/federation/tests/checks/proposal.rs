//! `preflight` and the daemon agree about the next block of a lying node.

use std::sync::{Arc, Mutex};

use federation_chain::{Block, Dialect};
use federation_harness::{Middleman, propose};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_signer::Secret;
use hex_conservative::{DisplayHex, FromHex};
use serde_json::{Value, json};

use crate::{
    Found, before,
    world::{Daemon, World, until},
};

/// A change of one answer of the node.
type Lie = Box<dyn Fn(&str, &Value) -> Option<Value> + Send + Sync>;

/// A proxy that falsifies a node's answers.
#[derive(Default)]
struct Liar(Mutex<Option<Lie>>);

impl Liar {
    fn falsify(&self, lie: impl Fn(&str, &Value) -> Option<Value> + Send + Sync + 'static) {
        *self.0.lock().expect("not poisoned") = Some(Box::new(lie));
    }

    /// Falsifies the parameters in force.
    fn falsify_root(&self, root: Option<&'static str>) {
        self.falsify(move |method, result| {
            (method == "getblockchaininfo").then(|| {
                let mut result = result.clone();
                match root {
                    Some(root) => result["current_params_root"] = json!(root),
                    None => {
                        let fields = result.as_object_mut().expect("an object");
                        fields.remove("current_params_root");
                    }
                }
                result
            })
        });
    }
}

impl Middleman for Liar {
    fn alter(&self, method: &str, _: &Value, result: &Value) -> Option<Value> {
        let lie = self.0.lock().expect("not poisoned");
        lie.as_ref().and_then(|lie| lie(method, result))
    }
}

/// A template that would replace all signers with a stranger.
fn usurped(template: &Value) -> Option<Value> {
    let key = Secret::generate().public_key();
    let one = Threshold::new(1).expect("one");
    let stranger = MultisigScript::new(one, vec![key], KeyOrder::AsGiven).expect("a script");
    let bytes = Vec::<u8>::from_hex(template.as_str()?).ok()?;
    let block = Block::decode(Dialect::Dynafed, bytes.into()).ok()?;
    let changed = propose(&block, &stranger)?;
    Some(json!(changed.as_bytes().to_lower_hex_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_block_that_the_daemon_would_not_propose_is_red() {
    let world = World::new().await;
    let config = world.config(0);
    let liar = Arc::new(Liar::default());
    let _proxy = before(&world, 0, liar.clone()).await;
    let daemons = [1, 2].map(|index| Daemon::start(&world.config(index)));
    world.blocks(1).await;
    let red = |part: &str, help: &str| {
        let found = Found::ask(&config, &[]);
        let (light, what, cure) = found.of("node", "proposal");
        assert_eq!(light, "red", "{}", found.0);
        assert!(what.contains(part), "{what}");
        assert!(cure.contains(help), "{cure}");
    };
    let found = Found::ask(&config, &[]);
    assert_eq!(found.of("node", "proposal").0, "green", "{}", found.0);
    for root in [None, Some(""), Some("none")] {
        liar.falsify_root(root);
        red("does not report valid parameters", "evbparams");
    }
    let taken_over = "take it off the network";
    liar.falsify_root(Some(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ));
    red("is in force", taken_over);
    liar.falsify(|method, result| (method == "getnewblockhex").then(|| usurped(result))?);
    red("proposes other parameters", taken_over);
    // The daemon agrees with preflight.
    let daemon = Daemon::start(&config);
    until("an alarm", || daemon.log().contains("FN006")).await;
    daemon.stop().await;
    for daemon in daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_whose_epochs_are_too_short_is_red() {
    let world = World::new().await;
    let liar = Arc::new(Liar::default());
    let _proxy = before(&world, 0, liar.clone()).await;
    for (length, expected) in [(4, "red"), (5, "green")] {
        liar.falsify(move |method, result| {
            (method == "getblockchaininfo").then(|| {
                let mut result = result.clone();
                result["epoch_length"] = json!(length);
                result
            })
        });
        let found = Found::ask(&world.config(0), &[]);
        let (light, what, _) = found.of("node", "epochs");
        assert_eq!(light, expected, "{what}");
    }
}
