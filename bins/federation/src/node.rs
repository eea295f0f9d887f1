//! The client of the operator's node.

use federation_cli::{CliError, OrHelp};
use federation_ocean_rpc::NodeClient;
use federation_operator::config::Config;

/// Creates the client that the files configure.
pub(crate) fn client(config: &Config) -> Result<NodeClient, CliError> {
    let node = config.node_config().or_plain()?;
    NodeClient::new(node).or_help("check `url` in [node]")
}
