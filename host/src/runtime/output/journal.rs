use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::rate::RATE;
use super::{Level, Line, Mask, OutputSink, Rate, Remarks, Stream};

/// Lines that one event may write: each costs far more than its bytes.
const MAX_LINES: usize = 500;
/// A longer line is cut here, so that one line can't hold the whole budget back until the end.
const MAX_LINE: usize = 8 << 10;
/// A longer context is cut here.
const MAX_CONTEXT: usize = 256;

/// All that an instance writes, whichever way, for each of its events within one budget.
pub(in crate::runtime) struct Journal(Mutex<Lines>);

struct Lines {
    sink: Arc<dyn OutputSink>,
    rate: Arc<Rate>,
    /// Bytes that the event may write.
    budget: usize,
    /// What hides the handler's secrets, where it has some. It comes before all that cuts or counts, so that no cut leaves
    /// half of one.
    mask: Option<Arc<Mask>>,
    stdout: Partial,
    stderr: Partial,
    taken: usize,
    lines: usize,
    dropped: usize,
    /// Whether the event is over, and all is said.
    ended: bool,
}

/// What a stream has of a line that has no end yet.
#[derive(Default)]
struct Partial {
    line: Vec<u8>,
    /// What the mask holds back behind it.
    held: Vec<u8>,
}

impl Journal {
    /// The journal of one event of a handler, which may write so many bytes, without the secrets that `mask` hides.
    pub(in crate::runtime) fn new(
        sink: Arc<dyn OutputSink>,
        rate: Arc<Rate>,
        budget: usize,
        mask: Option<Arc<Mask>>,
    ) -> Self {
        Self(Mutex::new(Lines::new(sink, rate, budget, mask)))
    }

    /// Begins another event of the same handler, with all of its budget.
    pub(in crate::runtime) fn begin(&self, sink: Arc<dyn OutputSink>) {
        self.with(|lines| *lines = Lines::new(sink, Arc::clone(&lines.rate), lines.budget, lines.mask.clone()));
    }

    /// Ends an event: what has no end yet is a line of it.
    pub(in crate::runtime) fn end(&self) {
        self.with(Lines::end);
    }

    /// What lets the host speak of the same event within the same rate, and without the same secrets.
    pub(in crate::runtime) fn remarks(&self) -> Remarks {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Remarks::new(Arc::clone(&lines.rate), lines.mask.clone())
    }

    /// Takes bytes of standard output, which make lines with those before and after.
    pub(super) fn stdout(&self, bytes: &[u8]) {
        self.with(|lines| {
            let mut partial = std::mem::take(&mut lines.stdout);
            lines.write(Stream::Stdout, &mut partial, bytes);
            lines.stdout = partial;
        });
    }

    /// Takes bytes of standard error.
    pub(super) fn stderr(&self, bytes: &[u8]) {
        self.with(|lines| {
            let mut partial = std::mem::take(&mut lines.stderr);
            lines.write(Stream::Stderr, &mut partial, bytes);
            lines.stderr = partial;
        });
    }

    /// Takes one message that the guest logged. It stays one line, however many it has.
    pub(super) fn log(&self, level: Level, mut context: String, mut text: String) {
        self.with(|lines| {
            let mut whole = 0;
            // Nothing of it is shown without room, so nothing has to be looked for in it.
            if let Some(mask) = lines.mask.as_ref().filter(|_| lines.room() > 0) {
                for (part, most) in [(&mut context, MAX_CONTEXT), (&mut text, MAX_LINE)] {
                    let (shown, left) = mask.shown(part, most);
                    *part = shown;
                    whole += left;
                }
            }
            whole += context.len() + text.len();
            context.truncate(context.floor_char_boundary(MAX_CONTEXT.min(lines.room())));
            text.truncate(text.floor_char_boundary(MAX_LINE.min(lines.room() - context.len())));
            let kept = context.len() + text.len();
            lines.taken += kept;
            lines.dropped += whole - kept;
            // A line of which nothing is left says nothing.
            if kept > 0 || whole == 0 {
                lines.emit(Line { stream: Stream::Log, level, context: Some(context), text });
            }
        });
    }

