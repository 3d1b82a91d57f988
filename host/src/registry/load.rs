use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::folder::{self, Stamp, Unread};
use super::{Digest, Handler};
use crate::config::Terms;
use crate::runtime::Runtime;

/// How long values have to stay the same to count: a secret cut short is a secret that fits nothing.
const SETTLING: Duration = Duration::from_millis(50);

/// Makes handlers of artifacts.
#[derive(Clone)]
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
        match caught(|| artifact.load(&self.runtime, &name, &self.terms)) {
            Ok(Ok(handler)) => Ok(Loaded::New(handler)),
            Ok(Err(error)) if error.may_pass() => Err(Unread::Valueless(error.to_string())),
            Ok(Err(error)) => Err(Unread::Refused(error.to_string())),
            Err(panic) => Err(Unread::Refused(panic)),
        }
    }

    /// The handler with its values as they are now; `None` where they are what they were, or one is just being written.
    pub(super) fn load_values(&self, handler: &Handler) -> Result<Option<Arc<Handler>>, String> {
        let now = || handler.with_values_now(&self.runtime, &self.terms).map_err(|error| error.to_string());
        let Some(seen) = now()? else { return Ok(None) };
        std::thread::sleep(SETTLING);
        Ok(now()?.filter(|again| again.grant.config == seen.grant.config).map(Arc::new))
    }
}

/// A panic of the compiler's as an error: one component that upsets it must not end the swapping of all others.
pub(super) fn caught<T>(load: impl FnOnce() -> T) -> Result<T, String> {
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
