//! Tests against recorded blocks, and properties of the signing rules.

mod api;
mod dynafed;
mod hostile;
mod rules;
mod stored;
mod support;
mod transactions;
mod vectors;
mod verdicts;
mod views;
