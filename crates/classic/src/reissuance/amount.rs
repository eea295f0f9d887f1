//! Amounts as the Python program computes them: in binary floating point and in the same order of
//! operations, so that operators of both programs get the same digits.

/// The seconds of a year, as in the Python program.
const YEAR: f64 = 31_536_000.0;

/// A frozen amount, as in `getfreezehistory`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frozen {
    pub(crate) value: f64,
    pub(crate) start: u32,
    /// 0 while it is still frozen.
    pub(crate) end: u32,
}

/// The inflation parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Inflation {
    pub(crate) rate: f64,
    /// In blocks.
    pub(crate) period: u32,
    /// The block interval, in seconds.
    pub(crate) interval: u32,
}

impl Inflation {
    /// Returns the amount to reissue at a height, with eight decimals, or `None` if it is zero.
    /// (`get_reissuance_txs` in `inflation.py` of the Python program.)
    pub(crate) fn amount(&self, spendable: f64, frozen: &[Frozen], height: u32) -> Option<String> {
        let mut total = self.grown(spendable, 1) - spendable;
        for entry in frozen {
            if entry.end != 0 && i64::from(entry.end) > i64::from(height) - i64::from(self.period) {
                let age = i64::from(height) - i64::from(entry.start);
                let periods = age.div_euclid(i64::from(self.period));
                total += self.grown(entry.value, periods) - entry.value;
            }
        }
        // Python rounds to eight decimals and prints eight; both round half to even, as this does.
        (total != 0.0).then(|| format!("{total:.8}"))
    }

    /// Multiplies whole numbers first and divides once, as the Python program does.
    fn grown(&self, value: f64, periods: i64) -> f64 {
        let seconds = periods * i64::from(self.interval) * i64::from(self.period);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let years = seconds as f64 / YEAR;
        value * (1.0 + self.rate).powf(years)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors generated with CPython 3: spendable, rate, period, interval, frozen (value, start, end),
    /// height, and the expected amount.
    #[test]
    fn amounts_are_what_python_computes() {
        let vectors = include_str!("python.tsv");
        let mut count = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [spendable, rate, period, interval, frozen, height, expected] = fields[..] else {
                panic!("expected seven fields: {line}");
            };
            let inflation = Inflation {
                rate: rate.parse().expect("a rate"),
                period: period.parse().expect("a number"),
                interval: interval.parse().expect("a number"),
            };
            let frozen: Vec<Frozen> = frozen
                .split(';')
                .filter(|text| !text.is_empty())
                .map(|text| {
                    let parts: Vec<&str> = text.split(',').collect();
                    Frozen {
                        value: parts[0].parse().expect("a value"),
                        start: parts[1].parse().expect("a height"),
                        end: parts[2].parse().expect("a height"),
                    }
                })
                .collect();
            let height = height.parse().expect("a height");
            let amount = inflation.amount(spendable.parse().expect("an amount"), &frozen, height);
            assert_eq!(amount.as_deref().unwrap_or("none"), expected, "{line}");
            count += 1;
        }
        assert!(count > 300);
    }
}
