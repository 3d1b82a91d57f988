//! The base images, made on this machine in place of those of the same names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::buildah::Buildah;
use crate::tools::{output, program, root, run};

/// What both images need beyond the smallest Debian: a C compiler and root certificates for the one that builds, names
/// of services and time zones for the one that runs.
const PACKAGES: &str = "ca-certificates,gcc,libc6-dev,netbase,tzdata";
/// What the image named distroless holds: the packages that its makers name, apart from the documentation in them.
const RUNTIME_PACKAGES: [&str; 7] =
    ["base-files", "ca-certificates", "libc6", "libgcc-s1", "libstdc++6", "netbase", "tzdata"];
const DOCUMENTATION: [&str; 5] =
    ["/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian"];
/// Made when ca-certificates is set up, so no package owns it.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes the base image `name`, where it is not there yet.
pub(super) fn make(buildah: &Buildah, name: &str, folder: &Path) -> Result<()> {
    if buildah.has(name) {
        println!("{name} is there already");
        return Ok(());
    }
    println!("\n== Making {name} ==");
    if let Some(tag) = name.strip_prefix("docker.io/library/rust:") {
        let (version, release) = tag.split_once("-slim-").with_context(|| unknown(name))?;
        rust(buildah, name, version, &debian(folder, release)?)
    } else if name == "gcr.io/distroless/cc-debian13:nonroot" {
        distroless(buildah, name, &debian(folder, "trixie")?, folder)
    } else {
        bail!(unknown(name))
    }
}

fn unknown(name: &str) -> String {
    format!(
        "the Dockerfile builds on {name}: xtask/src/image/bases.rs knows how to make rust:VERSION-slim-RELEASE and distroless/cc-debian13:nonroot"
    )
}

/// The root folder of a Debian release, made once.
fn debian(folder: &Path, release: &str) -> Result<PathBuf> {
    let done = folder.join(format!("debian-{release}"));
    if done.exists() {
        return Ok(done);
    }
    let part = folder.join(format!("debian-{release}.part"));
    remove(&part)?;
    println!("Debian {release}, with debootstrap: about a minute");
    let mut command = program("debootstrap", folder);
    command.args(["--variant=minbase", &format!("--include={PACKAGES}"), release]).arg(&part);
    output(&mut command)?;
    remove(&part.join("var/cache/apt/archives"))?;
    fs::rename(&part, &done).with_context(|| format!("{} can't be renamed", part.display()))?;
    Ok(done)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} can't be removed", folder.display()))?;
    }
    Ok(())
}

/// Debian with a C compiler and this machine's Rust.
fn rust(buildah: &Buildah, name: &str, version: &str, debian: &Path) -> Result<()> {
    let here = output(program("rustc", &root()).arg("--version"))?;
    if !here.starts_with(&format!("rustc {version} ")) {
        bail!("{name} would get this machine's Rust, which is another version: {here}");
    }
    let toolchain = PathBuf::from(output(program("rustc", &root()).args(["--print", "sysroot"]))?);
    let settings = [
        "--env=CARGO_HOME=/usr/local/cargo",
        "--env=PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ];
    buildah.make(name, &settings, |to| {
        run(program("cp", debian).args(["--archive", "."]).arg(to))?;
        let (rust, bin) = (to.join("usr/local/rust"), to.join("usr/local/cargo/bin"));
        for folder in [&rust, &bin] {
            fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        }
        run(program("cp", &toolchain).args(["--archive", "bin", "lib"]).arg(&rust))?;
        for tool in ["cargo", "rustc"] {
            symlink(Path::new("/usr/local/rust/bin").join(tool), bin.join(tool)).context("a link can't be made")?;
        }
        // What this machine trusts, so that cargo reaches the registry in the same ways. Only the builder has it.
        let trusted = Path::new(CERTIFICATES);
        if trusted.exists() {
            fs::copy(trusted, to.join(CERTIFICATES.trim_start_matches('/'))).context("certificates can't be copied")?;
        }
        Ok(())
    })
}

/// The few packages that a program in Rust needs, without the tools that would unpack them.
fn distroless(buildah: &Buildah, name: &str, debian: &Path, folder: &Path) -> Result<()> {
    let settings = ["--user=65532", "--workingdir=/home/nonroot", &format!("--env=SSL_CERT_FILE={CERTIFICATES}")];
    let (list, archive) = (folder.join("runtime.files"), folder.join("runtime.tar"));
    let mut command = program("dpkg-query", folder);
    command.arg(format!("--admindir={}", debian.join("var/lib/dpkg").display())).arg("--listfiles");
    let owned = output(command.args(RUNTIME_PACKAGES))?;
    let files = owned.lines().chain([CERTIFICATES]).filter(|file| file.starts_with('/') && !is_documentation(file));
    let files: Vec<String> = files.map(|file| format!(".{file}")).collect();
    fs::write(&list, files.join("\n")).with_context(|| format!("{} can't be written", list.display()))?;
    run(program("tar", debian)
        .args(["--create", "--no-recursion"])
        .arg("--file")
        .arg(&archive)
        .arg("--files-from")
        .arg(&list))?;
    buildah.make(name, &settings, |to| {
        run(program("tar", to).args(["--extract", "--preserve-permissions"]).arg("--file").arg(&archive))?;
        let write =
            |file: &str, text: &str| fs::write(to.join(file), text).with_context(|| format!("{file} can't be written"));
        write(
            "etc/passwd",
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
        )?;
        write("etc/group", "root:x:0:\nnonroot:x:65532:\n")?;
        let home = to.join("home/nonroot");
        fs::create_dir_all(&home).with_context(|| format!("{} can't be made", home.display()))?;
        run(program("chown", to).arg("65532:65532").arg(&home))
    })
}

fn is_documentation(file: &str) -> bool {
    DOCUMENTATION.iter().any(|folder| file.starts_with(folder))
}
