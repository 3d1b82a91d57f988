//! Which of a host's handlers an event is for.

/// How events are spread over handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Each as often as any other.
    Even,
    /// The n-th gets an n-th of what the first gets: Zipf's law, by the exponent 1.
    Zipf,
}

/// A choice among handlers, by number.
#[derive(Debug)]
pub(crate) struct Mix {
    /// For each handler its share and those of all before it, added up.
    upto: Vec<f64>,
}

impl Mix {
    /// Among so many handlers, at least one.
    pub(crate) fn new(handlers: usize, spread: Spread) -> Self {
        let share = |number: u32| match spread {
            Spread::Even => 1.0,
            Spread::Zipf => 1.0 / f64::from(number),
        };
        let mut sum = 0.0;
        let upto = (1u32..).take(handlers.max(1)).map(|number| {
            sum += share(number);
            sum
        });
        Self { upto: upto.collect() }
    }

    /// The handler of one event, counted from 0.
    pub(crate) fn choose(&self) -> usize {
        self.at(rand::random())
    }

    /// The handler at a point of all shares, from 0 up to 1.
    fn at(&self, point: f64) -> usize {
        let point = point * self.upto.last().copied().unwrap_or_default();
        self.upto.partition_point(|upto| *upto <= point).min(self.upto.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_mix_gives_each_the_same_and_zipf_the_second_half_of_the_first() {
        let shares = |spread| {
            let mix = Mix::new(4, spread);
            let mut counts = [0u32; 4];
            (0..2500).for_each(|point| counts[mix.at((f64::from(point) + 0.5) / 2500.0)] += 1);
            counts
        };
        assert_eq!(shares(Spread::Even), [625; 4]);
        assert_eq!(shares(Spread::Zipf), [1200, 600, 400, 300]);
    }
}
