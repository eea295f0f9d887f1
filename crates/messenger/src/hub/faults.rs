//! The faults of a link of the hub.

use core::{ops::RangeInclusive, time::Duration};

/// The faults of one direction between two operators. The default is a perfect link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkFaults {
    loss: f64,
    duplicate: f64,
    reorder: f64,
    delay: RangeInclusive<Duration>,
}

impl Default for LinkFaults {
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            delay: Duration::ZERO..=Duration::ZERO,
        }
    }
}

impl LinkFaults {
    /// Shortest time for which a reordered frame is held back.
    const MIN_HOLD: Duration = Duration::from_millis(10);

    /// A perfect link: no loss, no delay, in order.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Loses a frame with this probability, clamped to 0..=1.
    #[must_use]
    pub fn with_loss(mut self, probability: f64) -> Self {
        self.loss = clamp(probability);
        self
    }

    /// Delivers a frame twice with this probability, clamped to 0..=1.
    #[must_use]
    pub fn with_duplicate(mut self, probability: f64) -> Self {
        self.duplicate = clamp(probability);
        self
    }

    /// Holds a frame back with this probability, clamped to 0..=1, so that later frames overtake it.
    #[must_use]
    pub fn with_reorder(mut self, probability: f64) -> Self {
        self.reorder = clamp(probability);
        self
    }

    /// Delays each frame by a time drawn uniformly from this range. Frames stay in order.
    #[must_use]
    pub fn with_delay(mut self, delay: RangeInclusive<Duration>) -> Self {
        self.delay = delay;
        self
    }

    pub(super) const fn loss(&self) -> f64 {
        self.loss
    }

    pub(super) const fn duplicate(&self) -> f64 {
        self.duplicate
    }

    pub(super) const fn reorder(&self) -> f64 {
        self.reorder
    }

    /// Maps a number in `0.0..1.0` to a delay.
    pub(super) fn delay(&self, unit: f64) -> Duration {
        let (least, most) = (*self.delay.start(), *self.delay.end());
        least + most.saturating_sub(least).mul_f64(unit)
    }

    /// Returns how long a reordered frame is held back on top of its delay.
    pub(super) fn hold(&self, unit: f64) -> Duration {
        let window = Self::MIN_HOLD.max(*self.delay.end());
        window + window.mul_f64(unit)
    }
}

/// Clamps a probability to 0..=1; NaN becomes 0.
const fn clamp(probability: f64) -> f64 {
    if probability.is_nan() {
        0.0
    } else {
        probability.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_clamped() {
        let faults = LinkFaults::none()
            .with_loss(f64::NAN)
            .with_duplicate(-1.0)
            .with_reorder(7.0);
        assert_eq!(
            (faults.loss(), faults.duplicate(), faults.reorder()),
            (0.0, 0.0, 1.0)
        );
    }

    #[test]
    fn delays_stay_in_their_range() {
        let (least, most) = (Duration::from_millis(3), Duration::from_millis(5));
        let faults = LinkFaults::none().with_delay(least..=most);
        assert_eq!(faults.delay(0.0), least);
        assert!(faults.delay(0.999) < most);
        // A reversed range yields its start instead of a panic.
        assert_eq!(LinkFaults::none().with_delay(most..=least).delay(0.5), most);
    }
}
