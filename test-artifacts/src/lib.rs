//! For tests alone: every guest, built, with the path of its component and of its manifest.
//!
//! A constant has the guest's name: [`EMAIL_ON_REGISTER`] is the path of a component, [`EMAIL_ON_REGISTER_MANIFEST`] that
//! of its `handler.toml`. Both stand in one folder, and those folders in [`HANDLERS`] and [`FIXTURES`], as a host takes
//! them. They are built when this crate is. A test that changes one copies it first.
//!
//! [`RANDOM_GUESTS`] is the path of a program that makes others, which nobody would write.
//!
//! A test file that begins with
//!
//! ```ignore
//! use tidemill_test_artifacts::{assert_test_exists, foreach_fixture};
//!
//! foreach_fixture!(assert_test_exists);
//! ```
//!
//! compiles only while it has a test by the name of each fixture, so that a new one isn't forgotten.

use std::io;

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// Fails to compile where the file has no function of this name. For [`foreach_handler`] and [`foreach_fixture`].
#[macro_export]
macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "it only has to be there")]
        use self::$name as _;
    };
}

/// What of the package `tidemill:handler` a guest may import or export.
const INTERFACES: [&str; 3] = ["events", "handler", "publisher"];

/// The component at this path with the names of one that is built for another version of the interface, such as `0.3.0`:
/// in all else it stays as it is.
///
/// # Errors
/// Where the component can't be read or is no handler, or the version isn't as long as its own.
pub fn built_for(version: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut wasm = std::fs::read(path)?;
    let mut renamed = 0;
    for interface in INTERFACES {
        let name = format!("tidemill:handler/{interface}@");
        let found = |(at, bytes): (usize, &[u8])| (bytes == name.as_bytes()).then_some(at + name.len());
        let places: Vec<_> = wasm.windows(name.len()).enumerate().filter_map(found).collect();
        for at in places {
            match wasm.get_mut(at..at + "0.0.0".len()) {
                Some(place) if place.len() == version.len() => place.copy_from_slice(version.as_bytes()),
                _ => return Err(io::Error::other(format!("{version} is not as long as 0.0.0"))),
            }
            renamed += 1;
        }
    }
    if renamed == 0 {
        return Err(io::Error::other(format!("{path} names nothing of tidemill:handler")));
    }
    Ok(wasm)
}

/// What `scripted` is called in its effects, as the component's bytes have it.
const VERSION: &[u8] = b"scripted-version-00000000";

/// The component [`SCRIPTED`] as another version: it posts `scripted-version-` and the number, in eight digits, as the
/// `version` of its effects, and is otherwise the same. Each number gives another digest.
///
/// # Errors
/// Where the component can't be read, or has no place for the version, or more than one; or the number has nine digits.
pub fn scripted_version(number: u32) -> io::Result<Vec<u8>> {
    let mut wasm = std::fs::read(SCRIPTED)?;
    let version = format!("scripted-version-{number:08}");
    let mut places = wasm.windows(VERSION.len()).enumerate().filter(|(_, bytes)| *bytes == VERSION).map(|(at, _)| at);
    let (Some(at), None) = (places.next(), places.next()) else {
        return Err(io::Error::other("the fixture `scripted` doesn't have the bytes of its version exactly once"));
    };
    match wasm.get_mut(at..at + version.len()) {
        Some(place) if version.len() == VERSION.len() => place.copy_from_slice(version.as_bytes()),
        _ => return Err(io::Error::other("a version has eight digits at most")),
    }
    Ok(wasm)
}
