use crate::output::{printable, say};

/// The widest that a column is, but for the last, in characters.
const WIDEST: usize = 48;

/// Prints rows under their heads, each column as wide as it has to be, two blanks before and between. The texts may be
/// strangers'.
pub(super) fn print<const N: usize>(heads: [&str; N], rows: &[[String; N]]) {
    let heads = heads.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(&heads).chain(rows).map(|row| shown(row.clone())).collect();
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let of_column = |row: &[String; N]| row.get(column).map_or(0, |cell| cell.chars().count());
            let width = rows.iter().map(of_column).max().unwrap_or_default();
            format!("  {cell:<width$}")
        });
        say(cells.collect::<String>().trim_end());
    }
}

fn shown<const N: usize>(row: [String; N]) -> [String; N] {
    let mut column = 0;
    row.map(|cell| {
        column += 1;
        let cell = printable(&cell);
        // What tells names apart is at their end as often as at their beginning.
        if column == N || cell.chars().count() <= WIDEST {
            return cell;
        }
        let half = WIDEST / 2;
        let from = cell.chars().count().saturating_sub(half - 1);
        cell.chars().take(half).chain(['…']).chain(cell.chars().skip(from)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_printable_and_keeps_its_beginning_and_its_end() {
        let [name, last] = shown([format!("a\n{}z", "x".repeat(99)), "y".repeat(99)]);
        assert_eq!((name.chars().count(), last.len()), (WIDEST, 99));
        assert!(name.starts_with("a\\nxx") && name.contains('…') && name.ends_with("xz"), "{name}");
    }
}
