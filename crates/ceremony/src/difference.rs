//! The differences between two parties' views of a ceremony.

use core::fmt;
use std::collections::BTreeSet;

use crate::{Body, Ceremony, Join, Message, Proposal};

/// A step of a ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The chain to set up, and the parties.
    Proposal,
    /// The keys and addresses of all parties.
    Joins,
    /// The approvals of all parties.
    Approvals,
}

impl Stage {
    /// Returns its name: `proposal`, `joins` or `approvals`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Joins => "joins",
            Self::Approvals => "approvals",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A field that differs between two views.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The step that it belongs to.
    pub stage: Stage,
    /// The member whose message it is in; none for the proposal.
    pub member: Option<String>,
    /// The name of the field.
    pub what: String,
    /// The value in the first view, if it has one.
    pub left: Option<String>,
    /// The value in the second view, if it has one.
    pub right: Option<String>,
}

impl Difference {
    /// Whether both views have a value, so that missing messages cannot be the reason.
    #[must_use]
    pub const fn is_contradiction(&self) -> bool {
        self.left.is_some() && self.right.is_some() || matches!(self.stage, Stage::Proposal)
    }
}

/// Returns the differences between two views of a ceremony, in the order of its steps; empty if they
/// will make the same certificate. Of two different ceremonies, only the proposals are compared.
#[must_use]
pub fn differences(left: &Ceremony, right: &Ceremony) -> Vec<Difference> {
    if left.id() != right.id() {
        return of_proposals(left, right);
    }
    let mut found = Vec::new();
    for (index, member) in left.members().iter().enumerate() {
        let mut compare = |stage, one: Option<&Message>, other: Option<&Message>| {
            let [one, other] = [one, other].map(fields);
            found.extend(
                of_fields(&one, &other).map(|(what, left, right)| Difference {
                    stage,
                    member: Some(member.name.clone()),
                    what,
                    left,
                    right,
                }),
            );
        };
        compare(
            Stage::Joins,
            left.join_message(index),
            right.join_message(index),
        );
        compare(
            Stage::Approvals,
            left.approval_message(index),
            right.approval_message(index),
        );
    }
    found.sort_by_key(|difference| difference.stage);
    found
}

fn of_proposals(left: &Ceremony, right: &Ceremony) -> Vec<Difference> {
    let [one, other] = [left, right].map(|ceremony| proposal_fields(ceremony.proposal()));
    of_fields(&one, &other)
        .map(|(what, left, right)| Difference {
            stage: Stage::Proposal,
            member: None,
            what,
            left,
            right,
        })
        .collect()
}

type Fields = Vec<(String, String)>;

/// Returns the fields that differ, in the order of the first list, then the second.
fn of_fields(
    one: &Fields,
    other: &Fields,
) -> impl Iterator<Item = (String, Option<String>, Option<String>)> {
    let mut seen = BTreeSet::new();
    let names: Vec<&String> = one
        .iter()
        .chain(other)
        .map(|(name, _)| name)
        .filter(|name| seen.insert(*name))
        .collect();
    let values = |fields: &Fields, name: &str| {
        let values = fields.iter().filter(|(other, _)| other == name);
        let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    names
        .into_iter()
        .map(|name| (name.clone(), values(one, name), values(other, name)))
        .filter(|(_, left, right)| left != right)
        .collect::<Vec<_>>()
        .into_iter()
}

/// The named fields of a join or an approval, without the proofs.
fn fields(message: Option<&Message>) -> Fields {
    let named = |name: &str, value: &dyn fmt::Display| (name.to_owned(), value.to_string());
    match message.map(Message::body) {
        Some(Body::Join(join)) => join_fields(join),
        Some(Body::Approval(approval)) => vec![
            named("manifest", &approval.manifest),
            named("genesis", &approval.genesis),
        ],
        _ => Vec::new(),
    }
}

fn join_fields(join: &Join) -> Fields {
    let mut fields = vec![
        ("endpoint".to_owned(), join.endpoint.clone()),
        ("node".to_owned(), join.node.clone()),
    ];
    for key in &join.keys {
        fields.push((format!("{} key", key.usage.as_str()), key.key.to_string()));
    }
    fields
}

fn proposal_fields(proposal: &Proposal) -> Fields {
    let mut fields = vec![("node kind".to_owned(), proposal.node.clone())];
    for line in proposal.configuration.lines() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        fields.push((format!("setting {name}"), value.to_owned()));
    }
    let mut field = |name: &str, value: String| fields.push((name.to_owned(), value));
    if let Some(terms) = &proposal.terms {
        let hash = crate::hash::sha256(terms.as_bytes());
        field("SHA-256 of the terms", hash.to_string());
    }
    field("threshold", proposal.threshold.to_string());
    field("interval", format!("{} ms", proposal.interval));
    for usage in &proposal.keys {
        field("keys", usage.as_str().to_owned());
    }
    if let Some(sweep) = &proposal.sweep {
        for (name, to) in [("coins", &sweep.coins), ("tokens", &sweep.tokens)] {
            if let Some(to) = to {
                field(&format!("sweep of {name}"), to.to_string());
            }
        }
    }
    if let Some(fees) = &proposal.fees {
        field("fees", fees.to_string());
    }
    for (index, member) in proposal.members.iter().enumerate() {
        let value = format!("{} {}", member.name, member.identity);
        field(&format!("member {index}"), value);
    }
    field("nonce", proposal.nonce.to_string());
    fields
}
