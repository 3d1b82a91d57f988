//! Figures of several rounds, made one.
//!
//! Machines change their speed, by more than contenders differ, and for seconds on end. So contenders are measured in turn,
//! and each round's ratio to what was measured beside it is kept; the middle one is what counts.

use serde::Serialize;

/// The middle of some figures, and how far they go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The one in the middle; of an even number, the mean of the two.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The greatest.
    pub(crate) greatest: f64,
}

impl Spread {
    /// That of these figures; `None` where there are none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let above = *figures.get(middle)?;
        let below = *figures.get(figures.len().saturating_sub(1) / 2)?;
        Some(Self { median: (above + below) / 2.0, least: *figures.first()?, greatest: *figures.last()? })
    }

    /// Of each of these over that of the same round.
    pub(crate) fn of_ratios(figures: &[f64], to: &[f64]) -> Option<Self> {
        Self::of(figures.iter().zip(to).map(|(figure, to)| figure / to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_those_of_the_sorted_figures() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, greatest: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, greatest: 4.0 }));
        assert_eq!(Spread::of([]), None);
        // The machine was twice as slow in the second round, which is nobody's doing.
        assert_eq!(Spread::of_ratios(&[3.0, 6.0], &[1.0, 2.0]), Spread::of([3.0]));
    }
}
