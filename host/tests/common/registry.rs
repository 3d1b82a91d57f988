//! A registry of a test's own: Debian's `docker-registry`, with what it keeps in a folder that ends with the test.
#![allow(dead_code, reason = "each test binary uses its part of this")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::OciImageManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde_json::json;
use tempfile::TempDir;

/// How often it is looked for, and how long between: half a minute together.
const LOOKS: u32 = 3000;
const PAUSE: Duration = Duration::from_millis(10);

/// The user that a registry with a password knows, and the password.
pub(crate) const USER: [&str; 2] = ["testuser", "testpassword"];
/// The same, as bcrypt has it.
const HTPASSWD: &str = "testuser:$2y$05$8/q2bfRcX74EuxGf0qOcSuhWDQJXrgWiy6Fi73/JM2tKC66qSrLve\n";

/// A registry that runs. It ends with the test.
pub(crate) struct Registry {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Registry {
    /// Starts a registry that asks for nothing.
    ///
    /// `None` where there is no `docker-registry`: the test should then return, as this has printed `SKIPPED registry: …`
    /// with the test's name, past the harness that swallows what passing tests print. In CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// Starts a registry that lets in [`USER`] alone.
    pub(crate) fn with_password() -> Option<Self> {
        Self::start_with("auth: {htpasswd: {realm: test, path: FOLDER/htpasswd}}\n")
    }

    fn start_with(auth: &str) -> Option<Self> {
        if Command::new("docker-registry").arg("--version").stdout(Stdio::null()).status().is_err() {
            #[allow(clippy::disallowed_methods, reason = "whether a test may be skipped is the environment's to say")]
            let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!ci, "no docker-registry on PATH in CI: apt-get install docker-registry");
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("a test");
            // Not eprintln, which the test harness captures.
            _ = writeln!(std::io::stderr(), "SKIPPED registry: {name}: there is no docker-registry on PATH");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: FOLDER/data}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n{auth}"
        );
        fs::write(folder.path().join("config.yml"), text.replace("FOLDER", &folder.path().display().to_string()))
            .unwrap();
        fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut registry = Self { process, port, _folder: folder };
        for _ in 0..LOOKS {
            assert!(registry.process.try_wait().unwrap().is_none(), "docker-registry ends as it starts");
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(PAUSE);
        }
        panic!("docker-registry is not up within half a minute");
    }

    /// `HOST:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes a component as `wkg oci push` does, by the same crate, and gives its manifest's digest.
    pub(crate) async fn push(&self, repository: &str, tag: &str, wasm: &[u8], annotations: &[(&str, &str)]) -> String {
        let title = ("org.opencontainers.image.title".to_owned(), "component.wasm".to_owned());
        let layer = ImageLayer::new(wasm.to_vec(), "application/wasm".to_owned(), Some(BTreeMap::from([title])));
        let config = json!({
            "created": "2026-01-01T00:00:00.123456789Z",
            "author": null,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer.sha256_digest()],
            "component": { "exports": ["tidemill:handler/handler@0.1.0"], "imports": [], "target": null },
        });
        let media_type = "application/vnd.wasm.config.v0+json".to_owned();
        let config = Config::new(config.to_string().into_bytes(), media_type, None);
        let annotations: BTreeMap<_, _> =
            annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let annotations = Some(annotations).filter(|annotations| !annotations.is_empty());
        let layers = [layer];
        let mut manifest = OciImageManifest::build(&layers, &config, annotations);
        manifest.media_type = Some("application/vnd.oci.image.manifest.v1+json".to_owned());
        let reference = self.reference(repository, tag);
        let pushed =
            client().push(&reference, &layers, config, &RegistryAuth::Anonymous, Some(manifest)).await.unwrap();
        pushed.manifest_url.rsplit('/').next().unwrap().to_owned()
    }

    /// Pulls a component as `wkg oci pull` does, by the same crate.
    pub(crate) async fn pull(&self, repository: &str, tag: &str) -> Vec<u8> {
        let reference = self.reference(repository, tag);
        let pulled = client().pull(&reference, &RegistryAuth::Anonymous, vec!["application/wasm"]).await.unwrap();
        assert_eq!(pulled.config.media_type, "application/vnd.wasm.config.v0+json");
        let [layer] = &pulled.layers[..] else { panic!("a component has one layer") };
        layer.data.to_vec()
    }

    fn reference(&self, repository: &str, tag: &str) -> Reference {
        Reference::with_tag(self.host(), repository.to_owned(), tag.to_owned())
    }
}

fn client() -> Client {
    _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() })
}

impl Drop for Registry {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
