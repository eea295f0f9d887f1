//! The measurements of each height, and the report.

use core::fmt;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{BenchArgs, millis};

/// The measurements of one height.
#[derive(Debug, Default)]
pub(crate) struct Height {
    start: Option<Instant>,
    late: Duration,
    end: Option<Instant>,
    /// The number of nodes that have the block.
    pub(crate) tips: usize,
    /// The round in which the block was decided.
    pub(crate) round: u32,
    /// The total time of each operator's calls to its node.
    calls: BTreeMap<usize, Duration>,
}

impl Height {
    pub(crate) fn started(&mut self, at: Instant, late: Duration) {
        if self.start.is_none_or(|start| at < start) {
            self.start = Some(at);
            self.late = late;
        }
    }

    pub(crate) fn called(&mut self, operator: usize, took: Duration) {
        *self.calls.entry(operator).or_default() += took;
    }

    pub(crate) fn arrived(&mut self, at: Instant) {
        self.tips += 1;
        self.end = self.end.max(Some(at));
    }

    /// Returns the time from the first operator's start to the block on the last node.
    fn whole(&self) -> Option<Duration> {
        self.end?.checked_duration_since(self.start?)
    }

    /// Returns the time spent in the slowest node.
    fn in_node(&self) -> Duration {
        self.calls.values().max().copied().unwrap_or_default()
    }
}

/// Percentiles, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Percentiles {
    median: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            let index = (durations.len() * percent / 100).min(durations.len().saturating_sub(1));
            durations.get(index).copied().map_or(0.0, millis)
        };
        Self {
            median: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "median {:8.2} ms   90 % {:8.2} ms   99 % {:8.2} ms   max {:8.2} ms",
            self.median, self.p90, self.p99, self.max
        )
    }
}

/// The report of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    operators: u8,
    threshold: u8,
    interval_ms: f64,
    dialect: String,
    killed: u8,
    blocks: usize,
    later_rounds: usize,
    /// From a height's start to the block on every node.
    whole: Percentiles,
    /// The time spent in the slowest node's RPC.
    in_node: Percentiles,
    /// The first minus the second.
    beyond_node: Percentiles,
    /// From one block to the next.
    gap: Percentiles,
    /// How late after its target the last height started.
    late_at_end_ms: f64,
}

impl Report {
    pub(crate) fn new(args: &BenchArgs, threshold: u8, heights: BTreeMap<u32, Height>) -> Self {
        let heights: Vec<Height> = heights.into_values().collect();
        let whole: Vec<Duration> = heights.iter().filter_map(Height::whole).collect();
        let beyond = heights
            .iter()
            .filter_map(|height| Some(height.whole()?.saturating_sub(height.in_node())))
            .collect();
        let gaps = heights
            .windows(2)
            .filter_map(|pair| pair[1].end?.checked_duration_since(pair[0].end?))
            .collect();
        Self {
            operators: args.operators,
            threshold,
            interval_ms: millis(args.interval),
            dialect: federation_chain::Dialect::from(args.dialect).to_string(),
            killed: args.kill,
            blocks: heights.len(),
            later_rounds: heights.iter().filter(|height| height.round > 0).count(),
            whole: Percentiles::of(whole),
            in_node: Percentiles::of(heights.iter().map(Height::in_node).collect()),
            beyond_node: Percentiles::of(beyond),
            gap: Percentiles::of(gaps),
            late_at_end_ms: heights.last().map_or(0.0, |height| millis(height.late)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} of {} operators, {}, a block every {} ms, {} killed: {} blocks, {} in a later round",
            self.threshold,
            self.operators,
            self.dialect,
            self.interval_ms,
            self.killed,
            self.blocks,
            self.later_rounds
        )?;
        writeln!(f, "start to every node   {}", self.whole)?;
        writeln!(f, "  in the node's RPC   {}", self.in_node)?;
        writeln!(f, "  beyond it           {}", self.beyond_node)?;
        writeln!(f, "block to block        {}", self.gap)?;
        write!(
            f,
            "the last height started {:.1} ms after its target",
            self.late_at_end_ms
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let percentiles = Percentiles::of((1..=100).rev().map(Duration::from_millis).collect());
        assert!((percentiles.median - 51.0).abs() < 1e-9);
        assert!((percentiles.p99 - 100.0).abs() < 1e-9);
        assert!((percentiles.max - 100.0).abs() < 1e-9);
        assert!(Percentiles::of(vec![]).median.abs() < 1e-9);
    }
}
