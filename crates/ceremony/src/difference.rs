//! In what two parties' views of a ceremony differ.

use core::fmt;
use std::collections::BTreeSet;

use crate::{Body, Ceremony, Join, Message, Proposal};

/// Which step of a ceremony something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// What is to be made, and by whom.
    Proposal,
    /// Everybody's keys and addresses.
    Joins,
    /// Everybody's agreement.
    Approvals,
}

impl Stage {
    /// Its name: `proposal`, `joins` or `approvals`.
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

/// One thing that is not the same in two views.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The step that it belongs to.
    pub stage: Stage,
    /// Whose message it is in; none where it is the proposal's.
    pub member: Option<String>,
    /// What differs.
    pub what: String,
    /// What the first view has; none if it has nothing.
    pub left: Option<String>,
    /// What the second view has.
    pub right: Option<String>,
}

impl Difference {
    /// Whether both views have something, so that waiting does not make them one.
    #[must_use]
    pub const fn is_contradiction(&self) -> bool {
        self.left.is_some() && self.right.is_some() || matches!(self.stage, Stage::Proposal)
    }
}

/// In what two views of a ceremony differ, in the order of its steps; nothing if they will make the
/// same certificate. Two ceremonies differ in their proposals, and nothing beyond that is compared.
#[must_use]
pub fn differences(left: &Ceremony, right: &Ceremony) -> Vec<Difference> {
    if left.id() != right.id() {
        return of_proposals(left, right);
    }
    let mut found = Vec::new();
    for (place, member) in left.members().iter().enumerate() {
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
            left.join_message(place),
            right.join_message(place),
        );
        compare(
            Stage::Approvals,
            left.approval_message(place),
            right.approval_message(place),
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

/// What is not the same under one name, in the order of the first, then the second.
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

/// What a join or an approval says, by name. Proofs say nothing.
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
    for (place, member) in proposal.members.iter().enumerate() {
        let value = format!("{} {}", member.name, member.identity);
        field(&format!("member {place}"), value);
    }
    field("nonce", proposal.nonce.to_string());
    fields
}
