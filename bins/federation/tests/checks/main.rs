//! The findings of `federation config check` and `federation preflight`, which match the daemon's
//! behaviour.

mod alive;
mod files;
mod methods;
mod proposal;
mod real;
mod wallet;
#[path = "../recovery/world.rs"]
#[expect(dead_code, reason = "the tests of recovery use more of it")]
mod world;

use std::{path::Path, sync::Arc};

use federation_harness::{Middleman, Proxy};
use serde_json::Value;
use world::{World, change};

/// Puts a proxy between an operator and its node.
async fn before(world: &World, index: usize, middleman: Arc<impl Middleman>) -> Proxy {
    let url = world.nodes[index].rpc_url();
    let proxy = Proxy::spawn(&url, middleman).await.expect("a port");
    change(&world.config(index), &url, &proxy.url());
    proxy
}

/// The output of `federation preflight`.
struct Found(Value);

impl Found {
    /// Runs preflight, which must exit with 1 exactly if a check is red.
    fn ask(config: &Path, flags: &[&str]) -> Self {
        let mut args = vec!["preflight", "--json", "--wait", "0s"];
        args.extend(flags);
        args.extend(["--config", world::text(config)]);
        let output = world::federation(&args);
        let found = serde_json::from_slice(&output.stdout);
        let found: Value = found.unwrap_or_else(|error| panic!("{error}: {output:?}"));
        assert_eq!(output.status.success(), found["light"] != "red", "{found}");
        Self(found)
    }

    /// Returns the light, finding and help of one check.
    fn of(&self, about: &str, name: &str) -> (&str, &str, &str) {
        let checks = self.0["checks"].as_array().expect("a list");
        let check = checks
            .iter()
            .find(|check| check["about"] == about && check["name"] == name)
            .unwrap_or_else(|| panic!("{about}, {name} in {}", self.0));
        let text = |key: &str| check[key].as_str().expect("text");
        (text("light"), text("found"), text("cure"))
    }
}
