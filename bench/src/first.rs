//! How long it takes from the start of a process to its first event acknowledged.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use crate::contender::Contender;
use crate::server::free_port;

/// How often a connection is tried.
const LOOK: Duration = Duration::from_micros(200);
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts a contender, sends it an event as soon as it takes a connection, and gives the time from before the start to the
/// answer.
///
/// # Errors
/// Where it can't be started, ends, takes too long or answers anything but 204.
pub(crate) fn acknowledged(contender: &Contender, event: &Bytes) -> Result<Duration> {
    let port = free_port()?;
    let length = event.len();
    let head = format!(
        "POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    let request = [head.as_bytes(), event].concat();
    let mut command = contender.command(port);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?} can't be started"))?;
    let answered = loop {
        match exchange(port, &request) {
            Some(answer) => break Ok((answer, start.elapsed())),
            None if start.elapsed() > PATIENCE => break Err("answers nothing"),
            None if child.try_wait()?.is_some() => break Err("has ended"),
            None => sleep(LOOK),
        }
    };
    _ = child.kill();
    _ = child.wait();
    match answered {
        Ok((answer, elapsed)) if answer.starts_with("HTTP/1.1 204 ") => Ok(elapsed),
        Ok((answer, _)) => bail!("{} answered {answer:?}", contender.name),
        Err(what) => bail!("{command:?} {what}"),
    }
}

/// The first line of the answer; `None` as long as there is nobody who takes the connection and answers.
fn exchange(port: u16, request: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request).ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        answer.extend(byte);
    }
    String::from_utf8(answer).ok()
}
