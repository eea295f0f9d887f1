//! The client of the operator's node.

use federation_cli::CliError;
use federation_ocean_rpc::NodeClient;
use federation_operator::config::Config;

/// Creates the client that the files configure.
pub(crate) fn client(config: &Config) -> Result<NodeClient, CliError> {
    let node = config
        .node_config()
        .map_err(|report| CliError::plain(report.to_string()))?;
    NodeClient::new(node).map_err(|error| CliError::failure(error, "check `url` in [node]"))
}
