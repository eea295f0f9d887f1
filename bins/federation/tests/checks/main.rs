//! What `federation config check` and `federation preflight` say, and that they say it of what the
//! daemon does.

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

/// Puts somebody between an operator and its node.
async fn before(world: &World, index: usize, middleman: Arc<impl Middleman>) -> Proxy {
    let url = world.nodes[index].rpc_url();
    let proxy = Proxy::spawn(&url, middleman).await.expect("a port");
    change(&world.config(index), &url, &proxy.url());
    proxy
}

/// What `federation preflight` found.
struct Found(Value);

impl Found {
    /// Asks it; it ends with 1 if anything is red.
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

    /// One check: its light, what was found, and what to do.
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
