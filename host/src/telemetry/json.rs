use std::fmt;
use std::io::Write;
use std::time::SystemTime;

use serde_json::{Map, Value};
use tidemill_events::format_rfc3339;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes each log line as one JSON object, in the form that Cloud Logging takes structured fields from.
///
/// The fields of the spans around a line are fields of the line. A field `http_request.NAME` goes into `httpRequest`;
/// `trace_id`, `span_id` and `trace_sampled` become Cloud Logging's own.
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
    fn render(&self, level: Level, mut fields: Map<String, Value>) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("severity".into(), severity(level).into());
        line.insert("time".into(), format_rfc3339(SystemTime::now()).into());
        line.insert("message".into(), fields.remove("message").unwrap_or_default());
        if let Some(Value::String(id)) = fields.remove("trace_id") {
            let trace = match &self.project {
                Some(project) => format!("projects/{project}/traces/{id}"),
                None => id,
            };
            line.insert("logging.googleapis.com/trace".into(), trace.into());
        }
        for (name, special) in [("span_id", "spanId"), ("trace_sampled", "trace_sampled")] {
            if let Some(value) = fields.remove(name) {
                line.insert(format!("logging.googleapis.com/{special}"), value);
            }
        }
        let mut request = Map::new();
        for (name, value) in fields {
            match name.strip_prefix("http_request.") {
                Some(name) => _ = request.insert(name.to_owned(), value),
                None => _ = line.insert(name, value),
            }
        }
        if !request.is_empty() {
            line.insert("httpRequest".into(), request.into());
        }
        line
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// A span's fields, kept with the span.
struct Fields(Map<String, Value>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
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
        let mut fields = Fields(Map::new());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        event.record(&mut fields);
        let line = self.render(*event.metadata().level(), fields.0);
        let line = format!("{}\n", Value::Object(line));
        // In one write, so that no two lines mix. A log that can't be written can't be complained of either.
        _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
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
}
