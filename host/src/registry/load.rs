use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::folder::{self, Stamp, Unread};
use super::{Digest, Handler};
use crate::config::Terms;
use crate::runtime::Runtime;

/// Makes handlers of folders.
pub(super) struct Loader {
    pub(super) runtime: Runtime,
    pub(super) terms: Terms,
}

/// What became of a folder.
pub(super) enum Loaded {
    /// A handler that is not the one that serves already.
    New(Arc<Handler>),
    /// The bytes that serve already, under another stamp.
    Same,
}

impl Loader {
    /// Loads a folder, which had this stamp at the last look, unless it holds what serves already.
    pub(super) fn load(&self, path: &Path, stamp: &Stamp, serving: Option<Digest>) -> Result<Loaded, Unread> {
        let artifact = folder::read(path, stamp)?;
        if serving == Some(artifact.digest()) {
            return Ok(Loaded::Same);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let loaded = caught(|| artifact.load(&self.runtime, &name, &self.terms));
        let loaded = loaded.and_then(|loaded| loaded.map_err(|error| error.to_string()));
        loaded.map(Loaded::New).map_err(Unread::Refused)
    }
}

/// A panic of the compiler's as an error: one component that upsets it must not end the swapping of all others.
fn caught<T>(load: impl FnOnce() -> T) -> Result<T, String> {
    // Nothing that the loading could leave half changed is looked at afterwards: it makes a new handler or none.
    catch_unwind(AssertUnwindSafe(load)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("no message");
        format!("handler.wasm: compiling it panicked, which is a mistake of the compiler's: {text:?}")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_is_an_error_that_says_so() {
        let error = super::caught::<()>(|| panic!("at the {}", "disco")).unwrap_err();
        assert!(error.contains("panicked") && error.contains("at the disco"), "{error}");
        let error = super::caught::<()>(|| panic!("plain")).unwrap_err();
        assert!(error.contains("plain"), "{error}");
    }
}
