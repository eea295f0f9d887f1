//! Amounts as the Python program computes them: in binary floating point, in its order of operations,
//! so that operators of both programs come to the same digits.

/// The seconds of a year, as there.
const YEAR: f64 = 31_536_000.0;

/// An amount that was frozen, as `getfreezehistory` has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frozen {
    pub(crate) value: f64,
    pub(crate) start: u32,
    /// 0 while it is frozen.
    pub(crate) end: u32,
}

/// When and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Inflation {
    pub(crate) rate: f64,
    /// In blocks.
    pub(crate) period: u32,
    /// From one block to the next, in seconds.
    pub(crate) interval: u32,
}

impl Inflation {
    /// What is made at a height when so much can be spent, with eight decimals; none if it is
    /// nothing. (`get_reissuance_txs` in its `inflation.py`.)
    pub(crate) fn amount(&self, spendable: f64, frozen: &[Frozen], height: u32) -> Option<String> {
        let mut total = self.grown(spendable, 1) - spendable;
        for entry in frozen {
            if entry.end != 0 && i64::from(entry.end) > i64::from(height) - i64::from(self.period) {
                let age = i64::from(height) - i64::from(entry.start);
                let periods = age.div_euclid(i64::from(self.period));
                total += self.grown(entry.value, periods) - entry.value;
            }
        }
        // Python rounds to eight decimals and writes eight: both round half to even, as this does.
        (total != 0.0).then(|| format!("{total:.8}"))
    }

    /// Whole numbers first, then one division, as Python does.
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

    /// Made with CPython 3: spendable, rate, period, interval, frozen (value, start, end), height, and
    /// what its program sends.
    #[test]
    fn it_is_what_python_computes() {
        let vectors = include_str!("python.tsv");
        let mut count = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [spendable, rate, period, interval, frozen, height, expected] = fields[..] else {
                panic!("seven fields: {line}");
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
