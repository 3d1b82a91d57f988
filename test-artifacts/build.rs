//! Builds the workspace of the guests and the maker of random ones, and writes down where each is: `guests.rs`, which the
//! library includes.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the guests are built for.
const TARGET: &str = "wasm32-wasip2";
/// What a handler's folder holds.
const COMPONENT: &str = "handler.wasm";
const MANIFEST: &str = "handler.toml";
/// The program that makes guests which nobody would write.
const RANDOM: &str = "random-guests";
/// What of the outer cargo's environment the inner one may see, of all that begins with `CARGO_`: where its registry
/// and its network are. The rest describes the outer build.
const KEPT: [&str; 6] = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];
/// What further describes the outer build: its flags would be taken for those of the guests.
const DROPPED: [&str; 13] = [
    "CLIPPY_ARGS",
    "DEBUG",
    "HOST",
    "MAKEFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "TARGET",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("this crate is not in the project's root")?;
    let workspace = root.join("guest-handlers");
    for input in ["guest-handlers", "sdk", "wit", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let built = root.join("target/guests");
    for input in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={RANDOM}/{input}");
    }
    target_is_installed()?;
    build(&workspace, &built, &["--release", "--workspace", "--target", TARGET])?;
    let random = Path::new(env!("CARGO_MANIFEST_DIR")).join(RANDOM);
    build(&random, &built, &[])?;

    let out = PathBuf::from(variable("OUT_DIR")?);
    let handlers = guests(&workspace)?;
    let fixtures = guests(&workspace.join("fixtures"))?;
    let mut code = String::new();
    for (kind, guests) in [("handler", &handlers), ("fixture", &fixtures)] {
        // Copies, since whoever builds a guest by itself meanwhile replaces what cargo has built here.
        let folder = out.join(format!("{kind}s"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        write_folder_constant(kind, &folder, &mut code)?;
        for guest in guests {
            let folder = folder.join(&guest.name);
            guest.copy(&built.join(TARGET).join("release"), &folder)?;
            guest.write_constants(&folder, &mut code)?;
        }
        write_foreach(kind, guests, &mut code)?;
    }
    // Copied for the same reason.
    let path = out.join(RANDOM);
    fs::copy(built.join(format!("debug/tidemill-{RANDOM}")), &path)?;
    writeln!(
        code,
        "/// The path of the program that makes random guests; its own text says how.\npub const RANDOM_GUESTS: &str = {:?};",
        path.display().to_string()
    )?;
    fs::write(out.join("guests.rs"), code)?;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "cargo tells a build script all it has to know by its environment")]
fn variable(name: &str) -> Result<std::ffi::OsString> {
    env::var_os(name).ok_or_else(|| format!("cargo didn't set {name}").into())
}

fn target_is_installed() -> Result<()> {
    let found = Command::new(variable("RUSTC")?).args(["--print", "target-libdir", "--target", TARGET]).output()?;
    if found.status.success() && Path::new(String::from_utf8(found.stdout)?.trim()).is_dir() {
        return Ok(());
    }
    Err(format!(
        "the Rust target {TARGET}, which the guests are built for, is not installed: rustup target add {TARGET}"
    )
    .into())
}

/// One build of a workspace, into a folder of its own: the outer cargo holds the lock of the outer one.
fn build(workspace: &Path, built: &Path, arguments: &[&str]) -> Result<()> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(workspace).arg("build").args(arguments).arg("--target-dir").arg(built);
    #[expect(clippy::disallowed_methods, reason = "what the outer cargo has set is found in the environment")]
    let outer = env::vars_os();
    for (name, _) in outer.filter(|(name, _)| describes_the_outer_build(name)) {
        cargo.env_remove(name);
    }
    let status = cargo.status()?;
    if !status.success() {
        let folder = workspace.display();
        let arguments = arguments.join(" ");
        return Err(
            format!("the guests don't build ({status}); see with: cd {folder} && cargo build {arguments}").into()
        );
    }
    Ok(())
}

fn describes_the_outer_build(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let kept = KEPT.iter().any(|kept| name.starts_with(kept));
    (name.starts_with("CARGO_") && !kept) || DROPPED.contains(&name.as_ref())
}

/// A crate of the guests' workspace. Its name is that of its folder.
struct Guest {
    name: String,
    folder: PathBuf,
}

/// The crates in a folder, in order of their names.
fn guests(folder: &Path) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for entry in fs::read_dir(folder)? {
        let folder = entry?.path();
        if folder.join("Cargo.toml").is_file() {
            let name = folder.file_name().and_then(OsStr::to_str).ok_or("a guest's folder has no name")?.to_owned();
            guests.push(Guest { name, folder });
        }
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

impl Guest {
    fn identifier(&self) -> String {
        self.name.replace('-', "_")
    }

    fn has_manifest(&self) -> bool {
        self.folder.join(MANIFEST).is_file()
    }

    /// Makes a handler's folder, as a host takes it.
    fn copy(&self, built: &Path, folder: &Path) -> Result<()> {
        // A library is named by its crate, a program by its package.
        let stem = if self.folder.join("src/lib.rs").is_file() { self.identifier() } else { self.name.clone() };
        let wasm = built.join(stem).with_extension("wasm");
        fs::create_dir_all(folder)?;
        fs::copy(&wasm, folder.join(COMPONENT))
            .map_err(|error| format!("the guest {} is built, but {}: {error}", self.name, wasm.display()))?;
        if self.has_manifest() {
            fs::copy(self.folder.join(MANIFEST), folder.join(MANIFEST))?;
        }
        Ok(())
    }

    fn write_constants(&self, folder: &Path, code: &mut String) -> Result<()> {
        let (name, constant) = (&self.name, self.identifier().to_uppercase());
        let path = folder.join(COMPONENT).display().to_string();
        writeln!(code, "/// The path of the component `{name}`.\npub const {constant}: &str = {path:?};")?;
        if self.has_manifest() {
            let path = folder.join(MANIFEST).display().to_string();
            writeln!(
                code,
                "/// The path of the manifest of `{name}`.\npub const {constant}_MANIFEST: &str = {path:?};"
            )?;
        }
        Ok(())
    }
}

fn write_folder_constant(kind: &str, folder: &Path, code: &mut String) -> Result<()> {
    let (constant, path) = (kind.to_uppercase(), folder.display().to_string());
    writeln!(
        code,
        "/// The path of the folder that has a folder for each {kind}.\npub const {constant}S: &str = {path:?};"
    )?;
    Ok(())
}

fn write_foreach(kind: &str, guests: &[Guest], code: &mut String) -> Result<()> {
    writeln!(code, "/// Calls a macro with the name of each {kind}, as an identifier. See the crate's documentation.")?;
    writeln!(code, "#[macro_export]\nmacro_rules! foreach_{kind} {{\n    ($each:ident) => {{")?;
    for guest in guests {
        writeln!(code, "        $each!({});", guest.identifier())?;
    }
    writeln!(code, "    }};\n}}")?;
    Ok(())
}
