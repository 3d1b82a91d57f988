//! What the host counts, for Prometheus and what reads its form.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::by_name::ByName;
use crate::outcome::Answer;
use crate::runtime::Invocation;

/// The media type of [`Metrics::text`]. Source: OpenMetrics 1.0, "Protocol Negotiation".
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How nearly every delivery ends: its outcome and its code.
const DONE: (&str, &str) = ("done", "done");

/// The counters of one host. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    deliveries: Family<Ended, Counter>,
    in_flight: Gauge,
    /// What is looked up once for each handler, and not for each event.
    by_handler: Arc<ByName<OfHandler>>,
    runs: Family<Ran, Histogram, fn() -> Histogram>,
    memory: Family<Ran, Histogram, fn() -> Histogram>,
    made: Family<Ran, Counter>,
    reused: Family<Ran, Counter>,
    published: Family<Ran, Counter>,
    refused: Family<Refused, Counter>,
}

/// The series of one handler that nearly every event of it adds to.
struct OfHandler {
    done: Counter,
    runs: Histogram,
    memory: Histogram,
    made: Counter,
    reused: Counter,
}

/// How a delivery ended. Handlers and codes are few and none is a stranger's word, so the series are few too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
    code: &'static str,
    /// Empty where none was run.
    handler: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ran {
    handler: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    handler: String,
    capability: &'static str,
}

/// A delivery that the host has and has not answered. It is no longer one once this is dropped.
pub struct InFlight(Option<Gauge>);

impl Default for Metrics {
    /// Nothing counted yet.
    fn default() -> Self {
        // From 50 µs, what the least handler takes, to 400 s, beyond which few deadlines go.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(50e-6, 3.0, 15));
        // From 64 KiB, one page, to 1 GiB.
        let bytes: fn() -> Histogram = || Histogram::new(exponential_buckets(65_536.0, 2.0, 15));
        let (deliveries, in_flight) = (Family::default(), Gauge::default());
        let (runs, memory) = (Family::new_with_constructor(seconds), Family::new_with_constructor(bytes));
        let mut registry = Registry::with_prefix("tidemill");
        registry.register(
            "deliveries",
            "Deliveries that were answered, by outcome, code and the handler that ran",
            deliveries.clone(),
        );
        registry.register("in_flight", "Deliveries that are not answered yet", in_flight.clone());
        let help = "Time that a handler took for an event, its instantiation included";
        registry.register_with_unit("run", help, Unit::Seconds, runs.clone());
        let help = "Most memory that a handler had for an event, linear memories and tables together";
        registry.register_with_unit("run_memory", help, Unit::Bytes, memory.clone());
        let (made, reused) = (Family::default(), Family::default());
        let help = "Instances that were made for a handler's events";
        registry.register("instances", help, made.clone());
        let help = "Events of a handler that ran in an instance which had handled others before";
        registry.register("reused", help, reused.clone());
        let (published, refused) = (Family::default(), Family::default());
        let help = "Events that a handler published and that were sent";
        registry.register("published", help, published.clone());
        let help = "What a handler asked for and was refused, by the capability that it is of";
        registry.register("refused", help, refused.clone());
        let by_handler = Arc::default();
        Self {
            registry: Arc::new(registry),
            deliveries,
            in_flight,
            by_handler,
            runs,
            memory,
            made,
            reused,
            published,
            refused,
        }
    }
}

impl Metrics {
    /// Counts a delivery as one that is not answered yet, until what this gives is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(Some(self.in_flight.clone()))
    }

    /// Counts a delivery that was answered.
    pub fn answered(&self, answer: &Answer, handler: Option<&str>) {
        match handler {
            Some(handler) if (answer.outcome, answer.code) == DONE => _ = self.of(handler).done.inc(),
            _ => {
                let handler = handler.unwrap_or_default().to_owned();
                self.deliveries.get_or_create(&Ended { outcome: answer.outcome, code: answer.code, handler }).inc();
            }
        }
    }

    /// Notes one run of a handler.
    pub fn ran(&self, handler: &str, ran: &Invocation) {
        let Invocation { elapsed, peak_memory, handled_before, refusals, .. } = ran;
        let of = self.of(handler);
        of.runs.observe(Duration::as_secs_f64(elapsed));
        of.memory.observe(*peak_memory as f64);
        let instances = if *handled_before == 0 { &of.made } else { &of.reused };
        instances.inc();
        for (capability, count) in refusals.by_capability().into_iter().filter(|(_, count)| *count > 0) {
            self.refused.get_or_create(&Refused { handler: handler.to_owned(), capability }).inc_by(count);
        }
    }

    fn of(&self, handler: &str) -> Arc<OfHandler> {
        self.by_handler.get(handler, || {
            let ran = Ran { handler: handler.to_owned() };
            let (outcome, code) = DONE;
            OfHandler {
                done: self.deliveries.get_or_create_owned(&Ended { outcome, code, handler: handler.to_owned() }),
                runs: self.runs.get_or_create_owned(&ran),
                memory: self.memory.get_or_create_owned(&ran),
                made: self.made.get_or_create_owned(&ran),
                reused: self.reused.get_or_create_owned(&ran),
            }
        })
    }

    /// Counts events that a handler published, once they are sent.
    pub fn published(&self, handler: &str, count: usize) {
        self.published.get_or_create(&Ran { handler: handler.to_owned() }).inc_by(count as u64);
    }

    /// All of it, in the form of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A String takes whatever is written to it.
        _ = encode(&mut text, &self.registry);
        text
    }
}

impl InFlight {
    /// Ends it, if it hasn't ended, and says whether it was the last one.
    pub fn end(&mut self) -> bool {
        // What was there before, told by the very step that changes it: of two that end at once one is the last.
        self.0.take().is_some_and(|in_flight| in_flight.dec() == 1)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        _ = self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::runtime::{Ending, Fault, Refusals};

    #[test]
    fn what_is_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        let memory = Outcome::Ran(Ending::Fault(Fault::Memory(1)));
        for outcome in [&memory, &memory, &Outcome::Duplicate] {
            metrics.answered(&outcome.answer(), Some("mail"));
        }
        let (elapsed, peak_memory) = (Duration::from_millis(2), 1 << 20);
        let refusals = Refusals { http: 2, key_value: 0, publish: 1 };
        let publications = vec![];
        let ran = Invocation { ending: Ending::Done, elapsed, peak_memory, handled_before: 0, refusals, publications };
        metrics.ran("mail", &ran);
        metrics.ran("report", &Invocation { handled_before: 7, ..ran });
        metrics.published("mail", 3);
        let held = metrics.begin();
        drop(metrics.begin());
        let text = metrics.text();
        for line in [
            r#"tidemill_deliveries_total{outcome="fault",code="memory",handler="mail"} 2"#,
            r#"tidemill_deliveries_total{outcome="done",code="duplicate",handler="mail"} 1"#,
            "tidemill_in_flight 1",
            r#"tidemill_run_seconds_sum{handler="mail"} 0.002"#,
            r#"tidemill_run_memory_bytes_count{handler="mail"} 1"#,
            r#"tidemill_instances_total{handler="mail"} 1"#,
            r#"tidemill_reused_total{handler="report"} 1"#,
            r#"tidemill_published_total{handler="mail"} 3"#,
            r#"tidemill_refused_total{handler="mail",capability="http"} 2"#,
            r#"tidemill_refused_total{handler="mail",capability="publish"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
        }
        assert!(!text.contains("key-value"), "{text}");
        drop(held);
        assert!(metrics.text().contains("tidemill_in_flight 0"));
    }
}
