//! What the commands need on a machine: looked for, and added where that is possible.

use anyhow::{Context, Result, bail};

use crate::tools::{output, program, root, run, succeeds, variable};

/// What guests are compiled for.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// What fuzz targets are compiled by, as rustup's cargo takes it: only nightly instruments code for a fuzzer.
pub(crate) const NIGHTLY: &str = "+nightly";

/// Whether this runs as root.
pub(crate) fn is_root() -> Result<bool> {
    Ok(output(program("id", &root()).arg("-u"))? == "0")
}

/// Installs packages of Debian's. It takes root.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    println!("Installing with apt-get: {}", packages.join(", "));
    run(program("apt-get", &root()).args(["update", "--quiet"]))?;
    let install = ["install", "--quiet", "--yes", "--no-install-recommends"];
    run(program("apt-get", &root()).env("DEBIAN_FRONTEND", "noninteractive").args(install).args(packages))
}

/// Whether a CI machine runs this: there, whatever can't be checked is a failure.
pub(crate) fn in_ci() -> bool {
    variable("CI").as_deref() == Some("true")
}

/// Sees to it that guests can be compiled.
///
/// The toolchain file names the target, but rustup follows it only where it may install by itself
/// (`RUSTUP_AUTO_INSTALL`).
pub(crate) fn guest_target() -> Result<()> {
    let folder = output(program("rustc", &root()).args(["--print", "target-libdir", "--target", GUEST_TARGET]))?;
    if std::path::Path::new(&folder).is_dir() {
        return Ok(());
    }
    println!("The target {GUEST_TARGET} is missing: adding it");
    run(program("rustup", &root()).args(["target", "add", GUEST_TARGET]))
        .with_context(|| format!("the Rust target {GUEST_TARGET} is missing and could not be added; see rustup.rs"))
}

/// Sees to it that there are `cargo fmt` and `cargo clippy`.
pub(crate) fn lint_tools() -> Result<()> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(program("cargo", &root()).args([tool, "--version"])) {
            println!("The component {component} is missing: adding it");
            run(program("rustup", &root()).args(["component", "add", component])).with_context(|| {
                format!("the Rust component {component} is missing and could not be added; see rustup.rs")
            })?;
        }
    }
    Ok(())
}

/// Fails where there is no C compiler. Rust needs one to link, and two of the dependencies have C in them.
pub(crate) fn c_compiler() -> Result<()> {
    let compiler = variable("CC").unwrap_or_else(|| "cc".to_owned());
    if has(&compiler) {
        return Ok(());
    }
    bail!(
        "there is no C compiler (`{compiler}`), which linking, SQLite and ring need: \
         on Debian and Ubuntu, apt-get install gcc libc6-dev; on macOS, xcode-select --install"
    )
}

/// Says whether the tests that need the Pub/Sub emulator will run. In CI they must.
///
/// It can't be set up from here: Google publishes it through gcloud alone, in an apt repository of its own.
pub(crate) fn emulator() -> Result<()> {
    if let Some(host) = variable("PUBSUB_EMULATOR_HOST") {
        println!("Pub/Sub emulator: the one at {host}");
        return Ok(());
    }
    // The emulator's own folder: gcloud explains and completes the command for it whether it is there or not.
    let sdk = output(program("gcloud", &root()).args(["info", "--format=value(installation.sdk_root)"]));
    let missing = match sdk {
        Ok(sdk) if std::path::Path::new(&sdk).join("platform/pubsub-emulator").is_dir() => None,
        Ok(_) => Some("gcloud has no component pubsub-emulator: gcloud components install pubsub-emulator"),
        Err(_) => Some("there is no gcloud: see cloud.google.com/sdk, then gcloud components install pubsub-emulator"),
    };
    match missing {
        None => println!("Pub/Sub emulator: gcloud's"),
        Some(missing) if in_ci() => bail!("CI is true, so the tests with the Pub/Sub emulator must run, but {missing}"),
        Some(missing) => println!("Pub/Sub emulator: none, so the tests that need it will be SKIPPED; {missing}"),
    }
    Ok(())
}

/// Sees to it that there is a Redis server, which tests start for themselves on ports of their own. In CI there must be.
pub(crate) fn redis() -> Result<()> {
    match redis_server() {
        Ok(()) => println!("Redis: redis-server"),
        Err(error) if in_ci() => return Err(error.context("CI is true, so the tests with Redis must run")),
        Err(error) => println!("Redis: none, so the tests that need it will be SKIPPED; {error:#}"),
    }
    Ok(())
}

