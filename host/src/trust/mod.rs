//! Who vouches for what is run: signatures over artifacts by keys that the operator trusts, and native code that may be
//! loaded since one of them covers it, or since this host's own cache does.
//!
//! A signature is a DSSE envelope (<https://github.com/secure-systems-lab/dsse>, version 1) around a [`Statement`], made
//! with an Ed25519 key (RFC 8032). It says which bytes may run as which handler. It doesn't say which of all that were
//! ever signed run now: that is what a store's releases say.

mod code;
mod code_cache;
mod envelope;
mod key;
mod statement;
mod trusted;

pub use code::{AuthenticCode, EngineId, EngineIdError};
pub use code_cache::{CodeCache, CodeCacheError};
pub use envelope::{Envelope, EnvelopeError, MAX_ENVELOPE, SIGNATURE_FILE};
pub use key::{KeyError, PublicKey, PublicKeyError, SecretKey};
pub use statement::Statement;
pub use trusted::{Trust, TrustedKey, TrustedKeyError, Untrusted, Vouched};
