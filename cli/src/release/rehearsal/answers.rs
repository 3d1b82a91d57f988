use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde::Deserialize;
use tidemill_host::outgoing::Origin;

/// A recorded exchange as it stands in a file: a JSON object of a request and a response, or an array of such objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    request: Asked,
    response: Answered,
}

/// What was asked. A request matches by its method and URL, and by its body where one is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    url: String,
    body: Option<String>,
}

/// What was answered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Many(Vec<Exchange>),
    One(Box<Exchange>),
}

/// What requests are answered with: by a recording, or else by the stub.
pub(super) struct Answers {
    recordings: Vec<Recording>,
    stub: StatusCode,
}

struct Recording {
    method: Method,
    url: Uri,
    body: Option<Bytes>,
    answer: Response<Bytes>,
}

impl Answers {
    /// The recordings of a file, or of all files `*.json` of a folder in the order of their names, where there are any;
    /// and an empty answer of this status for what isn't recorded.
    pub(super) fn read(path: Option<&Path>, stub: StatusCode) -> anyhow::Result<Self> {
        let mut recordings = Vec::new();
        for file in path.map(files).transpose()?.unwrap_or_default() {
            let shown = file.display();
            let text = fs::read(&file).with_context(|| format!("{shown}: it can't be read"))?;
            let advice =
                "a recording is {\"request\": {\"method\", \"url\"}, \"response\": {\"status\"}}, or an array of such";
            let exchanges = match serde_json::from_slice(&text) {
                Ok(File::Many(exchanges)) => exchanges,
                Ok(File::One(exchange)) => vec![*exchange],
                Err(error) => bail!("{shown}: it holds no recordings: {error}; {advice}"),
            };
            for (number, exchange) in exchanges.into_iter().enumerate() {
                let number = number.saturating_add(1);
                recordings.push(exchange.recording().with_context(|| format!("{shown}: recording {number}"))?);
            }
        }
        Ok(Self { recordings, stub })
    }

    /// The answer to a request, and the number of the recording that it is of. Where several match it is the first that
    /// `used` doesn't have, or the last once all were used. `None`: it is the stub's.
    pub(super) fn to(&self, request: &Request<Bytes>, used: &[usize]) -> (Response<Bytes>, Option<usize>) {
        let matching = || self.recordings.iter().enumerate().filter(|(_, recording)| recording.is_of(request));
        let unused = matching().find(|(number, _)| !used.contains(number));
        match unused.or_else(|| matching().last()) {
            Some((number, recording)) => (recording.answer.clone(), Some(number)),
            None => {
                let mut answer = Response::new(Bytes::new());
                *answer.status_mut() = self.stub;
                (answer, None)
            }
        }
    }
}

impl Recording {
    fn is_of(&self, request: &Request<Bytes>) -> bool {
        self.method == *request.method()
            && self.url == *request.uri()
            && self.body.as_ref().is_none_or(|body| body == request.body())
    }
}

impl Exchange {
    fn recording(self) -> anyhow::Result<Recording> {
        let Self { request: Asked { method, url, body }, response } = self;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| anyhow!("request.method {method:?} is none"))?;
        let wrong = || format!("request.url {url:?} is no URL of a server");
        let parsed: Uri = url.parse().with_context(wrong)?;
        // In the one form that requests leave in.
        let url = Origin::of(&parsed).with_context(wrong)?.url(parsed.path_and_query()).with_context(wrong)?;
        let mut answer = Response::builder().status(response.status);
        for (name, value) in response.headers {
            answer = answer.header(name, value);
        }
        let answer = answer.body(response.body.into()).context("the response is none")?;
        Ok(Recording { method, url, body: body.map(Bytes::from), answer })
    }
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_dir() { super::source::json_files(path) } else { Ok(vec![path.to_owned()]) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answers(recorded: &Value) -> anyhow::Result<Answers> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), recorded.to_string()).unwrap();
        fs::write(folder.path().join("readme.txt"), "no recording").unwrap();
        Answers::read(Some(folder.path()), StatusCode::ACCEPTED)
    }

    fn exchange(url: &str, body: Option<&str>, answer: &str) -> Value {
        json!({ "request": { "method": "POST", "url": url, "body": body }, "response": { "status": 201, "body": answer } })
    }

    #[test]
    fn the_first_recording_that_matches_and_was_not_used_answers_and_then_the_last() {
        let recorded = [
            exchange("https://API.example:443/x", None, "one"),
            exchange("https://api.example/x", None, "two"),
            exchange("https://api.example/y", Some("this"), "three"),
        ];
        let answers = answers(&json!(recorded)).unwrap();
        let mut used = Vec::new();
        let mut ask = |method: &str, url: &str, body: &'static str| {
            let request = Request::builder().method(method).uri(url).body(Bytes::from(body)).unwrap();
            let (answer, number) = answers.to(&request, &used);
            used.extend(number);
            (answer.status().as_u16(), String::from_utf8(answer.into_body().into()).unwrap())
        };
        assert_eq!(["", "a", "b"].map(|body| ask("POST", "https://api.example/x", body).1), ["one", "two", "two"]);
        assert_eq!(ask("POST", "https://api.example/y", "this"), (201, "three".into()));
        for (method, url, body) in [
            ("POST", "https://api.example/y", "that"),
            ("GET", "https://api.example/x", ""),
            ("POST", "https://api.example/x?q", ""),
        ] {
            assert_eq!(ask(method, url, body), (202, String::new()), "{method} {url} {body}");
        }
    }

    #[test]
    fn what_is_no_recording_is_named() {
        for (recorded, says) in [
            (
                json!([exchange("https://api.example", None, ""), exchange("/x", None, "")]),
                "a.json: recording 2: request.url \"/x\"",
            ),
            (
                json!({ "request": { "method": "G T", "url": "http://a.b" }, "response": { "status": 200 } }),
                "request.method",
            ),
            (
                json!({ "request": { "method": "GET", "url": "http://a.b" }, "response": { "status": 20 } }),
                "the response",
            ),
            (json!({ "method": "GET" }), "it holds no recordings"),
        ] {
            let error = format!("{:#}", answers(&recorded).err().unwrap());
            assert!(error.contains(says), "{error}");
        }
    }
}
