use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{rest, variable};

/// Runs the emulator until the script's own input ends, which happens when the test process closes the pipe or ends, in
/// whatever way. gcloud puts itself and the Java process that it starts into a process group named by its own pid: that
/// group goes first, then the script's. Where gcloud ends by itself the script ends too, which the test process sees.
const SCRIPT: &str = r#"
exec 3<&0
gcloud beta emulators pubsub start --quiet "--host-port=$1" "--data-dir=$2" </dev/null >"$2/log" 2>&1 3<&- &
gcloud=$!
{ read -r _ <&3; rm -rf -- "$2"; kill -KILL "-$gcloud" || kill -KILL "$gcloud"; } &
wait "$gcloud"
kill -KILL "-$gcloud"
kill -KILL 0
"#;

/// How often a start is tried: another process may take the port between its choice and its use.
const ATTEMPTS: u32 = 3;

/// An emulator that this process started, in a process group of its own.
#[derive(Debug)]
pub(crate) struct Process {
    host: String,
    group: Child,
}

impl Process {
    pub(crate) async fn start() -> Result<Self, String> {
        if !on_path("gcloud") {
            return Err("gcloud is not on PATH, and PUBSUB_EMULATOR_HOST is not set".to_owned());
        }
        let mut attempt = 1;
        loop {
            match Self::attempt().await {
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn attempt() -> Result<Self, String> {
        let data = tempfile::tempdir().expect("a temporary folder").keep();
        let host = format!("127.0.0.1:{}", free_port());
        let group = Command::new("sh")
            .args(["-c", SCRIPT, "emulator", &host])
            .arg(&data)
            .env("CLOUDSDK_CORE_DISABLE_FILE_LOGGING", "1")
            .env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let mut process = Self { host, group };
        let host = process.host.clone();
        rest::wait_until_up(&host, || match process.group.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(format!("the emulator ended as it started: {}", last_lines(&data))),
        })
        .await?;
        Ok(process)
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The script is told by the end of its input.
        drop(self.group.stdin.take());
        _ = self.group.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("the port's address").port()
}

fn on_path(program: &str) -> bool {
    variable("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder: PathBuf| folder.join(program).is_file()))
}

/// What the emulator wrote last, before its folder goes.
fn last_lines(data: &Path) -> String {
    let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
    _ = std::fs::remove_dir_all(data);
    let mut lines: Vec<&str> = log.lines().rev().take(5).collect();
    lines.reverse();
    lines.join(" | ")
}
