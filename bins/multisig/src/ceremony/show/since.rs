//! The changes since an earlier ceremony.

use std::path::Path;

use federation_ceremony::{Ceremony, Join, differences};
use federation_cli::{CliError, out};
use serde::Serialize;

use super::super::{compare, visible::visible};

/// A changed field.
#[derive(Serialize)]
pub(super) struct Change {
    what: String,
    before: Option<String>,
    now: Option<String>,
}

impl Change {
    pub(super) fn print(&self) -> Result<(), CliError> {
        let value =
            |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), visible);
        out::line(&format!("  {}", visible(&self.what)))?;
        out::line(&format!("    was  {}", value(&self.before)))?;
        out::line(&format!("    now  {}", value(&self.now)))
    }
}

/// Returns the changes: in the proposal, and in the keys and addresses of members who are in both.
pub(super) fn changes(earlier: &Path, now: &Ceremony) -> Result<Vec<Change>, CliError> {
    let earlier = compare::load(earlier)?;
    if earlier.id() == now.id() {
        return Err(CliError::usage(
            "--since names the same ceremony",
            "give the folder or certificate of an earlier one; `multisig ceremony diff` compares two views of one ceremony",
        ));
    }
    let mut found: Vec<_> = differences(&earlier, now)
        .into_iter()
        // It differs in every ceremony.
        .filter(|difference| difference.what != "nonce")
        .map(|difference| Change {
            what: difference.what,
            before: difference.left,
            now: difference.right,
        })
        .collect();
    for (index, member) in now.members().iter().enumerate() {
        let mut before = earlier.members().iter();
        let before = before
            .position(|known| known.name == member.name)
            .and_then(|index| earlier.join(index));
        if let (Some(before), Some(now)) = (before, now.join(index)) {
            found.extend(of_joins(&member.name, before, now));
        }
    }
    Ok(found)
}

fn of_joins(name: &str, before: &Join, now: &Join) -> Vec<Change> {
    let fields = |join: &Join| {
        let mut fields = vec![
            ("messenger".to_owned(), join.endpoint.clone()),
            ("node".to_owned(), join.node.clone()),
        ];
        let keys = join.keys.iter();
        fields.extend(keys.map(|key| (format!("{} key", key.usage.as_str()), key.key.to_string())));
        fields
    };
    let (before, now) = (fields(before), fields(now));
    let value = |fields: &[(String, String)], name: &str| {
        let mut fields = fields.iter();
        let found = fields.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let mut names: Vec<_> = before.iter().chain(&now).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let changes = names.into_iter().map(|what| Change {
        what: format!("{name}'s {what}"),
        before: value(&before, what),
        now: value(&now, what),
    });
    changes
        .filter(|change| change.before != change.now)
        .collect()
}
