use std::cell::RefCell;
use std::io::Write;
use std::time::SystemTime;

use tidemill_events::format_rfc3339;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::{Fields, quote};

/// Writes each log line as one JSON object, in the form that Cloud Logging takes structured fields from.
///
/// The fields of the spans around a line are fields of the line; of two with one name the innermost stands. A field
/// `http_request.NAME` goes into `httpRequest`; `trace_id`, `span_id` and `trace_sampled` become Cloud Logging's own.
/// Source: "Structured logging", "Special fields in structured payloads", in the Cloud Logging documentation.
pub struct JsonLines<W> {
    project: Option<String>,
    writer: W,
}

impl<W> JsonLines<W> {
    /// Lines go to `writer`. Without a `project`, a trace's id is written alone, which Cloud Logging doesn't link.
    pub fn new(project: Option<String>, writer: W) -> Self {
        Self { project, writer }
    }

    #[expect(clippy::disallowed_methods, reason = "a log line's time is the wall clock's, and nothing depends on it")]
    fn begin(level: Level, line: &mut Line) {
        line.clear();
        line.json.push_str("{\"severity\":\"");
        line.json.push_str(severity(level));
        line.json.push_str("\",\"time\":\"");
        line.json.push_str(&format_rfc3339(SystemTime::now()));
        line.json.push('"');
    }

    fn add(&self, line: &mut Line, fields: &Fields) {
        for (name, value) in fields.last_first() {
            if line.names.contains(&name) {
                continue;
            }
            line.names.push(name);
            let (json, name) = match name {
                "trace_id" => {
                    line.json.push_str(",\"logging.googleapis.com/trace\":");
                    match (&self.project, value.strip_prefix('"')) {
                        (Some(project), Some(id)) => {
                            quote(&mut line.json, format_args!("projects/{project}/traces/"));
                            // The id goes on where the project's text would end.
                            line.json.pop();
                            line.json.push_str(id);
                        }
                        _ => line.json.push_str(value),
                    }
                    continue;
                }
                "span_id" => (&mut line.json, "logging.googleapis.com/spanId"),
                "trace_sampled" => (&mut line.json, "logging.googleapis.com/trace_sampled"),
                name => match name.strip_prefix("http_request.") {
                    Some(name) => (&mut line.request, name),
                    None => (&mut line.json, name),
                },
            };
            json.push_str(",\"");
            json.push_str(name);
            json.push_str("\":");
            json.push_str(value);
        }
    }
}

/// A line that is being put together. Each thread keeps one, and its room, for the next.
#[derive(Default)]
struct Line {
    json: String,
    /// Members of `httpRequest`, each behind a comma.
    request: String,
    /// Fields that it has.
    names: Vec<&'static str>,
    /// The fields of its own.
    own: Fields,
}

impl Line {
    fn clear(&mut self) {
        self.json.clear();
        self.request.clear();
        self.names.clear();
        self.own.clear();
    }

    fn end(&mut self) -> &[u8] {
        if let Some(request) = self.request.strip_prefix(',') {
            self.json.push_str(",\"httpRequest\":{");
            self.json.push_str(request);
            self.json.push('}');
        }
        self.json.push_str("}\n");
        self.json.as_bytes()
    }
}

thread_local! {
    static LINE: RefCell<Line> = RefCell::default();
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::for_a_span();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // A value that logs while it is written finds the thread's own line taken.
        let mut line = LINE.take();
        Self::begin(*event.metadata().level(), &mut line);
        let mut own = std::mem::take(&mut line.own);
        event.record(&mut own);
        self.add(&mut line, &own);
        line.own = own;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                self.add(&mut line, fields);
            }
        }
        // In one write, so that no two lines mix. A log that can't be written can't be complained of either.
        _ = self.writer.make_writer().write_all(line.end());
        LINE.set(line);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::super::buffer::Buffer;
    use super::*;

    fn logged(log: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = tracing_subscriber::registry().with(JsonLines::new(Some("p".into()), move || writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock().unwrap();
        bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
    }

    #[test]
    fn a_line_has_cloud_loggings_form_and_its_spans_fields() {
        let lines = logged(|| {
            let span =
                tracing::info_span!("delivery", message_id = tracing::field::Empty, trace_id = "abc", span_id = "def");
            span.record("message_id", "7");
            span.in_scope(|| tracing::warn!(http_request.status = 503, attempt = 2, "not now: \"later\"\nplease"));
        });
        let line = &lines[0];
        assert_eq!(line["severity"], "WARNING");
        assert_eq!(line["message"], "not now: \"later\"\nplease");
        assert_eq!(line["message_id"], "7");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["httpRequest"]["status"], 503);
        assert_eq!(line["logging.googleapis.com/trace"], "projects/p/traces/abc");
        assert_eq!(line["logging.googleapis.com/spanId"], "def");
        assert!(tidemill_events::parse_rfc3339(line["time"].as_str().unwrap()).is_ok());
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn of_two_fields_with_one_name_the_innermost_and_the_last_stands() {
        let lines = logged(|| {
            let outer = tracing::info_span!("outer", handler = "outer", only = 1, again = "first");
            outer.record("again", "second");
            outer.in_scope(|| {
                tracing::info_span!("inner", handler = "inner").in_scope(|| tracing::info!(only = 2, "\"\\\u{1}"));
            });
        });
        let line = &lines[0];
        assert_eq!((&line["handler"], &line["again"], &line["only"]), (&"inner".into(), &"second".into(), &2.into()));
        assert_eq!(line["message"], "\"\\\u{1}");
    }

    #[test]
    fn a_value_that_logs_while_it_is_written_spoils_nothing() {
        struct Chatty;
        impl std::fmt::Display for Chatty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                tracing::info!(inner = true, "within");
                f.write_str("around")
            }
        }
        let lines = logged(|| tracing::info!(outer = true, "{Chatty}"));
        // tracing itself keeps the inner line from being written while the outer one is.
        let last = lines.last().unwrap();
        assert_eq!((&last["message"], &last["outer"]), (&"around".into(), &true.into()));
    }
}
