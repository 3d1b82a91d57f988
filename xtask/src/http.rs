//! As much of an HTTP client as talking to our own programs on this machine takes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Asks the program that listens on a port of this machine.
pub(crate) fn get(port: u16, path: &str) -> Result<Answer> {
    exchange(port, "GET", path, "").with_context(|| format!("GET http://127.0.0.1:{port}{path}"))
}

/// Sends JSON to the program that listens on a port of this machine.
pub(crate) fn post(port: u16, path: &str, body: &Value) -> Result<Answer> {
    exchange(port, "POST", path, &body.to_string()).with_context(|| format!("POST http://127.0.0.1:{port}{path}"))
}

fn exchange(port: u16, method: &str, path: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer then ends with the connection, and is never in chunks.
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> Result<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the connection ended within the answer")?;
    let Some(status) = head.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        bail!("{head:?} is no head of an HTTP answer");
    };
    Ok(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parse("HTTP/1.0 201 Created\r\ncontent-length: 9\r\n\r\n{\"id\":\"7\"}").unwrap();
        assert_eq!((answer.status, answer.json()), (201, serde_json::json!({ "id": "7" })));
    }

    #[test]
    fn what_is_cut_off_or_no_http_is_an_error() {
        for answer in ["", "HTTP/1.0 200 OK\r\n", "HTTP/1.0 fine\r\n\r\n"] {
            assert!(parse(answer).is_err(), "{answer:?}");
        }
    }
}