fn redis_server() -> Result<()> {
    if has("redis-server") {
        return Ok(());
    }
    if !has("apt-get") || !is_root()? {
        bail!("there is no redis-server: on Debian and Ubuntu, apt-get install redis-server");
    }
    apt_install(&["redis-server"])
}

/// Sees to it that Python can make environments, into which tests put an emulator of a bucket. In CI it must.
pub(crate) fn python() -> Result<()> {
    match python_environments() {
        Ok(()) => println!("Bucket emulator: moto, into an environment of Python's"),
        Err(error) if in_ci() => return Err(error.context("CI is true, so the tests with a bucket must run")),
        Err(error) => println!("Bucket emulator: none, so the tests that need it will be SKIPPED; {error:#}"),
    }
    Ok(())
}

fn python_environments() -> Result<()> {
    // Debian has the module apart from Python; `venv` is there without it, and can't make a whole environment.
    let has = || succeeds(program("python3", &root()).args(["-c", "import venv, ensurepip"]));
    if has() {
        return Ok(());
    }
    if !self::has("apt-get") || !is_root()? {
        bail!("Python 3 can't make environments: on Debian and Ubuntu, apt-get install python3-venv");
    }
    apt_install(&["python3-venv"])
}

/// Sees to it that there is a registry, which tests start for themselves on ports of their own. In CI there must be.
pub(crate) fn registry() -> Result<()> {
    match docker_registry() {
        Ok(()) => println!("OCI registry: docker-registry"),
        Err(error) if in_ci() => return Err(error.context("CI is true, so the tests with a registry must run")),
        Err(error) => println!("OCI registry: none, so the tests that need it will be SKIPPED; {error:#}"),
    }
    Ok(())
}

fn docker_registry() -> Result<()> {
    if has("docker-registry") {
        return Ok(());
    }
    if !has("apt-get") || !is_root()? {
        bail!("there is no docker-registry: on Debian and Ubuntu, apt-get install docker-registry");
    }
    apt_install(&["docker-registry"])
}

/// Sees to it that instructions can be counted. Where that fails it says so and gives false; in CI it fails.
pub(crate) fn callgrind() -> Result<bool> {
    match valgrind() {
        Ok(()) => Ok(true),
        Err(error) if in_ci() => Err(error.context("CI is true, so the instructions must be counted")),
        Err(error) => {
            println!("SKIPPED instructions: {error:#}");
            Ok(false)
        }
    }
}

fn valgrind() -> Result<()> {
    // Then callgrind shows each program the same processor, whichever there is, and the same bounds hold.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    let is_bounded = std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    let is_bounded = false;
    if !is_bounded {
        bail!("the bounds are those of Linux on x86-64 with AVX2");
    }
    if has("valgrind") {
        return Ok(());
    }
    if !has("apt-get") || !is_root()? {
        bail!("there is no valgrind: on Debian and Ubuntu, apt-get install valgrind");
    }
    apt_install(&["valgrind"])
}

/// Sees to it that the fuzz targets can be built and run. Where that fails it says so and gives false; in CI it fails.
pub(crate) fn fuzzer() -> Result<bool> {
    match fuzz_tools() {
        Ok(()) => Ok(true),
        Err(error) if in_ci() => Err(error.context("CI is true, so the fuzz targets must run")),
        Err(error) => {
            println!("SKIPPED fuzz: {error:#}");
            Ok(false)
        }
    }
}

fn fuzz_tools() -> Result<()> {
    // libFuzzer is C++, and comes as source.
    let compiler = variable("CXX").unwrap_or_else(|| "c++".to_owned());
    if !has(&compiler) {
        bail!("there is no C++ compiler (`{compiler}`): on Debian and Ubuntu, apt-get install g++");
    }
    if !succeeds(program("rustc", &root()).args([NIGHTLY, "--version"])) {
        println!("The nightly toolchain is missing, which fuzzing needs: adding it");
        run(program("rustup", &root()).args(["toolchain", "install", "nightly", "--profile", "minimal"]))
            .context("the nightly toolchain is missing and could not be added; see rustup.rs")?;
    }
    if !succeeds(program("cargo", &root()).args(["fuzz", "--version"])) {
        println!("cargo-fuzz is missing: installing it among cargo's own programs");
        run(program("cargo", &root()).args(["install", "--locked", "cargo-fuzz"]))
            .context("cargo-fuzz is missing and could not be installed")?;
    }
    Ok(())
}

/// Whether there is such a program.
fn has(tool: &str) -> bool {
    succeeds(program(tool, &root()).arg("--version"))
}
