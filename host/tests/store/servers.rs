//! Buckets of a test's own: the emulating servers of PyPI, in an environment that is made once.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

/// What is installed, and so what the folder of the environment is called after.
const PACKAGES: &[&str] = &["moto[s3,server]==5.2.5"];

/// A server that ends with the test.
pub(crate) struct Bucket {
    process: Child,
    port: u16,
}

impl Bucket {
    /// S3, as moto plays it, with a bucket `bucket`. `None` where Python can't make an environment: the test should then
    /// return, as this has said so; in CI that is a failure.
    pub(crate) async fn s3() -> Option<Self> {
        let python = environment()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(python.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bucket = Self { process, port };
        let client = crate::common::client(false);
        for _ in 0..600 {
            let request = hyper::Request::put(format!("http://127.0.0.1:{port}/bucket"));
            let request = request.header("authorization", SIGNED_BY_NOBODY).body(http_body_util::Full::default());
            if client.request(request.unwrap()).await.is_ok_and(|answer| answer.status().is_success()) {
                return Some(bucket);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("moto's server doesn't answer on port {port}");
    }

    /// What a store has to know to reach it.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// Moto looks at the form of a signature alone.
const SIGNED_BY_NOBODY: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
                                SignedHeaders=host, Signature=0";

impl Drop for Bucket {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The environment, made by whichever test comes first.
fn environment() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join(format!("python-{}", PACKAGES.join("-").replace(['[', ']', ',', '='], "_")));
    let lock = File::options().create(true).append(true).open(folder.with_extension("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let complete = folder.join("complete");
    if complete.exists() {
        return Some(folder);
    }
    _ = fs::remove_dir_all(&folder);
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
    let installed = made.is_ok_and(|made| made.status.success())
        && Command::new(folder.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(PACKAGES)
            .status()
            .is_ok_and(|status| status.success());
    if installed {
        File::create(complete).unwrap();
        return Some(folder);
    }
    #[allow(clippy::disallowed_methods, reason = "whether a test may be skipped is the environment's to say")]
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "no bucket emulator in CI: python3 with venv (apt-get install python3-venv) and PyPI are needed");
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    // Not eprintln, which the test harness captures.
    _ = writeln!(std::io::stderr(), "SKIPPED s3: {name}: moto could not be installed into a Python environment");
    None
}
