//! A request as fuzz targets take it: lines `name: value`, an empty line, the body. So seeds can be read and written by
//! hand, and what a fuzzer changes is what a stranger can change.

/// Headers and body.
pub struct Request<'a> {
    /// The headers, in order.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// What comes after the first empty line.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads a request. Lines without a colon, and names that are no UTF-8, are passed over: no HTTP server would give
    /// one on.
    #[must_use]
    pub fn new(mut input: &'a [u8]) -> Self {
        let mut headers = Vec::new();
        while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&input[..end], &input[end + 1..]);
            input = rest;
            if line.is_empty() {
                break;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let Ok(name) = std::str::from_utf8(&line[..colon]) else { continue };
            headers.push((name, line[colon + 1..].trim_ascii()));
        }
        Self { headers, body: input }
    }
}
