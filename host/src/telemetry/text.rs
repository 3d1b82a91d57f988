use std::fmt::Write as _;
use std::io;

use tracing_subscriber::fmt::MakeWriter;

/// What a terminal's commands begin with.
const ESCAPE: char = '\u{1b}';

/// Writes each log line as one line of text: what would end it before its end, or move a terminal's cursor, is escaped. Who
/// makes the host log a text could else make it log lines of his own.
#[derive(Debug, Clone)]
pub(super) struct TextLines<M>(M);

/// Takes one line with each write, as the formatter gives them.
#[derive(Debug)]
pub(super) struct TextLine<W>(W);

impl<M> TextLines<M> {
    /// Lines go to what `writers` makes.
    pub(super) fn new(writers: M) -> Self {
        Self(writers)
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for TextLines<M> {
    type Writer = TextLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        TextLine(self.0.make_writer())
    }
}

impl<W: io::Write> io::Write for TextLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn escaped(line: &str) -> String {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    let mut escaped = String::with_capacity(line.len());
    for (at, letter) in text.char_indices() {
        if letter.is_control() && !text.get(at..).is_some_and(is_colour) {
            // A String takes whatever is written to it.
            _ = write!(escaped, "{}", letter.escape_default());
        } else {
            escaped.push(letter);
        }
    }
    escaped + end
}

/// Whether a text begins with a command that does no more than colour what follows, as the formatter's own do.
/// Source: ECMA-48, "SGR - Select Graphic Rendition".
fn is_colour(text: &str) -> bool {
    let parameters = text.strip_prefix(ESCAPE).and_then(|text| text.strip_prefix('['));
    parameters.is_some_and(|text| text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::buffer::Buffer;
    use super::*;

    /// Whichever way a text gets into a line: as its message, a field of it, or a field of a span around it.
    #[test]
    fn nobody_makes_two_lines_of_one() {
        let forged = "one\n2026-01-01T00:00:00Z  INFO two\r\u{b}\u{c}\u{85}\t\u{1b}[2Kthree\0";
        for colours in [false, true] {
            let buffer = Buffer::default();
            let writer = buffer.clone();
            let layer = fmt::layer().with_writer(TextLines::new(move || writer.clone())).with_ansi(colours).compact();
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                let span = tracing::info_span!("delivery", display = %forged, text = forged);
                span.in_scope(|| tracing::warn!(context = forged, shown = %forged, "{forged}"));
            });
            let bytes = buffer.0.lock().unwrap().clone();
            let line = String::from_utf8(bytes).unwrap();
            let (line, end) = line.split_at(line.len() - 1);
            assert!(end == "\n" && line.matches("one\\n2026").count() == 5, "{line}");
            assert!(line.chars().all(|letter| !letter.is_control() || colours && letter == ESCAPE), "{line:?}");
            assert!(!line.contains("\u{1b}[2K"), "{line:?}");
        }
    }
}
