//! The systemd units that keep node and operator running without containers.

use std::collections::BTreeMap;

use super::operator::Parts;

/// The folder in which the units expect the unpacked bundle.
pub(crate) const HOME: &str = "/srv/federation";

/// The restrictions on both services.
const CONFINED: &str = "NoNewPrivileges=yes\n\
                        ProtectSystem=strict\n\
                        ProtectHome=yes\n\
                        PrivateTmp=yes\n\
                        PrivateDevices=yes\n\
                        ProtectKernelTunables=yes\n\
                        ProtectControlGroups=yes\n\
                        RestrictSUIDSGID=yes\n";

/// Returns the units of the node and of the operator.
pub(crate) fn files(parts: &Parts<'_>) -> BTreeMap<String, String> {
    let (name, chain) = (parts.name(), parts.chain());
    let (program, client) = (parts.kind().daemon(), parts.kind().client());
    let node = format!(
        "# The node of {name}. Unpack the bundle in {HOME}, owned by the user federation.\n\
         [Unit]\n\
         Description=Node of {name} on the chain {chain}\n\
         Wants=network-online.target\n\
         After=network-online.target\n\n\
         [Service]\n\
         User=federation\n\
         UMask=0077\n\
         ExecStart=/usr/local/bin/{program} -datadir={HOME}/node\n\
         ExecStop=/usr/local/bin/{client} -datadir={HOME}/node stop\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         TimeoutStopSec=90\n\
         ReadWritePaths={HOME}/node\n\
         {CONFINED}\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    let operator = format!(
        "# The operator {name}. It waits until its node is up.\n\
         [Unit]\n\
         Description=Operator {name} of the chain {chain}\n\
         Wants=network-online.target federation-node.service\n\
         After=network-online.target federation-node.service\n\n\
         [Service]\n\
         User=federation\n\
         UMask=0077\n\
         WorkingDirectory={HOME}\n\
         ExecStart=/usr/local/bin/federation run --config {HOME}/operator.toml\n\
         Restart=on-failure\n\
         # Not restarted after an error that needs an administrator: see `federation guard resume --help`.\n\
         RestartPreventExitStatus=78\n\
         RestartSec=2\n\
         # Return memory to the system after large blocks.\n\
         Environment=MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072\n\
         # To take the pass phrase from an encrypted credential instead of a file, set\n\
         # `passphrase = \"credential:passphrase\"` in operator.toml, and here:\n\
         # LoadCredentialEncrypted=passphrase:/etc/credstore.encrypted/federation\n\
         ReadWritePaths={HOME}/store\n\
         {CONFINED}\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    BTreeMap::from([
        ("systemd/federation-node.service".to_owned(), node),
        ("systemd/federation.service".to_owned(), operator),
    ])
}
