//! What commands print.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard output. Where nobody reads any more, as in `tidemill invoke … | head -1`, it is lost: what
/// the command did, and so its exit code, is the same.
pub(crate) fn say(line: impl Display) {
    _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line of how far it is to standard error, so that what is printed there is no part of the result.
pub(crate) fn progress(line: impl Display) {
    _ = writeln!(std::io::stderr(), "{line}");
}

/// A text of a guest's, such that it can't move the cursor or change the terminal: control characters are escaped.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(printable("\x1b[2Jdone\rö\tü"), "\\u{1b}[2Jdone\\rö\tü");
    }
}