    fn with(&self, write: impl FnOnce(&mut Lines)) {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Lines {
    fn new(sink: Arc<dyn OutputSink>, rate: Arc<Rate>, budget: usize, mask: Option<Arc<Mask>>) -> Self {
        let (stdout, stderr) = (Partial::default(), Partial::default());
        Self { sink, rate, budget, mask, stdout, stderr, taken: 0, lines: 0, dropped: 0, ended: false }
    }

    /// Bytes that may still be written.
    fn room(&self) -> usize {
        if self.lines < MAX_LINES { self.budget.saturating_sub(self.taken) } else { 0 }
    }

    fn write(&mut self, stream: Stream, partial: &mut Partial, bytes: &[u8]) {
        match self.mask.clone() {
            None => self.push(stream, &mut partial.line, bytes),
            Some(mask) if self.room() > 0 => {
                let shown = mask.pass(&mut partial.held, bytes);
                self.push(stream, &mut partial.line, &shown);
            }
            // Nothing that follows is shown, so nothing has to be looked for in it.
            Some(_) => self.dropped += std::mem::take(&mut partial.held).len() + bytes.len(),
        }
    }

    fn push(&mut self, stream: Stream, partial: &mut Vec<u8>, bytes: &[u8]) {
        let (kept, dropped) = bytes.split_at(self.room().min(bytes.len()));
        self.taken += kept.len();
        self.dropped += dropped.len();
        for mut piece in kept.split_inclusive(|byte| *byte == b'\n') {
            while !piece.is_empty() {
                let room = MAX_LINE.saturating_sub(partial.len());
                let (now, later) = piece.split_at(room.min(piece.len()));
                partial.extend_from_slice(now);
                piece = later;
                if partial.ends_with(b"\n") || partial.len() >= MAX_LINE {
                    self.emit_partial(stream, partial);
                }
            }
        }
    }

    /// Emits what there is of a line, but for a last character that is still to be finished.
    fn emit_partial(&mut self, stream: Stream, partial: &mut Vec<u8>) {
        let begun = partial.split_off(whole_characters(partial));
        let text = String::from_utf8_lossy(partial).trim_end_matches(['\n', '\r']).to_owned();
        if self.lines == MAX_LINES {
            self.dropped += partial.len();
        } else {
            let level = if stream == Stream::Stderr { Level::Warn } else { Level::Info };
            self.emit(Line { stream, level, context: None, text });
        }
        *partial = begun;
    }

    fn emit(&mut self, line: Line) {
        self.lines += 1;
        if self.rate.allows(Instant::now()) {
            self.sink.line(line);
        }
    }

    fn say(&self, text: String) {
        self.sink.line(Line { stream: Stream::Host, level: Level::Warn, context: None, text });
    }

    /// The last line often has no end, and what was cut has to be said. There is nothing to be said a second time.
    fn end(&mut self) {
        self.ended = true;
        for (stream, mut partial) in
            [(Stream::Stdout, std::mem::take(&mut self.stdout)), (Stream::Stderr, std::mem::take(&mut self.stderr))]
        {
            if let Some(mask) = self.mask.clone() {
                let shown = mask.end(&partial.held);
                self.push(stream, &mut partial.line, &shown);
            }
            // Once more for a character that is never finished.
            while !partial.line.is_empty() {
                self.emit_partial(stream, &mut partial.line);
            }
        }
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.say(format!(
                "[{dropped} further bytes of output dropped: an event may write {} in {MAX_LINES} lines ([limits] log)]",
                self.budget
            ));
        }
        if let Some(lines) = self.rate.notice(Instant::now()) {
            self.say(format!(
                "[{lines} lines of this handler dropped, of one event or several: it may write {RATE} a second]"
            ));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // An instance that waits for another event is dropped in whoever's span it may be, and has nothing to say there.
        if !self.ended {
            self.end();
        }
    }
}

/// How many bytes of a line are whole characters, where all that is missing is the end of the last one; else all of them.
fn whole_characters(line: &[u8]) -> usize {
    match std::str::from_utf8(line) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        Ok(_) | Err(_) => line.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Captured;
    use super::*;

    const BUDGET: usize = 64 << 10;

    fn lines(write: impl FnOnce(&Journal)) -> Vec<Line> {
        let captured = Arc::new(Captured::default());
        let journal = Journal::new(Arc::clone(&captured) as Arc<dyn OutputSink>, Arc::default(), BUDGET, None);
        write(&journal);
        drop(journal);
        captured.take()
    }

    fn written(pieces: &[&[u8]]) -> Vec<String> {
        let lines = lines(|journal| pieces.iter().for_each(|piece| journal.stdout(piece)));
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_made_of_pieces_and_the_last_needs_no_end() {
        assert_eq!(written(&[b"on", b"e\ntwo\r\n", b"\nthree"]), ["one", "two", "", "three"]);
    }

    #[test]
    fn each_event_has_its_own_lines_budget_and_sink() {
        let (first, second) = (Arc::new(Captured::default()), Arc::new(Captured::default()));
        let journal = Journal::new(Arc::clone(&first) as Arc<dyn OutputSink>, Arc::default(), 4, None);
        journal.stdout(b"of the first");
        journal.end();
        let texts = |captured: &Captured| captured.take().into_iter().map(|line| line.text).collect::<Vec<_>>();
        let found = texts(&first);
        assert!(found.len() == 2 && found[0] == "of t" && found[1].starts_with("[8 further bytes"), "{found:?}");
        journal.begin(Arc::clone(&second) as Arc<dyn OutputSink>);
        journal.stdout(b"next");
        drop(journal);
        assert_eq!((texts(&first), texts(&second)), (vec![], vec!["next".to_owned()]));
    }

    #[test]
    fn the_two_streams_never_mix_in_a_line() {
        let lines = lines(|journal| {
            journal.stdout(b"o");
            journal.stderr(b"err\n");
            journal.stdout(b"ut\n");
        });
        let found: Vec<_> = lines.iter().map(|line| (line.stream, line.level, line.text.as_str())).collect();
        assert_eq!(found, [(Stream::Stderr, Level::Warn, "err"), (Stream::Stdout, Level::Info, "out")]);
    }

    #[test]
    fn many_empty_lines_are_cut_and_counted() {
        let lines = written(&["\n".repeat(10_000).as_bytes(), b"more\n"]);
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert!(lines.last().unwrap().starts_with("[9505 further bytes"), "{:?}", lines.last());
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let lines = written(&[&vec![b'x'; BUDGET], b"more\n", b"and more\n"]);
        assert_eq!(
            lines.last().unwrap(),
            "[14 further bytes of output dropped: an event may write 65536 in 500 lines ([limits] log)]"
        );
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), BUDGET + lines.last().unwrap().len());
    }

    #[test]
    fn a_line_of_one_write_is_cut_as_one_of_many_and_between_characters() {
        let long = format!("x{}end\n", "ö".repeat(MAX_LINE));
        for size in [1, 1000, long.len()] {
            let pieces: Vec<_> = long.as_bytes().chunks(size).collect();
            let lines = written(&pieces);
            assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= MAX_LINE), "{size}: {}", lines.len());
            assert_eq!(lines.concat(), long.trim_end(), "{size}");
        }
        assert_eq!(written(&[b"a\xc3", b"\xff\xc3"]).concat(), "a\u{fffd}\u{fffd}\u{fffd}");
    }

    /// Cloud Logging takes 256 KB for a line, and a control character is six bytes in JSON.
    #[test]
    fn no_line_is_too_long_for_a_log_whatever_is_in_it() {
        for byte in [0x01, 0xff, b'"'] {
            let lines = lines(|journal| {
                journal.stdout(&vec![byte; BUDGET]);
                let text = String::from_utf8_lossy(&[byte].repeat(BUDGET)).into_owned();
                journal.log(Level::Info, text.clone(), text);
            });
            for Line { text, context, .. } in lines {
                let json = serde_json::json!({ "message": text, "context": context }).to_string();
                assert!(json.len() < 64 << 10, "{byte}: {}", json.len());
            }
        }
    }

    #[test]
    fn what_is_logged_is_cut_between_characters_and_shares_the_budget() {
        let lines = lines(|journal| {
            journal.log(Level::Error, "ä".repeat(MAX_CONTEXT), "ö".repeat(MAX_LINE));
            journal.stdout(&vec![b'x'; BUDGET]);
            journal.log(Level::Info, "late".into(), "too late".into());
        });
        assert_eq!((lines[0].level, lines[0].stream), (Level::Error, Stream::Log));
        assert_eq!(lines[0].context.as_ref().unwrap().len(), MAX_CONTEXT);
        assert_eq!(lines[0].text.len(), MAX_LINE);
        let (last, rest) = lines.split_last().unwrap();
        let kept: usize = rest.iter().map(|line| line.text.len() + line.context.as_ref().map_or(0, String::len)).sum();
        assert_eq!(kept, BUDGET);
        let dropped = 2 * (MAX_CONTEXT + MAX_LINE) + BUDGET + "latetoo late".len() - BUDGET;
        assert!(last.text.starts_with(&format!("[{dropped} further bytes")), "{last:?}");
    }

    /// Without a line of the guest's own, too.
    #[test]
    fn what_the_host_says_of_an_event_is_within_its_handlers_rate() {
        let lines = lines(|journal| {
            let remarks = journal.remarks();
            let said = (0..5_000).filter(|_| remarks.may_say()).count();
            assert!((1_000..5_000).contains(&said), "{said}");
        });
        assert!(lines.len() == 1 && lines[0].text.contains("lines of this handler dropped"), "{lines:?}");
    }

    #[test]
    fn what_the_rate_drops_is_said() {
        let rate: Arc<Rate> = Arc::default();
        let captured = Arc::new(Captured::default());
        for _ in 0..3 {
            let sink = Arc::clone(&captured) as Arc<dyn OutputSink>;
            Journal::new(sink, Arc::clone(&rate), BUDGET, None).stdout("x\n".repeat(MAX_LINES).as_bytes());
        }
        let lines = captured.take();
        assert!(lines.len() < 3 * MAX_LINES, "{}", lines.len());
        assert!(lines.last().unwrap().text.contains("lines of this handler dropped"), "{:?}", lines.last());
    }
}
