use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::folder::{self, Stamp, Unread};
use super::{Artifact, ArtifactError, Digest, Handler};
use crate::config::Terms;
use crate::panicked;
use crate::runtime::{Code, LoadError, Runtime};
use crate::trust::{AuthenticCode, CodeCache, SIGNATURE_FILE, Trust};

/// How long values have to stay the same to count: a secret cut short is a secret that fits nothing.
const SETTLING: Duration = Duration::from_millis(50);

/// Makes handlers of artifacts.
#[derive(Clone)]
pub struct Loader {
    /// What compiles them.
    pub runtime: Runtime,
    /// What their manifests are judged by.
    pub terms: Terms,
    /// Whose signatures count.
    pub trust: Trust,
    /// Where compiled code is kept for the next start, if anywhere.
    pub code_cache: Option<CodeCache>,
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
        let (artifact, signature) = folder::read(path, stamp)?;
        let envelopes = match signature {
            Ok(envelopes) => envelopes,
            // Where nobody is trusted nobody's word is asked for.
            Err(_) if !self.trust.has_keys() => Vec::new(),
            Err(error) => return Err(Unread::Refused(format!("{}: {error}", SIGNATURE_FILE))),
        };
        let (digest, name) = (artifact.digest(), path.file_name().unwrap_or_default().to_string_lossy());
        // Before anything else is looked at: what nobody vouches for isn't even compiled.
        let vouched = self.trust.judge(&name, digest, &envelopes);
        vouched.map_err(|untrusted| Unread::Refused(untrusted.to_string()))?;
        if serving == Some(digest) {
            return Ok(Loaded::Same);
        }
        match self.compile(&name, &artifact) {
            Ok(Ok(handler)) => Ok(Loaded::New(handler)),
            Ok(Err(error)) if error.may_pass() => Err(Unread::Valueless(error.to_string())),
            Ok(Err(error)) => Err(Unread::Refused(error.to_string())),
            Err(panic) => Err(Unread::Refused(panic)),
        }
    }

    /// Makes a handler of this name of an artifact, with what its component was compiled to before, where that is kept. The
    /// outer error is a panic of the compiler's.
    pub(super) fn compile(
        &self,
        name: &str,
        artifact: &Artifact,
    ) -> Result<Result<Arc<Handler>, ArtifactError>, String> {
        let (digest, manifest) = (artifact.digest(), &artifact.manifest);
        let make = |code: Code<'_>| caught(|| Handler::load(digest, manifest, code, &self.runtime, name, &self.terms));
        let Some(cache) = &self.code_cache else { return make(Code::Wasm(&artifact.wasm)) };
        let component = Digest::of(&artifact.wasm);
        if let Some(code) = cache.get(component, self.runtime.id()) {
            match make(Code::Native(&code))? {
                Err(ArtifactError::Component(LoadError::Native(error))) => {
                    tracing::warn!(
                        handler = name,
                        "the code that was kept can't be loaded, and is compiled again: {error:#}"
                    );
                }
                made => return Ok(made),
            }
        }
        let made = make(Code::Wasm(&artifact.wasm))?;
        if let Ok(handler) = &made {
            let kept = handler.component.native_code().map_err(|error| error.to_string());
            let kept =
                kept.and_then(|code| cache.put(component, self.runtime.id(), &code).map_err(|error| error.to_string()));
            if let Err(error) = kept {
                tracing::warn!(
                    handler = name,
                    "its code can't be kept for the next start (setting `code-cache`): {error}"
                );
            }
        }
        Ok(made)
    }

    /// Makes a handler of this name of code that was compiled ahead of time. The outer error is a panic of the compiler's.
    pub(super) fn take(
        &self,
        name: &str,
        digest: Digest,
        manifest: &[u8],
        code: &AuthenticCode,
    ) -> Result<Result<Arc<Handler>, ArtifactError>, String> {
        caught(|| Handler::load(digest, manifest, Code::Native(code), &self.runtime, name, &self.terms))
    }

    /// Gives a handler the values that it has now, and says whether any is another one. `stale` is why they can't be read, as
    /// last logged: each reason is logged once.
    pub(super) fn reload_values(&self, handler: &mut Arc<Handler>, stale: &mut Option<String>) -> bool {
        match self.load_values(handler) {
            Ok(Some(now)) => {
                let keys = now.grant.config.changed_since(&handler.grant.config);
                tracing::info!(handler = handler.name, keys = keys.join(","), "handler's configuration changed");
                (*handler, *stale) = (now, None);
                true
            }
            Ok(None) => {
                *stale = None;
                false
            }
            Err(reason) => {
                if stale.as_ref() != Some(&reason) {
                    tracing::error!(
                        handler = handler.name,
                        "{reason}; the values from before still count, and the file is read again later"
                    );
                    *stale = Some(reason);
                }
                false
            }
        }
    }

    /// The handler with its values as they are now; `None` where they are what they were, or one is just being written.
    fn load_values(&self, handler: &Handler) -> Result<Option<Arc<Handler>>, String> {
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
        let text = panicked::message(&*panic);
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
