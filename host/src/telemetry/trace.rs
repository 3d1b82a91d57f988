use hyper::HeaderMap;

/// The trace that a request belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

impl TraceContext {
    /// From `traceparent` (W3C Trace Context), or from the older `X-Cloud-Trace-Context`. `None` where there is
    /// neither, or neither is well formed.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        header("traceparent")
            .and_then(Self::from_traceparent)
            .or_else(|| header("x-cloud-trace-context").and_then(Self::from_cloud))
    }

    /// From the W3C form, `00-TRACE-SPAN-FLAGS`.
    #[must_use]
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let flags = u8::from_str_radix(flags, 16).ok().filter(|_| flags.len() == 2)?;
        let whole = known && is_hex(trace_id, 32) && is_hex(span_id, 16) && !is_zero(trace_id) && !is_zero(span_id);
        whole.then(|| Self { trace_id: trace_id.to_owned(), span_id: span_id.to_owned(), sampled: flags & 1 == 1 })
    }

    /// The W3C form, version 00. Of the flags it has the one that says whether the trace is recorded.
    #[must_use]
    pub fn to_traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }

    /// From Google's older form, `TRACE/SPAN;o=1`, in which the span is a decimal number.
    #[must_use]
    pub fn from_cloud(text: &str) -> Option<Self> {
        let (trace_id, rest) = text.trim().split_once('/')?;
        let (span, options) = rest.split_once(';').unwrap_or((rest, ""));
        let span: u64 = span.parse().ok()?;
        let whole = is_hex(trace_id, 32) && !is_zero(trace_id);
        whole.then(|| Self {
            trace_id: trace_id.to_owned(),
            span_id: format!("{span:016x}"),
            sampled: options == "o=1",
        })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn both_forms_are_read() {
        let context = TraceContext::from_traceparent(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        assert_eq!((context.span_id.as_str(), context.sampled), ("00f067aa0ba902b7", true));
        let older = TraceContext::from_cloud(&format!("{TRACE}/67667974448284343;o=1")).unwrap();
        assert_eq!(older, context);
        assert_eq!(older.to_traceparent(), format!("00-{TRACE}-00f067aa0ba902b7-01"));
    }

    #[test]
    fn what_is_malformed_is_none() {
        let zero = "0".repeat(32);
        for text in [
            String::new(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{zero}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
        ] {
            assert_eq!(TraceContext::from_traceparent(&text), None, "{text}");
        }
        assert_eq!(TraceContext::from_cloud(&format!("{TRACE}/x")), None);
    }
}
