//! How many instructions each step may take, as a file says it, and whether it keeps to that.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

/// What a bound is above the count that it was written for, in percent.
const MARGIN: u64 = 5;
/// How far below its bound a count is worth telling, in percent: a bound so far up would let the next regression pass.
const FAR: u64 = 15;

/// What one step took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    /// The step.
    pub(super) step: String,
    /// Instructions, each time.
    pub(super) count: u64,
}

/// What one step may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// The step.
    step: String,
    /// Instructions when the bound was written.
    written: u64,
    /// Instructions at most.
    bound: u64,
}

/// Reads bounds: a line for each step, with its name, its count when that was written, and its bound, apart by white space.
/// Empty lines, and what is behind a `#`, mean nothing.
///
/// # Errors
/// Where a line is otherwise, a bound is below its count, or a step has two.
pub(super) fn read(text: &str) -> Result<Vec<Bound>> {
    let mut bounds: Vec<Bound> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<_> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let (step, written, bound) = match words.as_slice() {
            [] => continue,
            [step, written, bound] => (*step, whole(number, written)?, whole(number, bound)?),
            _ => bail!("line {number} has {} words; a bound has a step, its count and its bound", words.len()),
        };
        if bound < written {
            bail!("line {number}: the bound of `{step}`, {bound}, is below its own count, {written}");
        }
        if bounds.iter().any(|other| other.step == step) {
            bail!("line {number}: `{step}` has a bound already");
        }
        bounds.push(Bound { step: step.to_owned(), written, bound });
    }
    Ok(bounds)
}

fn whole(line: usize, word: &str) -> Result<u64> {
    let number = word.replace(',', "").parse().ok().filter(|number| *number > 0);
    number.with_context(|| format!("line {line}: `{word}` is no number of instructions"))
}

/// What came of holding counts against bounds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// A table of all steps, counted or bounded.
    pub(super) table: String,
    /// A sentence for each step that breaks its bound, has none, or was not counted.
    pub(super) broken: Vec<String>,
    /// A sentence for each step that is far below its bound.
    pub(super) notices: Vec<String>,
}

/// Holds counts against bounds.
pub(super) fn judge(counts: &[Counted], bounds: &[Bound]) -> Judged {
    let (mut broken, mut notices) = (Vec::new(), Vec::new());
    let mut table =
        format!("{:<20} {:>12} {:>12} {:>12} {:>9}\n", "step", "counted", "when written", "bound", "of bound");
    for Counted { step, count } in counts {
        let line = line(step, *count);
        let Some(Bound { written, bound, .. }) = bounds.iter().find(|bound| bound.step == *step) else {
            _ = writeln!(table, "{step:<20} {count:>12}");
            broken.push(format!("`{step}` has no bound; write one: {line}"));
            continue;
        };
        let share = count * 100 / bound;
        _ = writeln!(table, "{step:<20} {count:>12} {written:>12} {bound:>12} {share:>7} %");
        if count > bound {
            broken.push(format!(
                "`{step}` takes {count} instructions, above its bound of {bound} ({written} when that was written). Find what \
                 has made it so, and mend it; or, where it is worth that, raise the bound in the same commit, and say why in \
                 CHANGELOG.md: {line}"
            ));
        } else if share < 100 - FAR {
            notices.push(format!(
                "`{step}` is far below its bound, which lets more pass than it should; lower it: {line}"
            ));
        }
    }
    for Bound { step, written, bound } in bounds {
        if !counts.iter().any(|counted| counted.step == *step) {
            _ = writeln!(table, "{step:<20} {:>12} {written:>12} {bound:>12}", "-");
            broken.push(format!("`{step}` has a bound and was not counted; is it called otherwise now?"));
        }
    }
    Judged { table, broken, notices }
}

/// The line of a step's bound that fits its count.
fn line(step: &str, count: u64) -> String {
    format!("{step} {count} {}", count + (count * MARGIN).div_ceil(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(text: &str) -> Vec<Bound> {
        read(text).unwrap()
    }

    fn counted(step: &str, count: u64) -> Counted {
        Counted { step: step.to_owned(), count }
    }

    #[test]
    fn a_file_of_bounds_is_read() {
        let read = bounds("# words\n\ndecode   1,000  1050 # after that\n\tverify 7 7\n");
        let bound = |step: &str, written, bound| Bound { step: step.to_owned(), written, bound };
        assert_eq!(read, [bound("decode", 1000, 1050), bound("verify", 7, 7)]);
    }

    #[test]
    fn what_is_no_bound_is_refused_with_its_line() {
        for (text, word) in [
            ("\ndecode 1000", "line 2 has 2 words"),
            ("decode 1000 1050 1100", "line 1 has 4 words"),
            ("decode 1e3 1050", "line 1: `1e3`"),
            ("decode 1000 -5", "line 1: `-5`"),
            ("decode 0 1050", "line 1: `0`"),
            ("decode 1000 999", "line 1: the bound of `decode`"),
            ("decode 1 2\ndecode 1 2", "line 2: `decode` has a bound already"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(word), "{error}");
        }
    }

    #[test]
    fn a_count_at_its_bound_keeps_it_and_one_above_breaks_it() {
        let bounds = bounds("decode 1000 1050");
        assert_eq!(judge(&[counted("decode", 1050)], &bounds).broken, [""; 0]);
        let judged = judge(&[counted("decode", 1051)], &bounds);
        let [broken] = &judged.broken[..] else { panic!("{judged:?}") };
        assert!(broken.contains("1051 instructions") && broken.contains("bound of 1050"), "{broken}");
        // The line that it says to write is one that is kept.
        let line = broken.rsplit(": ").next().unwrap();
        assert_eq!(line, "decode 1051 1104");
        assert_eq!(judge(&[counted("decode", 1051)], &read(line).unwrap()).broken, [""; 0]);
    }

    #[test]
    fn a_count_far_below_its_bound_is_told_and_breaks_nothing() {
        let bounds = bounds("decode 1000 1000");
        assert_eq!(judge(&[counted("decode", 850)], &bounds).notices, [""; 0]);
        let judged = judge(&[counted("decode", 849)], &bounds);
        assert_eq!(judged.broken, [""; 0]);
        assert!(judged.notices[0].ends_with("lower it: decode 849 892"), "{judged:?}");
    }

    #[test]
    fn a_step_without_a_bound_and_a_bound_without_a_step_are_broken() {
        let judged = judge(&[counted("new", 10)], &bounds("gone 1000 1050"));
        assert!(judged.broken[0].contains("`new` has no bound"), "{judged:?}");
        assert!(judged.broken[1].contains("`gone` has a bound and was not counted"), "{judged:?}");
        assert!(judged.table.contains("new") && judged.table.contains("gone"), "{}", judged.table);
    }
}
