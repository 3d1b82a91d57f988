//! Tables in Markdown, and how figures are written in them.

use std::fmt;

use crate::round::Spread;

/// A table. The first column has names, all others have figures.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One without rows.
    pub(crate) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |cells: &[String]| writeln!(f, "| {} |", cells.join(" | "));
        line(&self.head)?;
        let rules = self.head.iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "---:" }.to_owned());
        line(&rules.collect::<Vec<_>>())?;
        self.rows.iter().try_for_each(|row| line(row))
    }
}

/// A figure in three digits or in whole ones, such as `0.123`, `1.23`, `12.3`, `1234`.
pub(crate) fn number(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0 => 0,
        under_one if under_one < 1.0 => 3,
        under_ten if under_ten < 10.0 => 2,
        under_hundred if under_hundred < 100.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

/// A ratio and its range: `1.23 (1.20–1.30)`.
pub(crate) fn ratio(spread: Spread) -> String {
    let Spread { median, least, greatest } = spread;
    if least == greatest {
        number(median)
    } else {
        format!("{} ({}–{})", number(median), number(least), number(greatest))
    }
}

/// Nanoseconds as microseconds, without a unit.
pub(crate) fn micros(nanoseconds: u64) -> String {
    number(nanoseconds as f64 / 1e3)
}

/// Seconds as milliseconds, without a unit.
pub(crate) fn milliseconds(spread: Spread) -> String {
    let thousandfold = |seconds: f64| seconds * 1e3;
    let Spread { median, least, greatest } = spread;
    ratio(Spread { median: thousandfold(median), least: thousandfold(least), greatest: thousandfold(greatest) })
}

/// A size, by the thousand as bodies are: `100 B`, `10 KB`, `1 MB`.
pub(crate) fn bytes(size: usize) -> String {
    match size {
        0..1_000 => format!("{size} B"),
        1_000..1_000_000 => format!("{} KB", number(size as f64 / 1e3).trim_end_matches(".0").trim_end_matches(".00")),
        _ => format!("{} MB", number(size as f64 / 1e6).trim_end_matches(".0").trim_end_matches(".00")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(["who", "µs"]);
        table.row(["native", "5.1"]);
        assert_eq!(table.to_string(), "| who | µs |\n| --- | ---: |\n| native | 5.1 |\n");
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.1234, 1.234, 12.34, 1234.5].map(number), ["0.123", "1.23", "12.3", "1234"]);
        assert_eq!([100, 10_000, 1_000_000, 10_000_000].map(bytes), ["100 B", "10 KB", "1 MB", "10 MB"]);
        assert_eq!(ratio(Spread { median: 2.0, least: 1.0, greatest: 30.0 }), "2.00 (1.00–30.0)");
    }
}
